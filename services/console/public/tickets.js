import { bearer } from './credentials.js';
import { problemText } from './problem.js';

/**
 * Gets a ticket for one stream: an EventSource cannot send a token.
 *
 * @param {string} token
 * @returns {Promise<{ ticket: string } | { status: number, reason: string }>} why there is none; status 0: no answer. Never rejects
 */
export async function getTicket(token) {
  try {
    const response = await fetch('/v1/tickets', { method: 'POST', headers: bearer(token) });
    if (!response.ok) return { status: response.status, reason: await problemText(response) };
    return { ticket: String((await response.json()).ticket) };
  } catch {
    return { status: 0, reason: 'the node cannot be reached' };
  }
}
