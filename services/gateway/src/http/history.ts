import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Principal } from '../auth/principal.ts';
import type { Session, Sessions } from '../auth/sessions/sessions.ts';
import { FanfareError } from '../errors.ts';
import { type Message, messageJson } from '../message.ts';
import { checkChannel } from '../request/publish-request.ts';
import type { Authentication } from './authentication.ts';
import { checkQuery } from './query.ts';

/** What the API needs to answer a client that catches up by plain HTTP. */
export interface CatchUp {
  read(
    question: { channel: string; after: string | undefined; limit: number; waitSeconds: number },
    signal: AbortSignal,
  ): Promise<{ messages: readonly Message[]; cursor: string; gap: boolean }>;
}

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
const MAX_WAIT_SECONDS = 60;
const QUERY = ['after', 'limit', 'wait'];

export interface HistoryOptions {
  readonly catchUp: CatchUp;
  readonly sessions: Sessions;
  /** Ends every wait. */
  readonly draining: AbortSignal;
}

/** `GET /v1/channels/{channel}/messages?after=&limit=&wait=`. */
export function historyRoute(
  app: FastifyInstance,
  { catchUp, sessions, draining }: HistoryOptions,
  authentication: Authentication,
): void {
  const { identify: onRequest } = authentication;
  const path = '/v1/channels/:channel/messages';
  app.get(path, { onRequest }, async (request: FastifyRequest<{ Params: { channel: string } }>, reply) => {
    const { channel } = request.params;
    checkChannel(channel, 'the path');
    const query = checkQuery(request, QUERY);
    const principal = authentication.principalOf(request);
    principal.checkSubscribe([channel]);
    const { after } = query;
    if (after !== undefined && typeof after !== 'string')
      throw new FanfareError('invalid_request', '"after" stands more than once');
    const limit = wholeNumber(query, 'limit', DEFAULT_LIMIT, 1, MAX_LIMIT);
    const waitSeconds = Math.min(wholeNumber(query, 'wait', 0, 0, MAX_WAIT_SECONDS), secondsLeft(principal));
    // While it was found out who he is. Nobody would tell it again.
    if (request.raw.socket.destroyed) throw new FanfareError('invalid_request', 'the client has left');
    if (waitSeconds > 0 && sessions.isFull(principal))
      throw new FanfareError('too_many_connections', 'this subject has all the connections that it may have');

    const gone = new AbortController();
    const leave = (): void => gone.abort();
    let disconnected = false;
    const session: Session = {
      principal,
      close() {
        disconnected = true;
        leave();
      },
    };
    if (waitSeconds > 0) sessions.add(session);
    request.raw.socket.once('close', leave);
    try {
      const question = { channel, after: after || undefined, limit, waitSeconds };
      const answer = await catchUp.read(question, AbortSignal.any([gone.signal, draining]));
      if (disconnected)
        throw new FanfareError('unauthenticated', 'this subject was disconnected; a newer token is needed');
      return reply
        .header('content-type', 'application/json; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(answerJson(answer));
    } finally {
      request.raw.socket.off('close', leave);
      sessions.remove(session);
    }
  });
}

/** For how long he has his rights. */
function secondsLeft({ expiresMs }: Principal): number {
  return expiresMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, (expiresMs - Date.now()) / 1000);
}

function answerJson({ messages, cursor, gap }: { messages: readonly Message[]; cursor: string; gap: boolean }): string {
  return `{"messages":[${messages.map(messageJson).join(',')}],"cursor":${JSON.stringify(cursor)},"gap":${gap}}`;
}

function wholeNumber(
  query: Record<string, unknown>,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const value = query[name];
  if (value === undefined) return fallback;
  const number = typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new FanfareError('invalid_request', `"${name}" is a whole number from ${least} to ${most}`);
}
