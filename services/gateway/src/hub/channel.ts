import { compareIds } from '../message.ts';
import { Batch } from './batch.ts';
import type { News } from './connection.ts';
import type { Subscription } from './subscription.ts';

/** A channel that somebody follows live on this node, and what the batch being delivered brought it. */
export class Channel implements News {
  readonly subscriptions = new Set<Subscription>();
  /** Set only while a batch is being delivered. */
  batch: Batch | null = null;
}

/** What the one batch that is being delivered brought to one connection through several channels. */
export class MergedBatches {
  #channels: readonly News[] = [];
  #batch = new Batch();

  /** The channels' batches in the log's order. Neighbours that follow the same channels share the work. */
  of(channels: readonly News[]): Batch {
    const same =
      channels.length === this.#channels.length && channels.every((channel, i) => channel === this.#channels[i]);
    if (!same) {
      this.#channels = channels;
      const messages = channels.flatMap((channel) => channel.batch?.messages ?? []);
      this.#batch = new Batch(messages.sort((a, b) => compareIds(a.message.id, b.message.id)));
    }
    return this.#batch;
  }
}
