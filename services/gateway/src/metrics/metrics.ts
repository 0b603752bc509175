/** How a client is connected; `http` is a long poll. */
export const TRANSPORTS = ['sse', 'websocket', 'http'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Where a replay was read from. */
export type ReplaySource = 'memory' | 'redis';

export type HeartbeatFailure = 'missed_pong' | 'write_stalled' | 'socket_error';

export type LogOperation = 'append' | 'tail' | 'history' | 'open' | 'connect' | 'shared';

/**
 * The events of the domain that are counted. The rooms call this; Prometheus (or nothing, in a unit test) stands behind
 * it. Calls must be cheap: those marked hot are called once per batch, never once per connection.
 */
export interface Metrics {
  connectionOpened(transport: Transport): void;
  connectionClosed(transport: Transport, reason: string): void;
  connectionRefused(reason: string): void;
  heartbeatsSent(transport: Transport, count: number): void;
  heartbeatFailed(transport: Transport, reason: HeartbeatFailure): void;
  /** Hot. `messages` written to connections of one transport, and their bytes. */
  delivered(transport: Transport, messages: number, bytes: number): void;
  /** Hot. Seconds between the append of a batch's oldest message and its write. */
  deliveryLag(seconds: number): void;
  /** result: `accepted`, `replayed` (idempotency), or an error code. */
  published(result: string): void;
  publishDuration(seconds: number): void;
  resumed(source: ReplaySource, outcome: 'complete' | 'gap'): void;
  gap(reason: string): void;
  slowConsumer(transport: Transport): void;
  /** Seconds between the append of the newest message that the tail brought and its arrival here. */
  tailLag(seconds: number): void;
  logError(operation: LogOperation): void;
}
