import { expect } from 'vitest';
import type { SseEvent } from '../../support/event-stream-parser.ts';
import { until } from '../../support/until.ts';

const KiB = 1024;

/** The types of event that a client of these scenarios must ask for. */
export const EVENT_NAMES = ['message', 'order.updated', 'fanfare:gap', 'fanfare:bye'] as const;

/** A client of event streams, whatever it is made of. */
export interface StreamClient {
  /** What it was told, of the types in EVENT_NAMES, from one event on. */
  events(from: number): Promise<readonly SseEvent[]> | readonly SseEvent[];
  /** How often its stream was open. */
  opened(): Promise<number> | number;
  /** How often its stream ended or broke. */
  ended(): Promise<number> | number;
  /** Sends JSON by HTTP, and returns the answer's. Rejects on any answer but 2xx. */
  post(url: string, body: string): Promise<Record<string, unknown>>;
  close(): Promise<void> | void;
}

export type OpenStream = (url: string) => Promise<StreamClient> | StreamClient;

const isMessage = ({ type }: SseEvent): boolean => !type.startsWith('fanfare:');

/** What a client has been told, fetched piece by piece. */
class Heard {
  readonly events: SseEvent[] = [];
  readonly #client: StreamClient;

  constructor(client: StreamClient) {
    this.#client = client;
  }

  get messages(): readonly SseEvent[] {
    return this.events.filter(isMessage);
  }

  /** Waits for so many messages in all. */
  async untilMessages(count: number): Promise<void> {
    await until(async () => {
      this.events.push(...(await this.#client.events(this.events.length)));
      return this.messages.length >= count;
    }, `${count} messages`);
  }
}

/** Opens a stream, publishes small and large, named and not, and hears all of that as it was written. */
export async function publishesAndHears(open: OpenStream, url: string, channel: string): Promise<void> {
  const client = await open(`${url}/v1/sse?channel=${channel}`);
  try {
    await until(async () => (await client.opened()) > 0, 'the stream to open');
    const sources: readonly { readonly event?: string; readonly data: string }[] = [
      { data: '{"b":1e400,\n"a":"é🎺\u2028"}' },
      { event: 'order.updated', data: '42' },
      { data: `"${'x'.repeat(60 * KiB)}"` },
      { data: JSON.stringify(Array.from({ length: 5000 }, (_, i) => i * 7919)) },
      { event: 'order.updated', data: '""' },
    ];
    const heard = new Heard(client);
    const ids: unknown[] = [];
    for (const [i, { event, data }] of sources.entries()) {
      const name = event === undefined ? '' : `"event":"${event}",`;
      ids.push((await client.post(`${url}/v1/channels/${channel}/messages`, `{${name}"data":${data}}`)).id);
      await heard.untilMessages(i + 1);
    }
    expect(heard.messages).toEqual(
      sources.map(({ event = 'message', data }, i) => ({ type: event, data, lastEventId: ids[i] })),
    );
  } finally {
    await client.close();
  }
}

/** A node with a small FANFARE_MAX_CONNECTION_AGE sends the client away; it comes back by itself and has missed nothing. */
export async function comesBack(open: OpenStream, url: string, channel: string): Promise<void> {
  const client = await open(`${url}/v1/sse?channel=${channel}`);
  const publish = async (data: string) => (await client.post(`${url}/v1/channels/${channel}/messages`, data)).id;
  try {
    await until(async () => (await client.opened()) > 0, 'the stream to open');
    const ids = [await publish('{"data":1}')];
    await until(async () => (await client.ended()) > 0, 'the end of the stream');
    ids.push(await publish('{"data":"while away"}'));
    await until(async () => (await client.opened()) > 1, 'the client to be back');
    ids.push(await publish('{"data":3}'));
    const heard = new Heard(client);
    await heard.untilMessages(3);
    expect(heard.messages.map(({ lastEventId }) => lastEventId)).toEqual(ids);
    const told = heard.events.filter((event) => !isMessage(event));
    expect(told[0]).toMatchObject({ type: 'fanfare:bye', data: '{"reason":"max_age"}' });
    expect(told.filter(({ type }) => type === 'fanfare:gap')).toEqual([]);
  } finally {
    await client.close();
  }
}
