import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { partitionOf } from '../../../src/message.ts';
import { BrowserPage } from '../../support/browser-page.ts';
import type { SseEvent } from '../../support/event-stream-parser.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, postJson } from '../../support/http-exchange.ts';
import { publish } from '../../support/publish.ts';
import { head, RawSocket } from '../../support/raw-socket.ts';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';
import { launchChromium } from '../console/chromium.ts';
import { GZIP_READERS, type GzipReader } from './gzip-readers.ts';

const KiB = 1024;
const GZIP = { 'accept-encoding': 'gzip' };

let gateway: Gateway;
let browser: Browser;
let page: BrowserPage;
beforeAll(async () => {
  [gateway, browser] = await Promise.all([startGateway({ FANFARE_HEARTBEAT_INTERVAL: '0.3' }), launchChromium()]);
  page = await BrowserPage.open(browser, `${gateway.url}/v1/openapi.json`);
});
afterAll(async () => {
  await browser?.close();
  await gateway?.kill();
});

/** Text that gets no smaller than six bits a character. */
const noise = (bytes: number): string => randomBytes(bytes).toString('base64').slice(0, bytes);

/** What is published one after the other, each once the one before has come: a batch where there are several. */
const BATCHES: readonly (readonly unknown[])[] = [
  ['short'],
  [noise(60 * KiB)],
  ['x'.repeat(60 * KiB)],
  [{ text: 'é🎺 \n'.repeat(100) }],
  Array.from({ length: 500 }, (_, i) => i),
  Array.from({ length: 20 }, (_, i) => ({ i, text: 'one of many, rather alike '.repeat(30 * (i % 3)) })),
  ['last'],
];
const COUNT = BATCHES.flat().length;

async function publishBatch(node: Gateway, channel: string, batch: readonly unknown[]): Promise<void> {
  const messages = batch.map((data) => ({ channel, data, event: 'named' }));
  expect((await postJson(node.url, '/v1/messages', JSON.stringify({ messages }))).status).toBe(200);
}

const chromium = async (url: string): Promise<GzipReader> => {
  const source = await page.source(url, { names: ['named', 'fanfare:caught-up'] });
  return { events: (from) => source.events(from), stop: () => void source.close() };
};
const READERS = Object.entries({ ...GZIP_READERS, "Chromium's EventSource": chromium });

const isMessage = ({ type }: SseEvent): boolean => !type.startsWith('fanfare:');

describe('through gzip', () => {
  test.for(READERS)('%s sees each event before the next is published, as all others do', async ([name, open]) => {
    const channel = `each:${name.replace(/\W/g, '-')}`;
    const url = `${gateway.url}/v1/sse?channel=${channel}`;
    const before = await metric(gateway, 'fanfare_connections', 'transport="sse"');
    const [plain, reader] = await Promise.all([new SseClient(url).open(), open(url)]);
    await until(async () => (await metric(gateway, 'fanfare_connections', 'transport="sse"')) === before + 2, 'both');
    const seen: SseEvent[] = [];
    let count = 0;
    for (const batch of BATCHES) {
      await publishBatch(gateway, channel, batch);
      count += batch.length;
      await until(async () => {
        seen.push(...(await reader.events(seen.length)));
        return seen.length >= count;
      }, `${count} messages`);
    }
    await until(() => plain.messages.length === COUNT, 'the plain stream to have all');
    expect(plain.messages.map(({ data }) => JSON.parse(data))).toEqual(BATCHES.flat());
    expect(seen).toEqual(plain.messages);
    reader.stop();
    plain.close();
    await until(async () => (await metric(gateway, 'fanfare_connections', 'transport="sse"')) === before, 'the end');
  });

  test.for(READERS)('%s is given a replay, from the newest and from a cursor', async ([name, open]) => {
    const channel = `replay:${name.replace(/\W/g, '-')}`;
    for (const batch of BATCHES) await publishBatch(gateway, channel, batch);
    const replayed = async (query: string): Promise<readonly SseEvent[]> => {
      const reader = await open(`${gateway.url}/v1/sse?channel=${channel}&${query}`);
      const seen: SseEvent[] = [];
      await until(async () => {
        seen.push(...(await reader.events(seen.length)));
        return seen.some(({ type }) => type === 'fanfare:caught-up');
      }, 'the replay to end');
      reader.stop();
      return seen.filter(isMessage);
    };
    const all = await replayed('last=1000');
    expect(all.map(({ data }) => JSON.parse(data))).toEqual(BATCHES.flat());
    expect(await replayed('last=25')).toEqual(all.slice(-25));
    expect(await replayed(`after=${all[1]?.lastEventId}`)).toEqual(all.slice(2));
  });

  test('Last-Event-ID, a gap, heartbeats and the other format are what they are without', async () => {
    const id = await publish(gateway.url, 'all', { first: true }, 'named');
    await publish(gateway.url, 'all', 'x'.repeat(1000));
    const opened = (headers: Record<string, string>, query = '') =>
      new SseClient(`${gateway.url}/v1/sse?channel=all${query}`, headers);
    const queries: readonly [Record<string, string>, string][] = [
      [{ 'last-event-id': id }, ''],
      [{ 'last-event-id': 'nonsense' }, ''],
      [{}, '&last=2&format=envelope'],
    ];
    for (const [headers, query] of queries) {
      const pair = [opened(headers, query), opened({ ...headers, ...GZIP }, query)] as const;
      for (const client of pair) await until(() => client.of('fanfare:caught-up').length > 0, 'the replay to end');
      const [plain, gzip] = pair;
      const beats = () => gzip.text.match(/^: heartbeat\nid: .+$/gm)?.length ?? 0;
      await until(() => beats() >= 2, 'two heartbeats');
      expect([plain, gzip].map((client) => client.headers['content-encoding'])).toEqual([undefined, 'gzip']);
      expect(gzip.events).toEqual(plain.events);
      for (const client of pair) client.close();
    }
  });

  test('what can be made smaller is', async () => {
    const client = await new SseClient(`${gateway.url}/v1/sse?channel=smaller`, GZIP).open();
    const bytes = () => metric(gateway, 'fanfare_delivered_bytes_total', 'transport="sse"');
    const before = await bytes();
    await publish(gateway.url, 'smaller', 'x'.repeat(60 * KiB));
    await until(() => client.messages.length === 1, 'the message');
    expect((await bytes()) - before).toBeLessThan(KiB);
    client.close();
  });
});

/** What `gunzip` makes of the body of an answer, all of whose bytes it must find in order; the answer's head. */
async function gunzip(answer: Buffer): Promise<{ top: string; text: string }> {
  const end = answer.indexOf('\r\n\r\n') + 4;
  const run = (option: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const child = execFile('gunzip', [option], { maxBuffer: 64 * KiB * KiB }, (error, text) =>
        error === null ? resolve(text) : reject(error),
      );
      child.stdin?.end(answer.subarray(end));
    });
  await run('-t');
  return { top: answer.subarray(0, end).toString(), text: await run('-c') };
}

const ask = (node: Gateway, path: string): RawSocket =>
  new RawSocket(node.port).send(head(`GET ${path}`, { 'Accept-Encoding': 'gzip' }));

const opened = (socket: RawSocket): Promise<void> =>
  until(() => socket.bytes.length > socket.bytes.indexOf('\r\n\r\n') + 30, 'the preamble');

describe('a compressed stream is whole, with its checksum and its length,', () => {
  test('when it was sent away for its age, and when its node leaves', async () => {
    const ending: readonly [string, Record<string, string>][] = [
      ['max_age', { FANFARE_MAX_CONNECTION_AGE: '1' }],
      ['draining', {}],
    ];
    await Promise.all(
      ending.map(async ([reason, env]) => {
        const node = await startGateway({ FANFARE_HEARTBEAT_INTERVAL: '0.2', ...env });
        try {
          const sockets = [ask(node, '/v1/sse?channel=end&after=1-1'), ask(node, '/v1/sse?channel=end')];
          for (const socket of sockets) await opened(socket);
          for (const data of ['short', 'x'.repeat(2000), noise(50_000)]) await publish(node.url, 'end', data);
          const metered = () => metric(node, 'fanfare_deliveries_total', 'transport="sse"');
          await until(async () => (await metered()) === 6, 'the deliveries');
          if (reason === 'draining') await node.stop();
          for (const socket of sockets) {
            const { text, top } = await gunzip((await socket.end()).bytes);
            expect(top).toContain('\r\ncontent-encoding: gzip\r\n');
            expect(text.match(/^data: "(short|x+|.{50000})"$/gm)).toHaveLength(3);
            expect(text).toMatch(
              new RegExp(`: heartbeat\nid: .+\n\nevent: fanfare:bye\ndata: {"reason":"${reason}"}\n\n$`),
            );
          }
          expect((await gunzip(sockets[0]?.bytes ?? Buffer.alloc(0))).text).toContain('event: fanfare:gap\n');
        } finally {
          await node.kill();
        }
      }),
    );
  });

  test('when its reader was too slow, who then lacks nothing', async () => {
    const node = await startGateway({ FANFARE_MAX_BACKLOG_BYTES: String(64 * KiB) });
    try {
      const slow = ask(node, '/v1/sse?channel=slow');
      await opened(slow);
      slow.socket.pause();
      const total = 300;
      for (let next = 0; next < total; next += 20)
        await publishBatch(
          node,
          'slow',
          Array.from({ length: 20 }, (_, i) => `${next + i} ${noise(60_000)}`),
        );
      await until(async () => (await metric(node, 'fanfare_slow_consumers_total')) === 1, 'the reader to be too slow');
      slow.socket.resume();
      const { text } = await gunzip((await slow.end()).bytes);
      expect(text.endsWith('event: fanfare:bye\ndata: {"reason":"too_slow"}\n\n')).toBe(true);
      const numbers = [...text.matchAll(/^data: "(\d+) /gm)].map(([, number]) => Number(number));
      expect(numbers.length).toBeLessThan(total);
      const cursor = [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
      const back = new SseClient(`${node.url}/v1/sse?channel=slow`, { ...GZIP, 'last-event-id': cursor });
      await until(() => back.of('fanfare:caught-up').length > 0, 'the replay to end');
      back.close();
      numbers.push(...back.messages.map(({ data }) => Number.parseInt(data.slice(1), 10)));
      expect(numbers).toEqual(Array.from({ length: total }, (_, i) => i));
    } finally {
      await node.kill();
    }
  });
});

describe('which coding a stream has', () => {
  /** The coding that the head names, which is that of the body too. */
  async function coding(node: Gateway, acceptEncoding: string | undefined): Promise<string | undefined> {
    const headers = acceptEncoding === undefined ? {} : { 'accept-encoding': acceptEncoding };
    const ofHead = await exchange(node.url, '/v1/sse?channel=a', { method: 'HEAD', headers });
    const socket = new RawSocket(node.port).send(head('GET /v1/sse?channel=a', headers));
    await opened(socket);
    socket.close();
    const [top = '', body = ''] = socket.bytes.toString('latin1').split('\r\n\r\n', 2);
    const named = /^content-encoding: (.*)$/im.exec(top)?.[1]?.trim();
    expect(named).toBe(ofHead.headers['content-encoding']);
    expect(body.startsWith('\x1f\x8b\x08')).toBe(named === 'gzip');
    expect(body.startsWith(': fanfare\n')).toBe(named === undefined);
    expect(ofHead.headers.vary).toBe(/^vary: (.*)$/im.exec(top)?.[1]?.trim());
    return named;
  }

  test('is what the client asks for', async () => {
    const asked: readonly [string | undefined, string | undefined][] = [
      [undefined, undefined],
      ['', undefined],
      ['identity', undefined],
      ['br, zstd, deflate', undefined],
      ['gzip;q=0', undefined],
      ['gzip;q=0, *', undefined],
      ['*;q=0', undefined],
      ['identity, gzip;q=0.5', undefined],
      ['gzip', 'gzip'],
      ['GZip', 'gzip'],
      ['x-gzip', 'gzip'],
      ['*', 'gzip'],
      ['gzip;q=0.001', 'gzip'],
      ['gzip, deflate, br, zstd', 'gzip'],
      ['deflate;q=1, gzip ; q=0.5, *;q=0', 'gzip'],
    ];
    for (const [header, expected] of asked) expect(await coding(gateway, header), header).toBe(expected);
  });

  test('is told to caches, also where the answer has none', async () => {
    for (const headers of [GZIP, {}])
      expect((await exchange(gateway.url, '/v1/sse?channel=a', { method: 'HEAD', headers })).headers.vary).toBe(
        'Origin, Accept-Encoding',
      );
  });

  test('is none for a cursor over several partitions, for those who are sent away, and for a refusal', async () => {
    const node = await startGateway({ FANFARE_PARTITIONS: '2', FANFARE_MAX_CONNECTIONS: '1' });
    try {
      const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
      const [first, second] = [0, 1].map((partition) => names.find((name) => partitionOf(name, 2) === partition));
      const codingOf = async (query: string) =>
        (await exchange(node.url, `/v1/sse?${query}`, { method: 'HEAD', headers: GZIP })).headers['content-encoding'];
      expect(await codingOf(`channel=${first}&channel=${second}`)).toBe(undefined);
      expect(await codingOf(`channel=${first}&channel=${first}:x`)).toBe('gzip');

      const taken = await new SseClient(`${node.url}/v1/sse?channel=a`, GZIP).open();
      expect(taken.headers['content-encoding']).toBe('gzip');
      const refused = await exchange(node.url, '/v1/sse?channel=a', { headers: GZIP });
      expect(refused.headers['content-encoding']).toBe(undefined);
      expect(refused.text).toContain('fanfare:bye');
      expect((await exchange(node.url, '/v1/sse', { headers: GZIP })).json.code).toBe('invalid_request');
      taken.close();
    } finally {
      await node.kill();
    }
  });

  test('is none at all where compression is off', async () => {
    const node = await startGateway({ FANFARE_COMPRESSION: 'off' });
    try {
      expect(await coding(node, 'gzip')).toBe(undefined);
      const { headers } = await exchange(node.url, '/v1/sse?channel=a', { method: 'HEAD', headers: GZIP });
      expect(headers.vary).toBe('Origin');
      const other = await BrowserPage.open(browser, `${node.url}/v1/openapi.json`);
      const source = await (await other.source('/v1/sse?channel=a')).untilOpen();
      await publish(node.url, 'a', 'x'.repeat(60 * KiB));
      expect((await source.untilEvents(1)).map(({ data }) => data.length)).toEqual([60 * KiB + 2]);
      await other.close();
    } finally {
      await node.kill();
    }
  });
});
