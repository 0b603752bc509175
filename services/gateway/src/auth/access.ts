import type { IncomingHttpHeaders } from 'node:http';
import type { Principal } from './principal.ts';

/** What is looked at of a request to know whom it comes from. */
export interface Asking {
  readonly method?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

/** Whom a request comes from. */
export interface Identity {
  readonly principal: Principal;
  /** Values of the `Set-Cookie` fields that its answer must have. */
  readonly cookies: readonly string[];
}

/** A ticket, for a client that cannot send its token. */
export interface Ticket {
  readonly ticket: string;
  /** How long it may be redeemed, seconds. */
  readonly expiresInSeconds: number;
}

/**
 * Says who somebody is. Whatever cannot be told at once comes as a promise. Throws and rejects with FanfareError: `unauthenticated`, whose detail
 * says what is wrong and holds nothing of a secret; `auth_unavailable` or `log_unavailable` while it cannot be known.
 */
export interface Access {
  /** False where everybody may do everything. */
  readonly required: boolean;
  /** Whoever brought nothing. */
  readonly stranger: Principal;
  /** By the Authorization header, else the cookie; else it is the stranger. */
  identify(asking: Asking): Principal | Promise<Principal>;
  /** By a ticket from the URL of a stream, which is spent thereby; see tickets.ts for who may use it again. */
  redeem(asking: Asking, ticket: string): Promise<Identity>;
  /** By a token or a key. */
  check(secret: string): Promise<Principal>;
  /**
   * Throws when somebody's rights have ended since it was known who it is: `unauthenticated`, or `starting` while it is not known yet who was
   * disconnected.
   */
  confirm(principal: Principal): void;
  /** Makes a ticket with the rights of somebody. Rejects with `forbidden` for whoever has no token. */
  issue(principal: Principal): Promise<Ticket>;
}
