import fc from 'fast-check';
import type { Log } from '../../src/log/log.ts';
import { idBefore, idTime, type NewMessage, partitionOf } from '../../src/message.ts';
import type { Kept, Retention } from '../../src/retention.ts';
import type { LogOracle } from './log-oracle.ts';

/** Where a generated question begins. `pick` chooses among the ids that were handed out. */
type Cursor =
  | { readonly from: 'id' | 'before' | 'behind' | 'padded'; readonly pick: number }
  | { readonly from: 'floor' | 'zero' | 'now' | 'future' | 'huge' | 'last' };

/** One thing that happens to a log. */
export type LogStep =
  | { readonly do: 'append'; readonly messages: readonly NewMessage[]; readonly afterMs: number }
  | { readonly do: 'wait'; readonly ms: number }
  /** Until a message expires, or a millisecond to either side of it. */
  | { readonly do: 'waitForExpiry'; readonly pick: number; readonly own: boolean; readonly deltaMs: number }
  | { readonly do: 'read'; readonly channel: string; readonly after: Cursor; readonly limit: number }
  | { readonly do: 'readAll'; readonly channel: string; readonly after: Cursor; readonly limit: number }
  | { readonly do: 'last'; readonly channel: string; readonly limit: number }
  | { readonly do: 'trimHistory'; readonly channel: string; readonly keep: number }
  | { readonly do: 'trimLog'; readonly channel: string; readonly keep: number }
  | { readonly do: 'deleteHistory'; readonly channel: string }
  | { readonly do: 'deleteLog'; readonly channel: string };

/** What can be done to a log besides using it. */
export interface Hands {
  /** Moves the log's clock; never back. */
  setTime(ms: number): void | Promise<void>;
  /** Undefined where nobody else can reach what the log stores. */
  readonly others?: {
    trimHistory(channel: string, keep: number): Promise<void>;
    trimLog(channel: string, keep: number): Promise<void>;
    deleteHistory(channel: string): Promise<void>;
    deleteLog(channel: string): Promise<void>;
  };
}

/** `keepsNone` has no history, `short` little of it; the others share a rule, and two of them a namespace. */
export const CHANNELS = ['a', 'a:1', 'b', 'keepsNone:1', 'short'];

/** What is kept, generated: little, so that all of it is reached. */
export function retentions(): fc.Arbitrary<Retention> {
  return fc
    .record({
      historySize: fc.integer({ min: 1, max: 6 }),
      historyTtlSeconds: fc.constantFrom(1, 5, 30, 1_000),
      short: fc.record({ historySize: fc.integer({ min: 1, max: 3 }), historyTtlSeconds: fc.constantFrom(1, 10, 700) }),
      ruled: fc.boolean(),
    })
    .map(({ historySize, historyTtlSeconds, short, ruled }) => ({
      historySize,
      historyTtlSeconds,
      namespaces: new Map<string, Kept>(
        ruled
          ? [
              ['keepsNone', { historySize: 0, historyTtlSeconds }],
              ['short', short],
            ]
          : [],
      ),
    }));
}

/** A log's life, generated. `others`: with what somebody else may do to what it stores. */
export function logSteps(length: number, others: boolean): fc.Arbitrary<LogStep[]> {
  const channel = fc.constantFrom(...CHANNELS);
  const pick = fc.nat(30);
  const limit = fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constant(1_000));
  const cursor: fc.Arbitrary<Cursor> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ from: fc.constantFrom('id', 'before', 'behind', 'padded'), pick }) },
    { weight: 3, arbitrary: fc.record({ from: fc.constantFrom('floor', 'zero', 'now', 'future', 'huge', 'last') }) },
  );
  const message: fc.Arbitrary<NewMessage> = fc
    .record({
      channel,
      data: fc.integer({ min: 0, max: 9 }).map((n) => `"${'x'.repeat(n * n)}"`),
      event: fc.option(fc.constant('e'), { nil: undefined, freq: 4 }),
      ttlSeconds: fc.option(fc.constantFrom(1, 4, 60), { nil: undefined, freq: 3 }),
      idempotencyKey: fc.option(fc.constantFrom('k', 'l'), { nil: undefined, freq: 4 }),
    })
    .map(({ channel: to, data, ...more }) => ({ channel: to, data, ...defined(more) }));
  const waits = fc.constantFrom(1, 5, 500, 1_000, 4_999, 30_000, 600_000, 3_599_000);
  const readings = { channel, after: cursor, limit };
  const steps: fc.WeightedArbitrary<LogStep>[] = [
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('append'),
        messages: fc.array(message, { minLength: 1, maxLength: 5 }),
        afterMs: fc.nat(1),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait'), ms: waits }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('waitForExpiry'),
        pick,
        own: fc.boolean(),
        deltaMs: fc.integer({ min: -1, max: 1 }),
      }),
    },
    { weight: 8, arbitrary: fc.record({ do: fc.constant('read'), ...readings }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('readAll'), ...readings }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('last'), channel, limit }) },
  ];
  const keep = fc.integer({ min: 1, max: 3 });
  if (others)
    steps.push(
      { weight: 2, arbitrary: fc.record({ do: fc.constant('trimHistory'), channel, keep }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('trimLog'), channel, keep }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteHistory'), channel }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteLog'), channel }) },
    );
  return fc.array(fc.oneof(...steps), { minLength: 5, maxLength: length });
}

/** Leads a log through a generated life. Returns what was wrong with its answers. `floors`: those that it began with. */
export async function liveThrough(
  steps: readonly LogStep[],
  log: Log,
  oracle: LogOracle,
  hands: Hands,
  floors: readonly string[],
  startMs: number,
): Promise<string[]> {
  let nowMs = startMs;
  const problems: string[] = [];
  const readAll = async (channel: string, from: string, limit: number): Promise<void> => {
    let after = from;
    for (let pages = 0; pages < 200; pages++) {
      const page = await log.historyAfter(channel, after, limit);
      problems.push(...oracle.judgePage(channel, after, limit, page, nowMs));
      if (!page.more) return;
      after = page.messages.at(-1)?.id ?? after;
    }
    problems.push(`the history of ${channel} has no end`);
  };
  for (const step of steps) {
    if (problems.length > 0) break;
    switch (step.do) {
      case 'append': {
        const { messages, afterMs } = step;
        nowMs += afterMs;
        if (afterMs > 0) await hands.setTime(nowMs);
        const outcomes =
          messages.length === 1 && messages[0] !== undefined
            ? [await log.append(messages[0])]
            : await log.appendMany(messages);
        for (const [i, message] of messages.entries())
          problems.push(...oracle.appended(message, outcomes[i] ?? new Error('no outcome'), nowMs));
        break;
      }
      case 'wait':
      case 'waitForExpiry': {
        const { ids } = oracle;
        const until =
          step.do === 'wait'
            ? nowMs + step.ms
            : (oracle.expiresMs(step.pick % Math.max(1, ids.length), step.own) ?? 0) + step.deltaMs;
        if (until > nowMs) nowMs = until;
        await hands.setTime(nowMs);
        break;
      }
      case 'read': {
        const after = place(step.after, step.channel);
        const page = await log.historyAfter(step.channel, after, step.limit);
        problems.push(...oracle.judgePage(step.channel, after, step.limit, page, nowMs));
        break;
      }
      case 'readAll':
        await readAll(step.channel, place(step.after, step.channel), step.limit);
        break;
      case 'last': {
        const messages = await log.historyLast(step.channel, step.limit);
        problems.push(...oracle.judgeLast(step.channel, step.limit, messages, nowMs));
        break;
      }
      case 'trimHistory':
        oracle.trimmed(step.channel, step.keep);
        await hands.others?.trimHistory(step.channel, step.keep);
        break;
      case 'trimLog':
        await hands.others?.trimLog(step.channel, step.keep);
        break;
      case 'deleteHistory':
        oracle.deleted(step.channel, nowMs);
        await hands.others?.deleteHistory(step.channel);
        break;
      case 'deleteLog':
        oracle.emptied(partitionOf(step.channel, log.partitions));
        await hands.others?.deleteLog(step.channel);
    }
  }
  return problems;

  function place(cursor: Cursor, channel: string): string {
    const { ids } = oracle;
    const floor = floors[partitionOf(channel, log.partitions)] ?? '0-0';
    switch (cursor.from) {
      case 'floor':
        return floor;
      case 'zero':
        return '0-0';
      case 'now':
        return `${nowMs}-0`;
      case 'future':
        return `${nowMs + 5_000}-7`;
      case 'huge':
        return `${'9'.repeat(19)}-${'9'.repeat(19)}`;
      case 'last':
        return '18446744073709551615-18446744073709551615';
    }
    const id = ids[cursor.pick % Math.max(1, ids.length)] ?? floor;
    if (cursor.from === 'id') return id;
    if (cursor.from === 'before') return idBefore(id);
    if (cursor.from === 'padded') return `00${id}`;
    return `${idTime(id)}-${Number(id.slice(id.indexOf('-') + 1)) + 1}`;
  }
}

function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
