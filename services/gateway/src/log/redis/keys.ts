/**
 * What all keys of a partition share, so that one script may touch them on a Redis Cluster, where partitions spread over
 * the nodes (Redis Cluster specification, "Hash tags").
 */
export function hashTag(partition: number): string {
  return `p${partition}`;
}

function key(partition: number, rest: string): string {
  return `fanfare:{${hashTag(partition)}}:${rest}`;
}

/** Stream: every message of the partition, and its markers. */
export function logKey(partition: number): string {
  return key(partition, 'log');
}

/** String: the newest marker's id, and since when nodes keep histories for how long (floor.lua). */
export function floorKey(partition: number): string {
  return key(partition, 'floor');
}

/** Stream: a channel's messages, under the ids that they have in the log. */
export function historyKey(partition: number, channel: string): string {
  return key(partition, `history:${channel}`);
}

/** Hash: a value that one holder may claim (scripts/put.lua). */
export function ticketKey(partition: number, ticket: string): string {
  return key(partition, `ticket:${ticket}`);
}

/** String: how much an account has used up of its rate (scripts/take.lua). */
export function rateKey(partition: number, account: string): string {
  return key(partition, `rate:${account}`);
}

/** String: the id that an idempotency key was given. A channel may hold `:`, so its length keeps the two parts apart. */
export function onceKey(partition: number, channel: string, idempotencyKey: string): string {
  return key(partition, `once:${channel.length}:${channel}:${idempotencyKey}`);
}
