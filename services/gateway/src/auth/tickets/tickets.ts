import { hash, randomBytes } from 'node:crypto';
import { FanfareError } from '../../errors.ts';
import type { Ticket } from '../access.ts';
import type { RateStore } from '../publish-rate.ts';
import { readClaims, type TokenClaims } from '../tokens/token-claims.ts';

/** Tickets begin with this, so that they are told from tokens, and found where they should not be. */
const TICKET_PREFIX = 'fft_';
/** 128 random bits in base64url. */
const TICKET = /^fft_[A-Za-z0-9_-]{22}$/;
const RANDOM_BYTES = 16;
/** Long enough for a page to open its stream, too short for who reads a log. */
const CLAIM_MS = 30_000;
/**
 * How many tickets a subject may make: a page needs one for each stream, and a crowd of pages that come back at once may have the same subject.
 * Each that was redeemed is kept until its token's end, so these bound what a single subject can fill Redis with.
 */
const TICKETS_PER_MINUTE = 12;
const TICKETS_AT_ONCE = 60;

const REFUSALS = {
  unknown: `the ticket is unknown or too late: a ticket is good for ${CLAIM_MS / 1000} s, its stream until the token's end`,
  taken: 'the ticket was used already by somebody else, or its cookie did not come back',
};

/** What came of claiming: `opened` by the first, `again` by the same, `taken` by another, or not there (any more). */
export type Claim =
  | { readonly outcome: 'opened' | 'again'; readonly value: string }
  | { readonly outcome: 'taken' | 'unknown' };

/** Where tickets are kept, for all nodes. */
export interface TicketStore {
  /** Keeps a value that may be claimed within `claimMs`, and by the same holder again until `keepUntilMs` (since 1970). Rejects with log_unavailable. */
  put(key: string, value: string, claimMs: number, keepUntilMs: number): Promise<void>;
  /**
   * If nobody holds it yet, `fresh` does from now on ('opened'); if `presented` holds it: 'again'; held by another: 'taken'; not
   * there: 'unknown'. Rejects like put.
   */
  claim(key: string, presented: string | undefined, fresh: string): Promise<Claim>;
}

/** What a ticket gave. */
export interface Redeemed {
  readonly claims: TokenClaims;
  /** Makes its owner the holder; to be sent as a cookie. Undefined for who has it already. */
  readonly secret: string | undefined;
}

/**
 * Tickets: each opens one stream, for a page whose EventSource cannot send a token. Whoever redeems a ticket first holds it, and may come back
 * with it until the token's end, as an EventSource does by itself; all others are refused. What is stored tells neither ticket nor secret.
 */
export class Tickets {
  readonly #store: TicketStore;
  readonly #rates: RateStore;

  constructor(store: TicketStore, rates: RateStore) {
    this.#store = store;
    this.#rates = rates;
  }

  /**
   * Makes a ticket with the rights of a token, good for 30 s, or until the token's end where that is sooner. Rejects with FanfareError
   * `unauthenticated` when the token has ended, `rate_limited`, or like the stores.
   */
  async issue(claims: TokenClaims): Promise<Ticket> {
    const keepUntilMs = Math.floor(claims.exp * 1000);
    // It may have ended since it was checked; a ticket made then would open nothing.
    if (keepUntilMs <= Date.now()) throw new FanfareError('unauthenticated', 'the token has expired');
    await this.#checkRate(claims.sub);
    const ticket = TICKET_PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
    const claimMs = Math.max(1, Math.min(CLAIM_MS, keepUntilMs - Date.now()));
    await this.#store.put(hash('sha256', ticket), JSON.stringify(claims), claimMs, keepUntilMs);
    return { ticket, expiresInSeconds: Math.floor(claimMs / 1000) };
  }

  /**
   * Spends a ticket, or finds that `presented`, from the cookie, holds it. The claims may be those of a token that has ended meanwhile. Rejects
   * with FanfareError `unauthenticated`, or like the store.
   */
  async redeem(ticket: string, presented: string | undefined): Promise<Redeemed> {
    if (!TICKET.test(ticket))
      throw new FanfareError('unauthenticated', 'this is no ticket: POST /v1/tickets makes one');
    const secret = randomBytes(RANDOM_BYTES).toString('base64url');
    const holder = presented === undefined ? undefined : hash('sha256', presented);
    const claim = await this.#store.claim(hash('sha256', ticket), holder, hash('sha256', secret));
    if (!('value' in claim)) throw new FanfareError('unauthenticated', REFUSALS[claim.outcome]);
    const claims = readClaims(JSON.parse(claim.value));
    return { claims, secret: claim.outcome === 'opened' ? secret : undefined };
  }

  async #checkRate(subject: string): Promise<void> {
    const { granted, waitMs } = await this.#rates.take(
      `ticket:${subject}`,
      TICKETS_PER_MINUTE / 60,
      TICKETS_AT_ONCE,
      1,
    );
    if (granted >= 1) return;
    const detail = `a subject may make ${TICKETS_PER_MINUTE} tickets a minute, and ${TICKETS_AT_ONCE} at once`;
    throw new FanfareError('rate_limited', detail, { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) });
  }
}
