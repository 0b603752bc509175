import { FanfareError } from '../errors.ts';
import type { ChannelPatterns } from './channel-pattern.ts';

/** What a token says that matters here, checked: see token-claims.ts. */
export interface TokenClaims {
  readonly sub: string;
  /** Channel patterns, `{sub}` not yet filled. */
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  /** When it ends and when it was made, seconds since 1970; they may have a fraction. */
  readonly exp: number;
  readonly iat: number;
}

/** What is known of somebody, and what he may do. */
export interface PrincipalOptions {
  /** Whose token it is, as in its `sub`. Undefined for a publisher's key, and for whoever brought nothing. */
  readonly subject?: string;
  /** By what his publishes are counted: one for each subject and each key. Undefined: they are not. */
  readonly account?: string;
  readonly subscribe: ChannelPatterns;
  readonly publish: ChannelPatterns;
  /** Whether he may end the connections of others. */
  readonly disconnect?: boolean;
  /** When his rights end, milliseconds since 1970. Undefined: never. */
  readonly expiresMs?: number;
  /** When they were given, milliseconds since 1970. */
  readonly issuedMs?: number;
  /** True for whoever brought nothing: what he lacks, a token could give. */
  readonly stranger?: boolean;
  /** What his token said: a ticket can be made of it. */
  readonly claims?: TokenClaims;
}

/** Somebody who subscribes or publishes. One object stands for a token, however many connections it opens. */
export class Principal {
  readonly subject: string | undefined;
  readonly account: string | undefined;
  readonly expiresMs: number | undefined;
  readonly issuedMs: number | undefined;
  readonly stranger: boolean;
  readonly claims: TokenClaims | undefined;
  readonly #options: PrincipalOptions;

  constructor(options: PrincipalOptions) {
    this.subject = options.subject;
    this.account = options.account;
    this.expiresMs = options.expiresMs;
    this.issuedMs = options.issuedMs;
    this.stranger = options.stranger ?? false;
    this.claims = options.claims;
    this.#options = options;
  }

  /** Whether he may subscribe to all of these. */
  maySubscribe(channels: readonly string[]): boolean {
    return channels.every((channel) => this.#options.subscribe.allows(channel));
  }

  /** Throws FanfareError `forbidden`, or `unauthenticated` where a token could help. */
  checkSubscribe(channels: readonly string[]): void {
    const missing = channels.find((channel) => !this.#options.subscribe.allows(channel));
    if (missing !== undefined) throw this.#refusal('a token', `to subscribe to ${missing}`);
  }

  /** Throws like checkSubscribe. */
  checkPublish(channel: string): void {
    if (!this.#options.publish.allows(channel)) throw this.#refusal('a token or a key', `to publish to ${channel}`);
  }

  /** Throws like checkSubscribe. */
  checkDisconnect(): void {
    if (this.#options.disconnect !== true) throw this.#refusal('a key', 'to disconnect others');
  }

  #refusal(credential: string, what: string): FanfareError {
    return this.stranger
      ? new FanfareError('unauthenticated', `${credential} is needed ${what}`)
      : new FanfareError('forbidden', `this token or key gives no right ${what}`);
  }
}
