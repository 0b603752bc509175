import { EventSource } from 'eventsource';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket as WsWebSocket } from 'ws';
import type { SseEvent } from '../../support/event-stream-parser.ts';
import { metric, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { until } from '../../support/until.ts';
import { LineProcess } from './line-process.ts';
import { type OpenSocket, resumes, talksAndListens } from './socket-scenarios.ts';
import { comesBack, EVENT_NAMES, type OpenStream, publishesAndHears } from './stream-scenarios.ts';
import { channelOf, RESTLESS, WAYS, Ways } from './ways.ts';

let steady: Ways;
/** Sends its clients away after a second or two. */
let restless: Ways;
beforeAll(async () => {
  [steady, restless] = await Promise.all([Ways.start(), Ways.start(RESTLESS)]);
});
afterAll(async () => {
  await Promise.all([steady?.stop(), restless?.stop()]);
});

async function post(url: string, body: string): Promise<Record<string, unknown>> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return (await response.json()) as Record<string, unknown>;
}

/** Node has its EventSource behind a flag, so this one lives in a process of its own. */
const NODE_EVENT_SOURCE = `
  import { createInterface } from 'node:readline';
  const [url, names] = process.argv.slice(1);
  const tell = (kind, more) => console.log(JSON.stringify({ kind, ...more }));
  const source = new EventSource(url);
  source.onopen = () => tell('open');
  source.onerror = () => tell('error', { readyState: source.readyState });
  for (const name of names.split(' '))
    source.addEventListener(name, ({ type, data, lastEventId }) => tell('event', { type, data, lastEventId }));
  ${post.toString()}
  for await (const line of createInterface({ input: process.stdin })) {
    const { url, body } = JSON.parse(line);
    tell('answer', await post(url, body));
  }
`;

const toEvent = ({ type, data, lastEventId }: Readonly<Record<string, unknown>>): SseEvent => ({
  type: String(type),
  data: String(data),
  lastEventId: String(lastEventId),
});

const nodeEventSource: OpenStream = (url) => {
  const flags = ['--no-warnings', '--experimental-eventsource', '--input-type=module'];
  const client = new LineProcess(process.execPath, [...flags, '-e', NODE_EVENT_SOURCE, url, EVENT_NAMES.join(' ')]);
  return {
    events: (from) => client.of('event').slice(from).map(toEvent),
    opened: () => client.of('open').length,
    ended: () => client.of('error').length,
    post: async (address, body) => await client.ask({ url: address, body }, 'answer'),
    close: () => client.stop(),
  };
};

const eventSourcePackage: OpenStream = (url) => {
  const source = new EventSource(url);
  const events: SseEvent[] = [];
  const counts = { opened: 0, ended: 0 };
  source.onopen = () => counts.opened++;
  source.onerror = () => counts.ended++;
  for (const name of EVENT_NAMES)
    source.addEventListener(name, ({ type, data, lastEventId }) => events.push({ type, data, lastEventId }));
  return {
    events: (from) => events.slice(from),
    opened: () => counts.opened,
    ended: () => counts.ended,
    post,
    close: () => source.close(),
  };
};

const nodeWebSocket: OpenSocket = (url) => {
  const socket = new WebSocket(url, 'fanfare.v1');
  const texts: string[] = [];
  let close: { code: number; reason: string } | undefined;
  socket.onmessage = ({ data }) => texts.push(String(data));
  socket.onclose = ({ code, reason }) => {
    close = { code, reason };
  };
  return {
    texts: (from) => texts.slice(from),
    say: (text) => socket.send(text),
    agreed: () => ({ protocol: socket.protocol, extensions: socket.extensions }),
    closed: () => close,
    close: () => socket.close(1000),
  };
};

const wsPackage =
  (perMessageDeflate: NonNullable<ClientOptions['perMessageDeflate']>): OpenSocket =>
  (url) => {
    const socket = new WsWebSocket(url, 'fanfare.v1', { perMessageDeflate });
    const texts: string[] = [];
    let extensions = '';
    let close: { code: number; reason: string } | undefined;
    socket.on('upgrade', ({ headers }) => {
      extensions = headers['sec-websocket-extensions'] ?? '';
    });
    socket.on('message', (data) => texts.push(data.toString()));
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      close = { code, reason: reason.toString() };
    });
    return {
      texts: (from) => texts.slice(from),
      say: (text) => socket.send(text),
      agreed: () => ({ protocol: socket.protocol, extensions }),
      closed: () => close,
      close: () => socket.close(1000),
    };
  };

const STREAMS: readonly [string, OpenStream][] = [
  ["Node's own EventSource", nodeEventSource],
  ['the eventsource package', eventSourcePackage],
];

const NO_CONTEXT = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const SOCKETS: readonly [string, OpenSocket, string][] = [
  ["Node's own WebSocket", nodeWebSocket, NO_CONTEXT],
  ['ws', wsPackage(true), NO_CONTEXT],
  ['ws without compression', wsPackage(false), ''],
  [
    'ws with windows of its own',
    wsPackage({ serverMaxWindowBits: 12, clientMaxWindowBits: 10 }),
    `${NO_CONTEXT}; server_max_window_bits=12`,
  ],
  ['ws that compresses everything', wsPackage({ threshold: 0, clientNoContextTakeover: true }), NO_CONTEXT],
  ['ws with a window too small', wsPackage({ serverMaxWindowBits: 9 }), ''],
];

describe.for(WAYS)('%s', (way) => {
  test.for(STREAMS)('%s publishes, and hears what is published', async ([name, open]) => {
    await publishesAndHears(open, steady.url(way), channelOf('hears', name, way));
  });

  test.for(SOCKETS)('%s talks and listens', async ([name, open, extensions]) => {
    const bytes = () => metric(steady.gateway, 'fanfare_delivered_bytes_total', 'transport="websocket"');
    const before = await bytes();
    const agreed = await talksAndListens(open, steady.url(way), channelOf('talks', name, way));
    expect(agreed.protocol).toBe('fanfare.v1');
    expect(agreed.extensions).toMatch(extensions);
    if (extensions === '') expect(agreed.extensions).toBe('');
    // Of some 130 KB.
    if (extensions === '') expect((await bytes()) - before).toBeGreaterThan(100_000);
    else expect((await bytes()) - before).toBeLessThan(20_000);
  });
});

describe('sent away for its age, straight and through NGINX,', () => {
  test.concurrent.for(STREAMS)('%s comes back by itself and has missed nothing', async ([name, open]) => {
    await Promise.all(WAYS.map((way) => comesBack(open, restless.url(way), channelOf('back', name, way))));
  });

  test.concurrent.for(SOCKETS.slice(0, 2))('%s resumes with the last cursor', async ([name, open]) => {
    await Promise.all(WAYS.map((way) => resumes(open, restless.url(way), channelOf('resumes', name, way))));
  });
});

test.concurrent('the eventsource package comes back after its node was started anew, and is told what that means', async () => {
  let gateway = await startGateway();
  const client = await eventSourcePackage(`${gateway.url}/v1/sse?channel=package`);
  try {
    await until(() => client.opened() === 1, 'the stream to open');
    const id = await publish(gateway.url, 'package', 'first');
    await until(async () => (await client.events(0)).length === 1, 'the first message');
    const port = String(gateway.port);
    expect(await gateway.stop()).toBe(0);
    gateway = await startGateway({ PORT: port });
    await until(async () => (await client.events(0)).length === 3, 'the client to come back');
    expect((await client.events(1)).map(({ data }) => JSON.parse(data))).toEqual([
      { reason: 'draining' },
      // The embedded log went with its process.
      { channel: 'package', after: id, reason: 'rewound' },
    ]);
    await publish(gateway.url, 'package', 'second');
    await until(async () => (await client.events(0)).length === 4, 'the second message');
  } finally {
    await client.close();
    await gateway.kill();
  }
});
