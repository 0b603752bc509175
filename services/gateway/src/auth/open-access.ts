import { randomBytes } from 'node:crypto';
import type { Access, Identity, Ticket } from './access.ts';
import { ChannelPatterns } from './channel-pattern.ts';
import { Principal } from './principal.ts';

const TICKET_SECONDS = 30;
const NO_COOKIES: readonly string[] = [];

/**
 * Everybody may do everything: a node without authentication. What pages do where there is one works here too: tokens and tickets are taken, and
 * mean nothing.
 */
export class OpenAccess implements Access {
  readonly required = false;
  readonly stranger = new Principal({
    subscribe: new ChannelPatterns(['*']),
    publish: new ChannelPatterns(['*']),
    // Nobody has a subject to be disconnected by: the answer says so.
    disconnect: true,
  });

  identify(): Principal {
    return this.stranger;
  }

  async redeem(): Promise<Identity> {
    return { principal: this.stranger, cookies: NO_COOKIES };
  }

  async check(): Promise<Principal> {
    return this.stranger;
  }

  confirm(): void {}

  async issue(): Promise<Ticket> {
    return { ticket: `fft_${randomBytes(16).toString('base64url')}`, expiresInSeconds: TICKET_SECONDS };
  }
}
