import { expect } from 'vitest';
import { postJson } from '../../support/http-exchange.ts';
import { until } from '../../support/until.ts';

const KiB = 1024;

/** A WebSocket client, whatever it is made of. */
export interface SocketClient {
  /** The messages so far. */
  texts(): Promise<readonly string[]> | readonly string[];
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

async function waitFor(client: SocketClient, is: (said: Said) => boolean, what: string): Promise<[Said, string]> {
  const find = async () => (await client.texts()).find((text) => is(JSON.parse(text) as Said));
  await until(async () => (await find()) !== undefined || (await client.closed()) !== undefined, what);
  const text = await find();
  if (text === undefined) throw new Error(`closed with ${JSON.stringify(await client.closed())} before ${what}`);
  return [JSON.parse(text) as Said, text];
}

/** Says something and waits for what answers it. */
async function ask(client: SocketClient, message: object, answer: string): Promise<Said> {
  const ref = `${answer}-${Math.random()}`;
  await client.say(JSON.stringify({ ...message, ref }));
  const [said] = await waitFor(
    client,
    (each) => each.ref === ref,
    `an answer to ${JSON.stringify(message).slice(0, 80)}`,
  );
  expect(said).toMatchObject({ type: answer });
  return said;
}

const webSocketUrl = (url: string, query: string): string => `${url.replace(/^http/, 'ws')}/v1/ws${query}`;

/** Subscribes, publishes small and large, hears all of that as it was written, and closes. Returns what was agreed on. */
export async function talksAndListens(
  open: OpenSocket,
  url: string,
  channel: string,
): Promise<{ protocol: string; extensions: string }> {
  const client = await open(webSocketUrl(url, ''));
  const [welcome] = await waitFor(client, () => true, 'the welcome');
  expect(welcome.type).toBe('welcome');
  await ask(client, { type: 'subscribe', channel }, 'subscribed');
  await ask(client, { type: 'ping' }, 'pong');
  const large = { text: 'é🎺'.repeat(8 * KiB), numbers: Array.from({ length: 1000 }, (_, i) => i * 7919) };
  for (const data of ['', 42, large, 'x'.repeat(60 * KiB)]) {
    const { id } = await ask(client, { type: 'publish', channel, event: 'order.updated', data }, 'published');
    const [message] = await waitFor(client, (each) => each.type === 'message' && each.id === id, 'the message');
    expect(message).toEqual({ type: 'message', channel, id, event: 'order.updated', data });
  }
  const source = `{"b":1e400,\r\n"a":"\u2028${'y'.repeat(10 * KiB)}"}`;
  const { id } = (await postJson(url, `/v1/channels/${channel}/messages`, `{"data":${source}}`)).json;
  const [, text] = await waitFor(client, (each) => each.type === 'message' && each.id === id, 'the message');
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
  const first = await open(webSocketUrl(url, `?channel=${channel}`));
  await waitFor(first, ({ type }) => type === 'subscribed', 'the subscription');
  const before = await publish(1);
  await until(async () => (await first.closed()) !== undefined, 'the close');
  expect(await first.closed()).toEqual({ code: 1001, reason: 'max_age' });
  const told = (await first.texts()).map((text) => JSON.parse(text) as Said);
  const cursor = told.findLast(({ type }) => type === 'cursor')?.id;
  expect(told.at(-1)).toEqual({ type: 'cursor', id: cursor });
  const away = await publish(2);
  const second = await open(webSocketUrl(url, `?channel=${channel}&after=${cursor}`));
  await waitFor(second, ({ type }) => type === 'caught-up', 'the replay to end');
  const messages = [...told, ...(await second.texts()).map((text) => JSON.parse(text) as Said)];
  expect(messages.filter(({ type }) => type === 'message').map(({ id }) => id)).toEqual([before, away]);
  expect(messages.filter(({ type }) => type === 'gap')).toEqual([]);
  await second.close();
}
