/**
 * What the close codes of a Fanfare WebSocket mean for this page.
 *
 * @typedef {object} Close
 * @property {string} reason
 * @property {boolean} comeBack
 * @property {readonly [number, number]} [pauseMilliseconds] at least and at most, before the first try
 */

/** @type {Readonly<Record<number, Close>>} */
const CLOSES = {
  1000: { reason: 'the node closed the connection', comeBack: false },
  1001: { reason: 'the node asked to come back', comeBack: true },
  1002: { reason: 'the node saw an error of protocol', comeBack: false },
  1003: { reason: 'the node does not take this kind of data', comeBack: false },
  1006: { reason: 'the connection was lost', comeBack: true },
  1007: { reason: 'the node was sent text that is not UTF-8', comeBack: false },
  1008: { reason: 'this page sent too much', comeBack: false },
  1009: { reason: 'what was sent is too large for the node', comeBack: false },
  1011: { reason: 'the node had an internal error', comeBack: true },
  1012: { reason: 'the node is draining', comeBack: true, pauseMilliseconds: [200, 2_000] },
  1013: {
    reason: 'the node takes nobody now: full, starting, or cut off from the log',
    comeBack: true,
    pauseMilliseconds: [2_000, 8_000],
  },
  4401: { reason: 'the node does not know who listens here', comeBack: false },
  4403: { reason: 'this is not allowed', comeBack: false },
  4408: { reason: 'this page was too slow to read', comeBack: true },
  4409: { reason: 'the node had no pong from this page', comeBack: true },
};

/**
 * Where a code has several reasons: what the node says with it.
 *
 * @type {ReadonlyMap<string, Close>}
 */
const REASONS = new Map([
  // With the token that is in the field by then.
  ['token_expired', { reason: 'the token has expired', comeBack: true }],
  ['disconnected', { reason: 'whoever has this token was disconnected: it counts no more', comeBack: false }],
]);

/**
 * @param {number} code
 * @param {string} [said] the close frame's reason
 * @returns {Close}
 */
export function closeOf(code, said = '') {
  return REASONS.get(said) ?? CLOSES[code] ?? { reason: `the connection was closed with ${code}`, comeBack: true };
}
