import { beforeEach, describe, expect, test } from 'vitest';
import { ChannelPatterns } from '../../../src/auth/channel-pattern.ts';
import { GuardedPublisher, type Published, type Publisher } from '../../../src/auth/guarded-publisher.ts';
import { Principal } from '../../../src/auth/principal.ts';
import { PublishRate } from '../../../src/auth/publish-rate.ts';
import { type ErrorCode, FanfareError } from '../../../src/errors.ts';
import type { NewMessage } from '../../../src/message.ts';
import { WatchedState } from '../../support/watched-state.ts';

/** A log that keeps what it is given, in order. */
class KeepingPublisher implements Publisher {
  readonly kept: string[] = [];
  /** Data of messages that it does not take. */
  broken: string | undefined;

  async publish(message: NewMessage): Promise<Published> {
    const outcome = this.#keep(message);
    if (outcome instanceof Error) throw outcome;
    return outcome;
  }

  async publishMany(messages: readonly NewMessage[]): Promise<readonly (Published | Error)[]> {
    return messages.map((message) => this.#keep(message));
  }

  #keep({ data }: NewMessage): Published | Error {
    if (data === this.broken) return new FanfareError('log_unavailable', 'away');
    this.kept.push(data);
    return { id: `${this.kept.length}-0`, replayed: false };
  }
}

let store: WatchedState;
let log: KeepingPublisher;
let refused: ErrorCode[];
beforeEach(() => {
  store = new WatchedState();
  log = new KeepingPublisher();
  refused = [];
});

function start(perSecond: number): GuardedPublisher {
  const rate = new PublishRate({ store, perSecond, clock: () => store.nowMs });
  return new GuardedPublisher(log, rate, (code) => refused.push(code));
}

const principalOf = (options: { account?: string; stranger?: boolean }): Principal =>
  new Principal({ subscribe: new ChannelPatterns([]), publish: new ChannelPatterns(['orders:*']), ...options });
const ann = principalOf({ account: 'sub:ann' });
const stranger = principalOf({ stranger: true });

const message = (data: number, channel = 'orders:1'): NewMessage => ({ channel, data: String(data) });
const messages = (count: number): NewMessage[] => Array.from({ length: count }, (_, i) => message(i));

/** An outcome in a word: `id`, or the error's code. */
const wordOf = (outcome: Published | Error | undefined): string => {
  if (outcome instanceof FanfareError) return outcome.code;
  return outcome instanceof Error || outcome === undefined ? String(outcome) : outcome.id;
};

async function refusalOf(refusedPublish: Promise<unknown>): Promise<FanfareError> {
  const error = await refusedPublish.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FanfareError)) throw new Error(`it was not refused with a FanfareError: ${error}`);
  return error;
}

describe('one message', () => {
  test('goes on when its channel is among those that he may publish to', async () => {
    expect(await start(1).publish(ann, message(7))).toEqual({ id: '1-0', replayed: false });
    expect(log.kept).toEqual(['7']);
    expect(refused).toEqual([]);
  });

  test.each([
    ['forbidden', ann],
    ['unauthenticated', stranger],
  ] as const)('is refused as %s when it is not, costs no permit, and is counted', async (code, principal) => {
    const error = await refusalOf(start(1).publish(principal, message(7, 'secret')));
    expect(error.code).toBe(code);
    expect(log.kept).toEqual([]);
    expect(store.asked).toEqual([]);
    expect(refused).toEqual([code]);
  });

  test('too many are refused with the time to wait, and counted', async () => {
    const publisher = start(0.1);
    await publisher.publish(ann, message(0));
    const error = await refusalOf(publisher.publish(ann, message(1)));
    expect(error.code).toBe('rate_limited');
    expect(error.retryAfterSeconds).toBe(10);
    expect(log.kept).toEqual(['0']);
    expect(refused).toEqual(['rate_limited']);
  });

  test('keeps its place among those of the same principal, though the first must wait for a permit', async () => {
    const publisher = start(100);
    await Promise.all(messages(200).map((each) => publisher.publish(ann, each)));
    expect(log.kept).toEqual(messages(200).map(({ data }) => data));
  });

  test('reaches the log in the same turn when there is a permit', async () => {
    const publisher = start(100);
    await publisher.publish(ann, message(0));
    const published = publisher.publish(ann, message(1));
    expect(log.kept).toEqual(['0', '1']);
    await published;
  });

  test('costs a permit also when it is a retry with an idempotency key', async () => {
    const publisher = start(1);
    for (let i = 0; i < 10; i++) await publisher.publish(ann, { ...message(i), idempotencyKey: 'same' });
    expect((await refusalOf(publisher.publish(ann, { ...message(10), idempotencyKey: 'same' }))).code).toBe(
      'rate_limited',
    );
  });

  test('that the log does not take fails as the log says, and is not counted here', async () => {
    log.broken = '1';
    expect((await refusalOf(start(1).publish(ann, message(1)))).code).toBe('log_unavailable');
    expect(refused).toEqual([]);
  });

  test('is published while the limit cannot be asked for', async () => {
    store.failure = new FanfareError('log_unavailable', 'away');
    await start(1).publish(ann, message(0));
    expect(log.kept).toEqual(['0']);
  });
});

describe('a batch', () => {
  test('is published in its order', async () => {
    const outcomes = await start(10).publishMany(ann, messages(50));
    expect(log.kept).toEqual(messages(50).map(({ data }) => data));
    expect(outcomes.map(wordOf)).toEqual(messages(50).map((_, i) => `${i + 1}-0`));
    expect(store.asked.map(({ count }) => count)).toEqual([50]);
  });

  test('goes on after what is forbidden, which costs no permit', async () => {
    const batch = [message(0), message(1, 'secret'), message(2), message(3, 'order'), message(4)];
    const outcomes = await start(1).publishMany(ann, batch);
    expect(outcomes.map(wordOf)).toEqual(['1-0', 'forbidden', '2-0', 'forbidden', '3-0']);
    expect(log.kept).toEqual(['0', '2', '4']);
    expect(store.asked.map(({ count }) => count)).toEqual([3]);
    expect(refused).toEqual(['forbidden', 'forbidden']);
  });

  test('is published as far as the permits go, each outcome in its place', async () => {
    const batch = [message(100, 'secret'), ...messages(12), message(101, 'secret'), message(12)];
    const outcomes = await start(1).publishMany(ann, batch);
    const ids = messages(10).map((_, i) => `${i + 1}-0`);
    expect(outcomes.map(wordOf)).toEqual([
      'forbidden',
      ...ids,
      'rate_limited',
      'rate_limited',
      'forbidden',
      'rate_limited',
    ]);
    expect(log.kept).toEqual(messages(10).map(({ data }) => data));
    expect((outcomes[11] as FanfareError).retryAfterSeconds).toBe(1);
    expect(refused.toSorted()).toEqual(['forbidden', 'forbidden', 'rate_limited', 'rate_limited', 'rate_limited']);
  });

  test('of which nothing may be published never reaches the log, and does not reject', async () => {
    const publisher = start(1);
    const all = async (principal: Principal, batch: readonly NewMessage[]) =>
      (await publisher.publishMany(principal, batch)).map(wordOf);
    expect(await all(ann, [message(0, 'secret'), message(1, 'secret')])).toEqual(['forbidden', 'forbidden']);
    expect(await all(stranger, [message(0, 'secret')])).toEqual(['unauthenticated']);
    expect(await all(ann, [])).toEqual([]);
    await publisher.publishMany(ann, messages(10));
    expect(await all(ann, messages(2))).toEqual(['rate_limited', 'rate_limited']);
    expect(log.kept).toHaveLength(10);
  });

  test('has what the log says of each', async () => {
    log.broken = '1';
    const outcomes = await start(1).publishMany(ann, [message(9, 'secret'), ...messages(3)]);
    expect(outcomes.map(wordOf)).toEqual(['forbidden', '1-0', 'log_unavailable', '2-0']);
    expect(refused).toEqual(['forbidden']);
  });
});
