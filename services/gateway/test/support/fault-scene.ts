import { expect, onTestFailed, onTestFinished } from 'vitest';
import { DeliveryLedger } from './delivery-ledger.ts';
import { type Follower, Followers } from './followers.ts';
import { type Gateway, startGateway } from './gateway.ts';
import { Publishers } from './publishers.ts';
import { type TestRedis, withClient } from './redis.ts';
import { type LocalRedis, type LocalRedisOptions, type RedisSettings, startLocalRedis } from './redis-local.ts';
import { until } from './until.ts';

/** Three namespaces; with four partitions they are on three of them, the orders on partition 0. */
export const CHANNELS = ['orders:eu', 'orders:us', 'chat', 'news'] as const;

/** Publishers on each node, who have one message under way each. */
export const PUBLISHERS = 6;

/** They come back sooner than they are asked to, so that the log is written to as soon as it takes anything. */
const LOAD = { count: PUBLISHERS, perSecond: 12, retryMilliseconds: 100 };

/** Lines of each node's log that a failed test shows. */
const LAST_LINES = 40;

/** A Redis for one test, that flushes before it answers unless `options` say otherwise. It ends with the test. */
export async function redisForTest(
  options: LocalRedisOptions = {},
  settings: RedisSettings = {},
): Promise<LocalRedis & TestRedis> {
  const redis = withClient(await startLocalRedis({ fsync: 'always', ...options }, async () => settings));
  onTestFinished(() => redis.stop());
  return redis;
}

/** Environment variables. */
export type Environment = Readonly<Record<string, string>>;

/**
 * Two nodes over one log, with followers of both kinds on each, who stay; two strays, who can leave and come back; and
 * publishers on both nodes who retry with idempotency keys. The ledger has a page for every follower. All ends with the test.
 */
export class FaultScene {
  readonly ledger = new DeliveryLedger();
  readonly nodes: readonly [Gateway, Gateway];
  /** Those who stay on the first node, and on the second. */
  readonly staying: readonly [Followers, Followers];
  /** One of each kind, on the first node until they leave. */
  readonly strays: Followers;
  /** One more of each kind, on the second. */
  readonly moreStrays: Followers;
  readonly #env: Environment;
  readonly #followers: Followers[] = [];
  #publishers: readonly Publishers[] = [];

  private constructor(nodes: readonly [Gateway, Gateway], env: Environment) {
    this.nodes = nodes;
    this.#env = env;
    this.staying = [this.#follow(nodes[0], 'one: ', 5), this.#follow(nodes[1], 'two: ', 5)];
    this.strays = this.#follow(nodes[0], 'stray: ', 1);
    this.moreStrays = this.#follow(nodes[1], 'more strays: ', 1);
  }

  /** Starts both nodes over one Redis that stands alone. */
  static on({ url }: TestRedis): Promise<FaultScene> {
    return FaultScene.start({ REDIS_URL: url });
  }

  /** Starts all, and waits until everyone follows and messages come. `one` and `two`: what each node is to be told besides. */
  static async start(one: Environment, two: Environment = one): Promise<FaultScene> {
    const nodes = await Promise.all([startNode('one', one), startNode('two', two)]);
    const scene = new FaultScene(nodes, one);
    onTestFinished(async () => {
      for (const followers of scene.#followers) followers.close();
      await Promise.all(scene.#publishers.map((publishers) => publishers.abandon()));
    });
    await scene.live();
    scene.#publishers = nodes.map(
      (node, i) => new Publishers(node.url, CHANNELS, scene.ledger, { ...LOAD, name: `${i + 1}: ` }),
    );
    await scene.more(20);
    // Who has got nothing yet has no cursor to come back with.
    const hasCursor = ({ page }: Follower): boolean => CHANNELS.some((channel) => page.ids(channel).length > 0);
    await until(() => scene.#followers.every(({ all }) => all.every(hasCursor)), 'everyone to have got something');
    return scene;
  }

  #follow(node: Gateway, name: string, count: number): Followers {
    const followers = new Followers(node.url, CHANNELS, this.ledger, count, name);
    this.#followers.push(followers);
    return followers;
  }

  /** The names of those who do not leave. */
  get stayed(): string[] {
    return this.staying.flatMap(({ names }) => names);
  }

  /** Waits until all followers are connected. */
  async live(): Promise<void> {
    for (const followers of this.#followers) await followers.live();
  }

  /** One more node, like the first. */
  startThird(): Promise<Gateway> {
    return startNode('three', this.#env);
  }

  /** Waits until each channel has taken `count` messages more. */
  async more(count: number, channels: readonly string[] = CHANNELS): Promise<void> {
    const wanted = new Map(channels.map((channel) => [channel, this.ledger.acceptedOn(channel) + count]));
    await until(
      () => {
        for (const publishers of this.#publishers) publishers.check();
        return channels.every((channel) => this.ledger.acceptedOn(channel) >= (wanted.get(channel) ?? 0));
      },
      `${count} messages more on ${channels.join(', ')}`,
      60,
    );
  }

  /** Publishes as many messages at once to each channel, on the first node. */
  async publishMany(count: number): Promise<void> {
    for (const channel of CHANNELS) {
      const messages = Array.from({ length: count }, (_, n) => ({ channel, data: { publisher: 'many', n } }));
      const response = await fetch(`${this.nodes[0].url}/v1/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ messages }),
      });
      const { results } = (await response.json()) as { results: { id: string }[] };
      for (const [n, { id }] of results.entries()) this.ledger.accept('many', channel, id, messages[n]?.data);
    }
  }

  /** How many publishes were refused so far with that code. */
  refusals(code: string): number {
    return this.#publishers.reduce(
      (sum, { refusals }) => sum + refusals.filter((each) => each.code === code).length,
      0,
    );
  }

  /** Waits until both nodes say that they are ready. */
  async ready(): Promise<void> {
    const isReady = async ({ adminUrl }: Gateway) => (await fetch(`${adminUrl}/readyz`)).ok;
    await until(async () => (await Promise.all(this.nodes.map(isReady))).every(Boolean), 'both nodes to be ready', 60);
  }

  /**
   * The fault is over: from now on nothing may be lost. Has more published, waits until all has come, and judges. What was
   * lost before is excused only by a gap in its place.
   */
  async expectNothingLostInSilence(): Promise<void> {
    await this.ready();
    this.ledger.healed();
    await this.more(20);
    await this.live();
    await Promise.all(this.#publishers.map((publishers) => publishers.stop()));
    await this.ledger.settle(30);
    expect(this.ledger.faults(), this.ledger.gapsTold()).toEqual([]);
  }
}

async function startNode(name: string, env: Environment): Promise<Gateway> {
  const gateway = await startGateway({
    FANFARE_NODE_NAME: name,
    // Often, as every heartbeat moves cursors on.
    FANFARE_HEARTBEAT_INTERVAL: '1',
    FANFARE_HEARTBEAT_TIMEOUT: '0.8',
    ...env,
  });
  onTestFailed(() => {
    const lines = gateway.logs.slice(-LAST_LINES).map((line) => JSON.stringify(line));
    process.stderr.write(`the last lines of node ${name}:\n${lines.join('\n')}\n`);
  });
  onTestFinished(() => gateway.kill());
  return gateway;
}
