import { readFileSync } from 'node:fs';
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from '../../../../../infra/cluster/certificate.ts';
import { readTicketCookie, ticketCookies } from '../../../src/auth/tickets/ticket-cookie.ts';

/** One request for a stream, as it came. */
export interface StreamRequest {
  readonly ticket: string;
  readonly cookie: string | undefined;
  /** The secret that was found in it. */
  readonly presented: string | undefined;
  readonly site: string | undefined;
}

/**
 * Gives its streams the cookies of tickets, as a node does, and ends each stream at once, so that an EventSource comes back. `/page` is an
 * empty page, or has a frame with the page at `?frame=`; `/v1/cookies` answers with the Cookie field that came.
 */
export class CookieServer {
  readonly requests: StreamRequest[] = [];
  readonly #server: ReturnType<typeof createPlainServer | typeof createTlsServer>;

  private constructor(certificate: Certificate | undefined) {
    const handle = (request: IncomingMessage, response: ServerResponse): void => this.#handle(request, response);
    this.#server =
      certificate === undefined
        ? createPlainServer(handle)
        : createTlsServer({ cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) }, handle);
  }

  /** On 127.0.0.1, at a free port; over TLS with a certificate. */
  static async start(certificate?: Certificate): Promise<CookieServer> {
    const server = new CookieServer(certificate);
    await new Promise<void>((listening) => server.#server.listen(0, '127.0.0.1', listening));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What came for one ticket. */
  of(ticket: string): StreamRequest[] {
    return this.requests.filter((request) => request.ticket === ticket);
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((closed) => this.#server.close(() => closed()));
  }

  #handle({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, 'http://node');
    const open = { 'access-control-allow-origin': headers.origin ?? '*', 'access-control-allow-credentials': 'true' };
    if (pathname === '/page') {
      const frame = searchParams.get('frame');
      const body = frame === null ? '' : `<iframe src="${frame}"></iframe>`;
      response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html><title>page</title>${body}`);
      return;
    }
    if (pathname === '/v1/cookies') {
      response.writeHead(200, { 'content-type': 'text/plain', ...open }).end(headers.cookie ?? '');
      return;
    }
    const ticket = searchParams.get('ticket');
    if (ticket === null) {
      // Browsers look for an icon.
      response.writeHead(404).end();
      return;
    }
    const presented = readTicketCookie(headers.cookie, ticket);
    const site = headers['sec-fetch-site'] as string | undefined;
    this.requests.push({ ticket, cookie: headers.cookie, presented, site });
    const cookies =
      presented === undefined
        ? ticketCookies({ ticket, secret: secretOf(ticket), expiresMs: Date.now() + 600_000, headers })
        : [];
    response
      .writeHead(200, { 'content-type': 'text/event-stream', 'set-cookie': cookies, ...open })
      .end('retry: 10\n\ndata: 1\n\n');
  }
}

/** The secret that a ticket's first request is given. */
export function secretOf(ticket: string): string {
  return ticket.slice('fft_'.length);
}
