import { expect } from 'vitest';
import { postJson } from '../../support/http-exchange.ts';
import { until } from '../../support/until.ts';

const KiB = 1024;

/** A WebSocket client, whatever it is made of. */
export interface SocketClient {
  /** The messages, from one on. */
  texts(from: number): Promise<readonly string[]> | readonly string[];
  say(text: string): Promise<void> | void;
  /** `Sec-WebSocket-Protocol` and `Sec-WebSocket-Extensions` as they were answered; empty for none. */
  agreed(): Promise<{ protocol: string; extensions: string }> | { protocol: string; extensions: string };
  /** How it ended, as soon as it has. */
  closed(): Promise<{ code: number; reason: string } | undefined> | { code: number; reason: string } | undefined;
  /** Closes with 1000. */
  close(): Promise<void> | void;
}

/** Offers the subprotocol `fanfare.v1`. */
export type OpenSocket = (url: string) => Promise<SocketClient> | SocketClient;

type Said = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A client's side of the talk: what it is told is fetched piece by piece. */
class Talk {
  readonly client: SocketClient;
  readonly texts: string[] = [];
  readonly said: Said[] = [];

  constructor(client: SocketClient) {
    this.client = client;
  }

  async fetch(): Promise<void> {
    const texts = await this.client.texts(this.texts.length);
    this.texts.push(...texts);
    this.said.push(...texts.map((text) => JSON.parse(text) as Said));
  }

  /** Waits for a message from the server; itself, and its text. */
  async waitFor(is: (said: Said) => boolean, what: string): Promise<[Said, string]> {
    await until(async () => {
      const closed = (await this.client.closed()) !== undefined;
      await this.fetch();
      return this.said.some(is) || closed;
    }, what);
    const index = this.said.findIndex(is);
    if (index === -1) throw new Error(`closed with ${JSON.stringify(await this.client.closed())} before ${what}`);
    return [this.said[index] as Said, this.texts[index] as string];
  }

  /** Says something and waits for what answers it. */
  async ask(message: object, answer: string): Promise<Said> {
    const ref = `${answer}-${Math.random()}`;
    await this.client.say(JSON.stringify({ ...message, ref }));
    const what = `an answer to ${JSON.stringify(message).slice(0, 80)}`;
    const [said] = await this.waitFor((each) => each.ref === ref, what);
    expect(said).toMatchObject({ type: answer });
    return said;
  }
}

const webSocketUrl = (url: string, query: string): string => `${url.replace(/^http/, 'ws')}/v1/ws${query}`;

/** Subscribes, publishes small and large, hears all of that as it was written, and closes. Returns what was agreed on. */
export async function talksAndListens(
  open: OpenSocket,
  url: string,
  channel: string,
): Promise<{ protocol: string; extensions: string }> {
  const client = await open(webSocketUrl(url, ''));
  const talk = new Talk(client);
  const [welcome] = await talk.waitFor(() => true, 'the welcome');
  expect(welcome.type).toBe('welcome');
  await talk.ask({ type: 'subscribe', channel }, 'subscribed');
  await talk.ask({ type: 'ping' }, 'pong');
  const large = { text: 'é🎺'.repeat(8 * KiB), numbers: Array.from({ length: 1000 }, (_, i) => i * 7919) };
  for (const data of ['', 42, large, 'x'.repeat(60 * KiB)]) {
    const { id } = await talk.ask({ type: 'publish', channel, event: 'order.updated', data }, 'published');
    const [message] = await talk.waitFor((each) => each.type === 'message' && each.id === id, 'the message');
    expect(message).toEqual({ type: 'message', channel, id, event: 'order.updated', data });
  }
  const source = `{"b":1e400,\r\n"a":"\u2028${'y'.repeat(10 * KiB)}"}`;
  const { id } = (await postJson(url, `/v1/channels/${channel}/messages`, `{"data":${source}}`)).json;
  const [, text] = await talk.waitFor((each) => each.type === 'message' && each.id === id, 'the message');
  expect(text.endsWith(`"data":${source}}`)).toBe(true);
  const agreed = await client.agreed();
  await client.close();
  await until(async () => (await client.closed()) !== undefined, 'the close');
  expect((await client.closed())?.code).toBe(1000);
  return agreed;
}

/** A node with a small FANFARE_MAX_CONNECTION_AGE closes with a cursor; with that nothing is missed. */
export async function resumes(open: OpenSocket, url: string, channel: string): Promise<void> {
  const publish = async (data: number) =>
    (await postJson(url, `/v1/channels/${channel}/messages`, `{"data":${data}}`)).json.id;
  const first = new Talk(await open(webSocketUrl(url, `?channel=${channel}`)));
  await first.waitFor(({ type }) => type === 'subscribed', 'the subscription');
  const before = await publish(1);
  await until(async () => (await first.client.closed()) !== undefined, 'the close');
  expect(await first.client.closed()).toEqual({ code: 1001, reason: 'max_age' });
  await first.fetch();
  const cursor = first.said.at(-1)?.id;
  expect(first.said.at(-1)).toEqual({ type: 'cursor', id: cursor });
  const away = await publish(2);
  const second = new Talk(await open(webSocketUrl(url, `?channel=${channel}&after=${cursor}`)));
  await second.waitFor(({ type }) => type === 'caught-up', 'the replay to end');
  const said = [...first.said, ...second.said];
  expect(said.filter(({ type }) => type === 'message').map(({ id }) => id)).toEqual([before, away]);
  expect(said.filter(({ type }) => type === 'gap')).toEqual([]);
  await second.client.close();
}
