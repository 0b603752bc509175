const START_MS = 100;
/** Short, since a failover ends unannounced, and a node that does not find the new master is of no use until it does. */
const CAP_MS = 1_000;

/**
 * Milliseconds to wait before attempt number `attempt` (from 1) to connect: doubles from 100 ms to 1 s, and is drawn
 * from the upper half of that, so that the nodes of a cluster do not come back to Redis all at once.
 */
export function backoffMs(attempt: number): number {
  const full = Math.min(CAP_MS, START_MS * 2 ** Math.min(attempt - 1, 16));
  return full * (0.5 + Math.random() / 2);
}
