import type { FastifyRequest } from 'fastify';
import { FanfareError } from '../errors.ts';

/** Refuses query parameters that nobody reads: a typo must not pass silently. Throws FanfareError `invalid_request`. */
export function checkQuery(request: FastifyRequest, allowed: readonly string[]): Record<string, unknown> {
  const query = request.query as Record<string, unknown>;
  for (const name of Object.keys(query)) {
    if (allowed.includes(name)) continue;
    const known = allowed.length === 0 ? 'there are none here' : `known are ${allowed.join(', ')}`;
    throw new FanfareError('invalid_request', `unknown query parameter ${JSON.stringify(name.slice(0, 50))}; ${known}`);
  }
  return query;
}
