import { readFileSync } from 'node:fs';
import { createServer as createPlainServer, type IncomingMessage, type RequestListener, request } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Certificate } from '../../../../../infra/cluster/certificate.ts';

/** A request that a browser made, and what it was answered. */
export interface Recorded {
  readonly method: string;
  readonly path: string;
  readonly cookie: string;
  readonly origin: string | undefined;
  /** Sec-Fetch-Site. */
  readonly site: string | undefined;
  /** Undefined before there is an answer. */
  status: number | undefined;
}

/** Where the proxy itself has an empty page, as the server of a page has that lets its name lead to a node then. */
export const OWN_PAGE = '/its-own';

/** Passes everything else on to a node as it is, and keeps what browsers send, which their pages cannot see. */
export class RecordingProxy {
  readonly requests: Recorded[] = [];
  readonly #server: ReturnType<typeof createPlainServer | typeof createTlsServer>;
  readonly #nodePort: number;

  private constructor(nodePort: number, certificate: Certificate | undefined) {
    this.#nodePort = nodePort;
    const handle: RequestListener = (incoming, response) => {
      if (incoming.url === OWN_PAGE) {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>page</title>');
        return;
      }
      const record = this.#record(incoming);
      const outgoing = this.#ask(incoming, (answer) => {
        record.status = answer.statusCode;
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(response);
      });
      outgoing.on('error', () => response.destroy());
      response.on('close', () => outgoing.destroy());
      incoming.pipe(outgoing);
    };
    this.#server =
      certificate === undefined
        ? createPlainServer(handle)
        : createTlsServer({ cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) }, handle);
    this.#server.on('upgrade', (incoming: IncomingMessage, client: Duplex) => this.#upgrade(incoming, client));
  }

  /** On 127.0.0.1, at a free port; over TLS with a certificate. */
  static async start(nodePort: number, certificate?: Certificate): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(nodePort, certificate);
    await new Promise<void>((listening) => proxy.#server.listen(0, '127.0.0.1', listening));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What came for a channel, and has been answered. */
  answered(channel: string): Recorded[] {
    const isOf = ({ path }: Recorded): boolean => path.split(/[/=&?]/).includes(channel);
    return this.requests.filter((record) => record.status !== undefined && isOf(record));
  }

  /** Breaks every connection. */
  cut(): void {
    this.#server.closeAllConnections();
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((closed) => this.#server.close(() => closed()));
  }

  #record({ method = '', url = '', headers }: IncomingMessage): Recorded {
    const record: Recorded = {
      method,
      path: url,
      cookie: headers.cookie ?? '',
      origin: headers.origin,
      site: headers['sec-fetch-site'] as string | undefined,
      status: undefined,
    };
    this.requests.push(record);
    return record;
  }

  #ask({ method, url, headers }: IncomingMessage, answered: (answer: IncomingMessage) => void) {
    return request({ host: '127.0.0.1', port: this.#nodePort, method, path: url, headers, agent: false }, answered);
  }

  #upgrade(incoming: IncomingMessage, client: Duplex): void {
    const record = this.#record(incoming);
    const begin = (answer: IncomingMessage): void => {
      record.status = answer.statusCode;
      const fields = answer.rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
      client.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${fields}\r\n`);
    };
    const outgoing = this.#ask(incoming, (answer) => {
      begin(answer);
      answer.pipe(client);
    });
    outgoing.on('upgrade', (answer, node, head) => {
      begin(answer);
      client.write(head);
      node.pipe(client).pipe(node);
      node.on('error', () => client.destroy());
      client.on('close', () => node.destroy());
    });
    outgoing.on('error', () => client.destroy());
    client.on('error', () => outgoing.destroy());
    outgoing.end();
  }
}
