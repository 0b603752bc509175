import { setTimeout } from 'node:timers/promises';
import type { CloseReason } from '../errors.ts';

/** What the registry needs of a connection. */
export interface Registered {
  /** The registry's own: the connection's slot on the wheel, −1 when it is not registered. */
  slot: number;
  /** The registry's own: heartbeats until the connection is as old as it may become. */
  beatsLeft: number;
  /** Time for a heartbeat. */
  beat(): void;
  /** `timeoutSeconds` after a beat: what was to be answered must be by now. */
  check(): void;
  close(reason: CloseReason): void;
}

/** How often in one interval the wheel turns on: the finest spread of heartbeats, and the error of a timeout. */
const SLOTS = 100;
/** A lifetime varies by this part of it, up and down: connections that came together do not leave together. */
const AGE_SPREAD = 0.1;
/** Between two steps of a drain. */
const DRAIN_STEP_MILLISECONDS = 50;

export interface HeartbeatTimes {
  readonly intervalSeconds: number;
  /** Between a heartbeat and the check of whether it was answered; shorter than the interval. */
  readonly timeoutSeconds: number;
  /** Age at which a connection is sent to come back, at the heartbeat that is nearest to it. 0: never. */
  readonly maxAgeSeconds: number;
}

/**
 * Every open connection of this node, on a wheel that turns once in a heartbeat interval: one timer for all, and
 * heartbeats spread evenly over time whatever happened to connect at once.
 */
export class Registry {
  readonly #slots: Set<Registered>[] = Array.from({ length: SLOTS }, () => new Set<Registered>());
  readonly #checkDelay: number;
  readonly #maxAgeBeats: number;
  readonly #timer: NodeJS.Timeout;
  #hand = 0;
  #filling = 0;
  #size = 0;

  constructor({ intervalSeconds, timeoutSeconds, maxAgeSeconds }: HeartbeatTimes) {
    this.#checkDelay = Math.min(SLOTS - 1, Math.ceil((timeoutSeconds / intervalSeconds) * SLOTS));
    this.#maxAgeBeats = maxAgeSeconds / intervalSeconds;
    this.#timer = setInterval(() => this.#turn(), (intervalSeconds * 1000) / SLOTS);
  }

  get size(): number {
    return this.#size;
  }

  add(connection: Registered): void {
    // A stride that shares no factor with SLOTS spreads a burst over the whole interval.
    this.#filling = (this.#filling + 37) % SLOTS;
    this.#slots[this.#filling]?.add(connection);
    connection.slot = this.#filling;
    connection.beatsLeft = this.#lifetimeBeats();
    this.#size++;
  }

  /** Nothing happens to a connection that is not registered. */
  remove(connection: Registered): void {
    if (connection.slot === -1) return;
    this.#slots[connection.slot]?.delete(connection);
    connection.slot = -1;
    this.#size--;
  }

  /**
   * Closes every connection, evenly spread over `seconds` and in no particular order; all that are left at once when
   * `hurry` aborts. Resolves when all were told.
   */
  async drain(seconds: number, reason: CloseReason, hurry: AbortSignal): Promise<void> {
    const all = this.#slots.flatMap((slot) => [...slot]);
    const started = performance.now();
    for (let told = 0; told < all.length; ) {
      const due = seconds === 0 || hurry.aborted ? 1 : (performance.now() - started) / (seconds * 1000);
      for (const end = Math.min(all.length, Math.floor(due * all.length) + 1); told < end; told++) {
        const connection = all[told];
        if (connection !== undefined && connection.slot !== -1) connection.close(reason);
      }
      if (this.#size === 0) return;
      if (told < all.length) await setTimeout(DRAIN_STEP_MILLISECONDS);
    }
  }

  /** Stops the wheel. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #turn(): void {
    this.#hand = (this.#hand + 1) % SLOTS;
    for (const connection of this.#slots[this.#hand] ?? []) {
      if (--connection.beatsLeft === 0) connection.close('max_age');
      else connection.beat();
    }
    for (const connection of this.#slots[(this.#hand - this.#checkDelay + SLOTS) % SLOTS] ?? []) connection.check();
  }

  /** 0, from where a countdown never comes back to 0, when connections may become as old as they like. */
  #lifetimeBeats(): number {
    if (this.#maxAgeBeats === 0) return 0;
    return Math.max(1, Math.round(this.#maxAgeBeats * (1 + AGE_SPREAD * (2 * Math.random() - 1))));
  }
}
