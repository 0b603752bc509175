import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { Gateway } from '../../support/gateway.ts';
import { startRedis, type TestRedis } from '../../support/redis.ts';
import type { WatchedNodes } from '../../support/secrets.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';
import { ask, bearer } from './ask.ts';
import { TicketStream } from './ticket-stream.ts';

const signer = secretSigner();

/** The channel that every token of a scene allows, unless it says something else. */
export const CHANNEL = 'orders:1';

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** As long as what a ticket's cookie has. */
export const randomSecret = (): string => randomBytes(16).toString('base64url');

/** A subject of a test's own: how many tickets one may make is limited. */
export const newSubject = (): string => `ann-${randomBytes(4).toString('hex')}`;

/** What makes somebody the holder, of the `name=value` of a ticket's cookie. */
export const secretIn = (cookie: string): string => cookie.slice(cookie.indexOf('=') + 1);

/** Two nodes over one Redis, and those who come to them with tickets. */
export class TicketScene {
  readonly redis: TestRedis;
  readonly a: Gateway;
  readonly b: Gateway;
  /** A publisher's, which may disconnect. */
  readonly key: string;
  readonly #nodes: WatchedNodes;
  readonly #env: Readonly<Record<string, string>>;
  readonly #streams: TicketStream[] = [];

  private constructor(
    nodes: WatchedNodes,
    redis: TestRedis,
    [a, b]: [Gateway, Gateway],
    { key, env }: { readonly key: string; readonly env: Readonly<Record<string, string>> },
  ) {
    this.#nodes = nodes;
    this.#env = env;
    this.redis = redis;
    this.a = a;
    this.b = b;
    this.key = key;
  }

  static async start(nodes: WatchedNodes): Promise<TicketScene> {
    const key = publishSecret();
    const redis = await startRedis();
    const env = {
      REDIS_URL: redis.url,
      FANFARE_AUTH: 'jwt',
      FANFARE_JWT_SECRET: signer.secret,
      FANFARE_COOKIE_NAME: 'session',
      FANFARE_PUBLISH_KEYS: JSON.stringify([
        { name: 'shop', sha256: key.sha256, channels: ['orders:*'], disconnect: true },
      ]),
    };
    const two = await Promise.all([nodes.startGateway(env), nodes.startGateway(env)]);
    return new TicketScene(nodes, redis, two, { key: nodes.use(key.secret), env });
  }

  /** Another node, with settings of its own. */
  startNode(env: Readonly<Record<string, string>>): Promise<Gateway> {
    return this.#nodes.startGateway({ ...this.#env, ...env });
  }

  /** A token of a subject of its own. */
  async token(claims: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const usual = { sub: newSubject(), subscribe: ['orders:*'], publish: ['orders:*'] };
    return this.#nodes.use(await signer.sign({ ...usual, ...claims }));
  }

  /** A ticket made with a token; by itself with one of a subject of its own. */
  async ticket(token?: string, { url } = this.a): Promise<string> {
    const headers = bearer(token ?? (await this.token()));
    const answer = await ask(url, '/v1/tickets', { method: 'POST', headers });
    expect(answer.status, answer.text).toBe(201);
    return this.#nodes.use((JSON.parse(answer.text) as { ticket: string }).ticket);
  }

  /** A stream of somebody who has this ticket, and this cookie (`name=value`) if any. */
  async stream({ url }: Gateway, ticket: string, cookie = '', channel = CHANNEL): Promise<TicketStream> {
    const stream = await TicketStream.open(url, `channel=${channel}&ticket=${ticket}`, cookie);
    this.#streams.push(stream);
    this.use(stream.cookie);
    return stream;
  }

  /** What somebody is answered who comes so. */
  async status(...how: Parameters<TicketScene['stream']>): Promise<number> {
    return (await this.stream(...how)).status;
  }

  /** Names a cookie that a browser was given: no log may have it. Returns it. */
  use(cookie: string | undefined): string {
    if (cookie !== undefined) this.#nodes.use(secretIn(cookie));
    return cookie ?? '';
  }

  /** Where a ticket is in Redis. */
  async keyOf(ticket: string): Promise<string> {
    const found = await this.redis.client.keys(`*:ticket:${sha256(ticket)}`);
    expect(found).toHaveLength(1);
    return found[0] as string;
  }

  closeStreams(): void {
    for (const stream of this.#streams.splice(0)) stream.close();
  }
}
