import { ChannelPatterns } from '../../../src/auth/channel-pattern.ts';
import { Principal } from '../../../src/auth/principal.ts';
import type { Session } from '../../../src/auth/sessions/sessions.ts';

/** Somebody whose rights were given at this time, milliseconds since 1970. */
export function principal(subject: string | undefined, issuedMs?: number): Principal {
  const none = new ChannelPatterns([]);
  return new Principal({
    subscribe: none,
    publish: none,
    ...(subject === undefined ? {} : { subject }),
    ...(issuedMs === undefined ? {} : { issuedMs }),
  });
}

/** A session that writes down what it was closed for. */
export class WatchedSession implements Session {
  principal: Principal;
  readonly closes: string[] = [];
  readonly #onClose: (session: WatchedSession) => void;

  constructor(principal: Principal, onClose: (session: WatchedSession) => void = () => {}) {
    this.principal = principal;
    this.#onClose = onClose;
  }

  close(reason: 'token_expired' | 'disconnected'): void {
    this.closes.push(reason);
    this.#onClose(this);
  }
}
