import type { FastifyInstance, FastifyRequest } from 'fastify';
import { FanfareError } from '../errors.ts';
import { type Message, messageJson } from '../message.ts';
import { checkChannel } from '../request/publish-request.ts';
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

/** `GET /v1/channels/{channel}/messages?after=&limit=&wait=`. `draining` ends every wait. */
export function historyRoute(app: FastifyInstance, catchUp: CatchUp, draining: AbortSignal): void {
  app.get('/v1/channels/:channel/messages', async (request: FastifyRequest<{ Params: { channel: string } }>, reply) => {
    const { channel } = request.params;
    checkChannel(channel, 'the path');
    const query = checkQuery(request, QUERY);
    const { after } = query;
    if (after !== undefined && typeof after !== 'string')
      throw new FanfareError('invalid_request', '"after" stands more than once');
    const limit = wholeNumber(query, 'limit', DEFAULT_LIMIT, 1, MAX_LIMIT);
    const waitSeconds = wholeNumber(query, 'wait', 0, 0, MAX_WAIT_SECONDS);

    const gone = new AbortController();
    const leave = (): void => gone.abort();
    request.raw.socket.once('close', leave);
    try {
      const question = { channel, after: after || undefined, limit, waitSeconds };
      const answer = await catchUp.read(question, AbortSignal.any([gone.signal, draining]));
      return reply
        .header('content-type', 'application/json; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(answerJson(answer));
    } finally {
      request.raw.socket.off('close', leave);
    }
  });
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
