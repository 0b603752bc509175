import type { CloseReason } from '../errors.ts';
import type { GapReason } from '../message.ts';
import type { Transport } from '../metrics/metrics.ts';
import type { Batch } from './batch.ts';

/** What the batch being delivered brought to one channel. */
export interface News {
  readonly batch: Batch | null;
}

/**
 * What the hub needs of whoever follows channels. The transports extend it.
 *
 * It is an abstract class, and not an interface, for the two fields that the hub keeps on it while it hands out one
 * batch: looking them up in a map, per connection and batch, costs more than the delivery.
 */
export abstract class Connection {
  /** The hub's own: the first channel with news for this connection in the batch being delivered. */
  touched: News | null = null;
  /** The hub's own: every such channel, when there is more than one. */
  alsoTouched: News[] | null = null;

  abstract readonly transport: Transport;
  abstract readonly closed: boolean;

  /**
   * Hands over a batch, of which the connection writes the bytes that all of its kind share. Hot. Returns how many bytes
   * they are. Closes itself when too much waits for a slow reader.
   */
  abstract deliver(batch: Batch): number;
  /** Resolves when little waits for the reader, or when the connection has closed. */
  abstract drained(): Promise<void>;
  /** Tells that messages of `channel` after `after` cannot be replayed. */
  abstract gap(channel: string, after: string, reason: GapReason): void;
  /** Tells that a replay of these channels is over: what follows is live. */
  abstract caughtUp(channels: readonly string[]): void;
  /** Ends the connection, telling the client why as far as the transport can. */
  abstract close(reason: CloseReason): void;
}
