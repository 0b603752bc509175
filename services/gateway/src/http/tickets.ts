import type { FastifyInstance } from 'fastify';
import type { Access } from '../auth/access.ts';
import { FanfareError } from '../errors.ts';
import { objectMembers } from '../request/members.ts';
import type { Authentication } from './authentication.ts';
import { checkQuery } from './query.ts';

/** `POST /v1/tickets`: a ticket with the rights of the token that the request brings. It has no body, or `{}`. */
export function ticketRoute(app: FastifyInstance, access: Access, authentication: Authentication): void {
  app.post('/v1/tickets', { onRequest: authentication.identify, bodyLimit: 1024 }, async (request, reply) => {
    checkQuery(request, []);
    if (typeof request.body === 'string' && objectMembers(request.body, 'the body').size > 0)
      throw new FanfareError('invalid_request', 'a ticket has the rights of its token: the body has no members');
    const ticket = await access.issue(authentication.principalOf(request));
    return reply
      .code(201)
      .header('content-type', 'application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(JSON.stringify(ticket));
  });
}
