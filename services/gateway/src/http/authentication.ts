import type { FastifyRequest } from 'fastify';
import type { Access } from '../auth/access.ts';
import { refuseTokenInUrl } from '../auth/credentials.ts';
import type { Principal } from '../auth/principal.ts';

/** Knows whom each request of the API comes from. */
export class Authentication {
  readonly #access: Access;
  readonly #principals = new WeakMap<FastifyRequest, Principal>();

  constructor(access: Access) {
    this.#access = access;
  }

  /** For the `onRequest` of a route: before anything of the body is read. Rejects like Access. */
  readonly identify = async (request: FastifyRequest): Promise<void> => {
    refuseTokenInUrl(new URLSearchParams(request.query as Record<string, string>));
    this.#principals.set(request, await this.#access.identify(request.raw));
  };

  /** Whom a request comes from, in the handler of a route that has `identify`. */
  principalOf(request: FastifyRequest): Principal {
    return this.#principals.get(request) ?? this.#access.stranger;
  }
}
