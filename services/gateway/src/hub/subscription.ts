import type { Connection } from './connection.ts';

/**
 * Channels of one partition that a connection follows with one cursor.
 *
 * `replaying` (reading what it missed) → `live` (in the channels' sets; every batch reaches it) → `ended`. A client that
 * comes from a node that was ahead of this one waits as `ahead` until this node's tail has passed its cursor.
 */
export class Subscription {
  readonly connection: Connection;
  readonly partition: number;
  /** Never empty; shrinks when a client unsubscribes from one of several. */
  channels: readonly string[];
  state: 'replaying' | 'ahead' | 'live' | 'ended' = 'replaying';
  /** While not live: the id up to which everything has been handed over. */
  position: string;

  constructor(connection: Connection, partition: number, channels: readonly string[], position: string) {
    this.connection = connection;
    this.partition = partition;
    this.channels = channels;
    this.position = position;
  }

  get ended(): boolean {
    return this.state === 'ended' || this.connection.closed;
  }
}
