import type { Claim } from '../shared-state.ts';

/** Memory for tickets, about. */
const MAX_BYTES = 32 * 1024 * 1024;
/** What one takes besides its texts, about. */
const OVERHEAD_BYTES = 300;
/** When it is full, room is made down to this part of it: then not each new one has to look for room. */
const ROOMY = 0.9;

interface Ticket {
  readonly value: string;
  /** Until when it may be claimed; once it has a holder, until when that one may have it. */
  untilMs: number;
  readonly keepUntilMs: number;
  holder: string | undefined;
  bytes: number;
}

/**
 * Values that one holder may claim. When there are too many, the oldest are forgotten before their time, as if they had run out:
 * to refuse new ones would let whoever can get tickets keep them from everybody else.
 */
export class EmbeddedTickets {
  readonly #maxBytes: number;
  /** Oldest first. */
  readonly #tickets = new Map<string, Ticket>();
  #bytes = 0;

  /** `maxBytes`: memory for tickets, about. Default: 32 MiB, some 20,000 of usual size. */
  constructor(maxBytes = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** See SharedState.put. */
  put(key: string, value: string, claimMs: number, keepUntilMs: number, nowMs: number): void {
    if (this.#find(key, nowMs) !== undefined) return;
    const untilMs = Math.min(nowMs + claimMs, keepUntilMs);
    const bytes = OVERHEAD_BYTES + 2 * (key.length + value.length);
    this.#tickets.set(key, { value, untilMs, keepUntilMs, holder: undefined, bytes });
    this.#grow(bytes, nowMs);
  }

  /** See SharedState.claim. */
  claim(key: string, presented: string | undefined, fresh: string, nowMs: number): Claim {
    const ticket = this.#find(key, nowMs);
    if (ticket === undefined) return { outcome: 'unknown' };
    const { value, holder } = ticket;
    if (holder === undefined) {
      const bytes = 2 * fresh.length;
      ticket.holder = fresh;
      ticket.untilMs = ticket.keepUntilMs;
      ticket.bytes += bytes;
      this.#grow(bytes, nowMs);
      return { outcome: 'opened', value };
    }
    if (holder === presented) return { outcome: 'again', value };
    return holder === fresh ? { outcome: 'opened', value } : { outcome: 'taken' };
  }

  #find(key: string, nowMs: number): Ticket | undefined {
    const ticket = this.#tickets.get(key);
    if (ticket === undefined || nowMs < ticket.untilMs) return ticket;
    this.#remove(key, ticket);
    return undefined;
  }

  #grow(bytes: number, nowMs: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) return;
    for (const [key, ticket] of this.#tickets) if (nowMs >= ticket.untilMs) this.#remove(key, ticket);
    for (const [key, ticket] of this.#tickets) {
      if (this.#bytes <= ROOMY * this.#maxBytes) return;
      this.#remove(key, ticket);
    }
  }

  #remove(key: string, { bytes }: Ticket): void {
    this.#tickets.delete(key);
    this.#bytes -= bytes;
  }
}
