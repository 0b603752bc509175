import { bearer } from './credentials.js';
import { problemText } from './problem.js';

/**
 * @typedef {object} Draft a message to publish
 * @property {string} channel
 * @property {string} [event]
 * @property {string} data valid JSON, sent as it was typed
 * @property {string} [idempotencyKey]
 * @property {number} [ttl] seconds for which it may be replayed
 * @property {number} times how many of it, ≥ 1
 *
 * @typedef {object} Outcome
 * @property {boolean} ok
 * @property {string} code the HTTP status, or `published` and `error` over WebSocket
 * @property {string} text
 * @property {boolean} [unauthenticated] whether a token or a key, or another one, could help
 */

/** Messages in one request: the node's limit for `POST /v1/messages`. */
const MAX_BATCH = 1_000;

const WHOSE_RIGHTS = 'Over the WebSocket the token to listen counts, not the one to publish.';

/**
 * Publishes by HTTP: one with `POST /v1/channels/{channel}/messages`, several with `POST /v1/messages`.
 *
 * @param {Draft} draft
 * @param {string} secret the key or token to publish with; empty for none
 * @returns {Promise<Outcome>} never rejects
 */
export async function publishByHttp(draft, secret) {
  try {
    return await (draft.times === 1 ? publishOne(draft, secret) : publishMany(draft, secret));
  } catch {
    return {
      ok: false,
      code: '–',
      text: 'No answer: the node cannot be reached, and the message may not be published.',
    };
  }
}

/**
 * Publishes over an open WebSocket.
 *
 * @param {import('./websocket-connection.js').WebSocketConnection} connection
 * @param {Draft} draft
 * @returns {Promise<Outcome>} never rejects
 */
export async function publishByWebSocket(connection, { data, times, ...head }) {
  try {
    const replies = await Promise.all(Array.from({ length: times }, () => connection.publish(head, data)));
    const many = times === 1 ? '' : `${times} messages, the last with `;
    return { ok: true, code: 'published', text: `${many}id ${replies.at(-1)?.id}` };
  } catch (error) {
    if (!(error instanceof Error)) return { ok: false, code: 'error', text: String(error) };
    const unauthenticated = error.cause === 'unauthenticated';
    const text = error.cause === 'forbidden' ? `${error.message}. ${WHOSE_RIGHTS}` : error.message;
    return { ok: false, code: 'error', text, unauthenticated };
  }
}

/**
 * @param {Draft} draft
 * @param {string} secret
 * @returns {Promise<Outcome>}
 */
async function publishOne({ channel, event, ttl, data, idempotencyKey }, secret) {
  const response = await fetch(`/v1/channels/${encodeURIComponent(channel)}/messages`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...bearer(secret),
      ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
    },
    body: messageText({ event, ttl }, data),
  });
  const code = String(response.status);
  if (!response.ok)
    return { ok: false, code, text: await problemText(response), unauthenticated: response.status === 401 };
  const { id } = await response.json();
  const replayed = response.headers.get('idempotent-replayed') === 'true';
  return { ok: true, code, text: replayed ? `id ${id}, from the first time with this key` : `id ${id}` };
}

/**
 * @param {Draft} draft
 * @param {string} secret
 * @returns {Promise<Outcome>}
 */
async function publishMany({ data, times, ...head }, secret) {
  const message = messageText(head, data);
  const response = await fetch('/v1/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(secret) },
    body: `{"messages":[${new Array(Math.min(times, MAX_BATCH)).fill(message).join(',')}]}`,
  });
  const code = String(response.status);
  if (!response.ok)
    return { ok: false, code, text: await problemText(response), unauthenticated: response.status === 401 };
  /** @type {{ results: { id?: string, error?: { detail?: string, code?: string } }[] }} */
  const { results } = await response.json();
  const refused = results.filter(({ error }) => error !== undefined);
  const [first] = refused;
  if (first !== undefined)
    return {
      ok: false,
      code,
      text: `${refused.length} of ${times} refused: ${first.error?.detail ?? first.error?.code}`,
      unauthenticated: first.error?.code === 'unauthenticated',
    };
  return { ok: true, code, text: `${results.length} messages, the last with id ${results.at(-1)?.id}` };
}

/**
 * A message's JSON, with the data as it was typed.
 *
 * @param {object} head its other members; those that are undefined are left out
 * @param {string} data
 */
function messageText(head, data) {
  const members = JSON.stringify(head).slice(1, -1);
  return `{${members}${members === '' ? '' : ','}"data":${data}}`;
}
