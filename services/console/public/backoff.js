const FIRST_MILLISECONDS = 500;
const MAX_MILLISECONDS = 15_000;

/**
 * Milliseconds to wait before try number `attempt` (from 0): doubling, and spread at random so that the clients of a
 * node that died do not all come back at once.
 *
 * @param {number} attempt
 */
export function backoff(attempt) {
  return between(0.5, 1) * Math.min(MAX_MILLISECONDS, FIRST_MILLISECONDS * 2 ** attempt);
}

/**
 * @param {number} least
 * @param {number} most
 */
export function between(least, most) {
  return least + Math.random() * (most - least);
}
