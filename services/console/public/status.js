/**
 * @typedef {'sse' | 'websocket'} Transport
 *
 * @typedef {'off' | 'connecting' | 'live' | 'reconnecting' | 'closed'} State
 * `closed` is for good: only the user opens it again.
 *
 * @typedef {object} Status how a connection is
 * @property {State} state
 * @property {string} [reason] why, as the rest of a sentence
 * @property {number} [retryAt] when the next try is made (milliseconds as of Date.now); unset where the browser chooses
 * @property {number} [since] when the connection was lost (milliseconds as of Date.now)
 *
 * @typedef {object} Arrival a message as it came
 * @property {string} id
 * @property {string} channel
 * @property {string} [event]
 * @property {string} data exact JSON text
 *
 * @typedef {object} Gap
 * @property {string} channel
 * @property {string} after
 * @property {string} reason
 *
 * @typedef {object} Observer what a connection tells
 * @property {(status: Status) => void} status
 * @property {(message: Arrival) => void} message
 * @property {(id: string) => void} cursor the place to resume from has moved
 * @property {(gap: Gap) => void} gap
 * @property {(cursor: string, channel?: string) => void} caughtUp
 * @property {(reason: string) => void} bye
 * @property {(text: string) => void} trouble something was refused or could not be read, and the connection goes on
 * @property {(name: string) => void} node
 * @property {(milliseconds: number) => void} roundTrip
 * @property {(identity: Identity) => void} authenticated the node has taken a token
 *
 * @typedef {object} Identity
 * @property {string} [subject] whose token it is
 * @property {number} [endsAt] when its rights end (milliseconds as of Date.now)
 *
 * @typedef {object} Start where a stream begins that is opened by the user
 * @property {'live' | 'last' | 'after'} mode
 * @property {number} last retained messages of each channel, for `last`
 * @property {string} after a cursor, for `after`
 *
 * @typedef {object} Connection
 * @property {(channels: readonly string[], start: Start) => void} open
 * @property {(channels: readonly string[]) => void} follow changes the channels and keeps the place
 * @property {() => void} retryNow tries at once, from the place that was reached
 * @property {() => void} renew listens with the token that is given now, from the place that was reached
 * @property {() => void} close
 */

/**
 * The sentence under a transport's name.
 *
 * @param {Status} status
 * @param {number} now milliseconds as of Date.now
 */
export function sentence({ state, reason, retryAt, since }, now) {
  if (state === 'off') return 'Not connected.';
  if (state === 'connecting') return reason ? `${capital(reason)}.` : 'Opening the connection.';
  if (state === 'live') return reason ? `${capital(reason)}.` : 'What is published arrives here.';
  const why = capital(reason ?? 'the connection was lost').replace(/\.$/, '');
  if (state === 'closed') return `${why}.`;
  if (retryAt !== undefined) return `${why}. Next try in ${seconds(retryAt - now)}.`;
  const when = since === undefined ? '' : ` (${seconds(now - since)} ago)`;
  return `${why}${when}. The browser comes back by itself.`;
}

/** @param {number} milliseconds */
function seconds(milliseconds) {
  return `${(Math.max(0, milliseconds) / 1000).toFixed(milliseconds < 10_000 ? 1 : 0)} s`;
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
