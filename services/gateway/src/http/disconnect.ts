import type { FastifyInstance } from 'fastify';
import { FanfareError } from '../errors.ts';
import { objectMembers, stringMember } from '../request/members.ts';
import type { Authentication } from './authentication.ts';
import { checkQuery } from './query.ts';

/** What the API needs to end somebody's connections. */
export interface Disconnects {
  /**
   * Resolves when the log has it: every node will hear of it. Rejects with FanfareError `invalid_request` for what can be no subject, and like a
   * publish.
   */
  disconnect(subject: string): Promise<void>;
}

/** `POST /v1/disconnect` with `{"subject"}`. */
export function disconnectRoute(app: FastifyInstance, disconnects: Disconnects, authentication: Authentication): void {
  app.post('/v1/disconnect', { onRequest: authentication.identify, bodyLimit: 16 * 1024 }, async (request, reply) => {
    checkQuery(request, []);
    authentication.principalOf(request).checkDisconnect();
    const subject = readSubject(request.body);
    await disconnects.disconnect(subject);
    return reply.code(202).header('content-type', 'application/json; charset=utf-8').send(JSON.stringify({ subject }));
  });
}

/** Throws FanfareError. */
function readSubject(body: unknown): string {
  if (typeof body !== 'string') throw new FanfareError('invalid_json', 'the body is empty');
  const members = objectMembers(body, 'the body');
  for (const name of members.keys())
    if (name !== 'subject')
      throw new FanfareError('invalid_request', `the body has the unknown member ${JSON.stringify(name.slice(0, 50))}`);
  const subject = stringMember(members, 'subject', 'the body');
  if (subject === undefined) throw new FanfareError('invalid_request', 'the body: "subject" is missing');
  return subject;
}
