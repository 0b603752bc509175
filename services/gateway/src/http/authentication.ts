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
    // As it was written: in `request.query` values of one name would be joined, and the second not be looked at.
    refuseTokenInUrl(new URLSearchParams(/\?(.*)/s.exec(request.url)?.[1]));
    this.#principals.set(request, await this.#access.identify(request.raw));
  };

  /**
   * Whom a request comes from, in a route that has `identify`. Throws like `Access.confirm` when the rights have ended meanwhile: a body
   * may take long to come.
   */
  principalOf(request: FastifyRequest): Principal {
    const principal = this.#principals.get(request) ?? this.#access.stranger;
    this.#access.confirm(principal);
    return principal;
  }
}
