import type { Batch } from '../../src/hub/batch.ts';
import { Connection } from '../../src/hub/connection.ts';
import type { Hub, Start } from '../../src/hub/hub.ts';
import type { Subscription } from '../../src/hub/subscription.ts';

/** A connection of a hub that notes what it is told. */
export class HubClient extends Connection {
  readonly transport = 'http';
  closed = false;
  /** What came, in its order: a message's data, `gap <channel> <reason>`, or `caught-up`. */
  readonly told: string[] = [];
  /** The messages' ids, in their order. */
  readonly ids: string[] = [];
  /** One entry for each write: the ids that it held. */
  readonly writes: string[][] = [];
  readonly gaps: string[] = [];
  caughtUpWith = 0;
  subscriptions: Subscription[] = [];
  readonly #hub: Hub;
  readonly #habits: { readonly slow?: boolean; readonly leavesAtFirstWrite?: boolean };

  /** `slow`: takes a turn of the event loop for each write. `leavesAtFirstWrite`: is closed by it, as a slow reader is. */
  constructor(hub: Hub, habits: { readonly slow?: boolean; readonly leavesAtFirstWrite?: boolean } = {}) {
    super();
    this.#hub = hub;
    this.#habits = habits;
  }

  get live(): boolean {
    return this.subscriptions.every(({ state }) => state === 'live');
  }

  follow(channels: readonly string[], start: Start = {}): this {
    const plan = this.#hub.plan(channels, start);
    this.subscriptions = this.#hub.subscribe(this, plan);
    this.#hub.start(plan, this.subscriptions);
    return this;
  }

  deliver({ messages }: Batch): number {
    for (const { message } of messages) this.told.push(message.data);
    const ids = messages.map(({ message }) => message.id);
    this.ids.push(...ids);
    this.writes.push(ids);
    if (this.#habits.leavesAtFirstWrite) this.close();
    return 0;
  }

  async drained(): Promise<void> {
    if (this.#habits.slow) await new Promise((resolve) => setImmediate(resolve));
  }

  gap(channel: string, after: string, reason: string): void {
    this.told.push(`gap ${channel} ${reason}`);
    this.gaps.push(`${channel} after ${after}: ${reason}`);
  }

  caughtUp(channels: readonly string[]): void {
    this.told.push('caught-up');
    this.caughtUpWith += channels.length;
  }

  close(): void {
    this.closed = true;
    for (const subscription of this.subscriptions) this.#hub.leave(subscription);
  }
}
