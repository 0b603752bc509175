import { describe, expect, test } from 'vitest';
import { FanfareError } from '../../../src/errors.ts';
import { CatchUp, type CatchUpAnswer } from '../../../src/hub/catch-up.ts';
import { TailedLog } from '../../support/tailed-log.ts';
import { TailedNode } from '../../support/tailed-node.ts';
import { until } from '../../support/until.ts';

/** Milliseconds: soon over, or never. */
const SOON = 20;
const NEVER = 2_000_000_000;

interface Scene {
  readonly log: TailedLog;
  readonly node: TailedNode;
  /** Asks for what came to channel `a`. */
  ask(question?: {
    after?: string;
    waitSeconds?: number;
    patienceMs?: number;
    signal?: AbortSignal;
  }): Promise<CatchUpAnswer>;
  /** Appends to channel `a`; returns the id. */
  append(): string;
}

/** A node whose tail moves only when it is told to. */
function start(recentBytes = 100_000): Scene {
  const log = new TailedLog(1, { historySize: 1000, historyTtlSeconds: 3600, namespaces: new Map() });
  const node = new TailedNode(log, recentBytes, 0);
  return {
    log,
    node,
    ask({ after, waitSeconds = 0, patienceMs = SOON, signal = new AbortController().signal } = {}) {
      return new CatchUp(node.hub, 1, patienceMs).read({ channel: 'a', after, limit: 10, waitSeconds }, signal);
    },
    append() {
      log.append({ channel: 'a', data: '1' });
      return log.end(0);
    },
  };
}

/** Answers what is asked of the history, now and until the question has been answered. */
async function withHistory<Answer>(node: TailedNode, question: Promise<Answer>): Promise<Answer> {
  let over = false;
  const end = (): void => {
    over = true;
  };
  question.then(end, end);
  await until(() => {
    for (const read of [...node.reads]) read.answer();
    return over;
  }, 'the answer');
  return question;
}

const refused = { code: 'log_unavailable' };

describe('a node whose tail stands still', () => {
  test.for([0, 0.001])(
    'refuses a cursor that it has not come to, and says to come back later: wait=%d',
    async (waitSeconds) => {
      const { node, ask, append } = start();
      const after = append();
      append();
      const asked = ask({ after, waitSeconds });
      await expect(withHistory(node, asked)).rejects.toBeInstanceOf(FanfareError);
      await expect(asked).rejects.toMatchObject(refused);
      expect(node.hub.subscriptionCount).toBe(0);
    },
  );

  test('has place for the next question when it has refused one', async () => {
    const { node, append } = start();
    const catchUp = new CatchUp(node.hub, 1, SOON);
    const question = { channel: 'a', after: append(), limit: 10, waitSeconds: 0 };
    const { signal } = new AbortController();
    for (let i = 0; i < 2; i++)
      await expect(withHistory(node, catchUp.read(question, signal))).rejects.toMatchObject(refused);
  });

  test('refuses who asks for all that there is while it has not come to its floor', async () => {
    const { log, node, ask } = start();
    log.rewind(0, 0);
    node.hub.floor(0, log.floor(0));
    await expect(ask()).rejects.toMatchObject(refused);
    await expect(ask({ after: log.floor(0) })).rejects.toMatchObject(refused);
  });

  test('still tells of a gap that it knows of, and hands back the cursor behind it', async () => {
    const { log, node, ask, append } = start();
    const after = append();
    node.advance(0, 1);
    log.rewind(0, 0);
    node.hub.floor(0, log.floor(0));
    expect(await ask({ after })).toEqual({ messages: [], cursor: log.floor(0), gap: true });
  });

  test('answers when it goes on in time', async () => {
    const { node, ask, append } = start();
    const after = append();
    const id = append();
    const asked = ask({ after, patienceMs: NEVER });
    await until(() => node.reads.length > 0, 'the log to be asked where it ends');
    node.reads[0]?.answer();
    node.advance(0, 10);
    expect(await asked).toEqual({ messages: [{ id, channel: 'a', data: '1' }], cursor: id, gap: false });
  });
});

describe('a history that does not answer in time', () => {
  test.for([0, 0.001])('is not taken for one without messages: wait=%d', async (waitSeconds) => {
    const { node, ask, append } = start(1);
    append();
    append();
    node.advance(0, 10);
    await expect(ask({ after: node.floor(0), waitSeconds })).rejects.toMatchObject(refused);
  });

  test('is waited for a while, also by who waits for a shorter time, or whose wait is ended', async () => {
    for (const waitSeconds of [0.001, 60]) {
      const { node, ask, append } = start(1);
      const ids = [append(), append()];
      node.advance(0, 10);
      const ending = new AbortController();
      const asked = ask({ after: node.floor(0), waitSeconds, patienceMs: NEVER, signal: ending.signal });
      ending.abort();
      const { messages, cursor } = await withHistory(node, asked);
      expect([messages.map(({ id }) => id), cursor]).toEqual([ids, ids[1]]);
    }
  });
});

test('a wait is not cut short by what a question may take that does not wait', async () => {
  const { node, ask, append } = start();
  const asked = ask({ after: node.hub.position(0), waitSeconds: 60, patienceMs: 1 });
  const later = ask({ waitSeconds: 0.03, patienceMs: 1 });
  expect((await later).messages).toEqual([]);
  const id = append();
  node.advance(0, 1);
  expect((await asked).cursor).toBe(id);
});
