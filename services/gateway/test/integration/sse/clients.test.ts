import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { EventSource } from 'eventsource';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { publish } from '../../support/publish.ts';
import { until } from '../../support/until.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

/** Starts a program that prints what it hears; ended by `stop`. */
function listen(command: string, args: readonly string[]): { lines: string[]; stop(): Promise<void> } {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve());
  });
  return {
    lines,
    async stop() {
      child.kill();
      await ended;
    },
  };
}

const NODE_LISTENER = `
  const source = new EventSource(process.argv[1]);
  const tell = (what) => (event) => console.log(what, event.lastEventId, event.data);
  source.onopen = () => console.log('open');
  source.onerror = () => console.log('error', source.readyState);
  source.onmessage = tell('message');
  source.addEventListener('order.updated', tell('order.updated'));
  source.addEventListener('fanfare:bye', tell('bye'));
`;

test("Node's own EventSource hears named and unnamed messages, with their ids", async () => {
  const url = `${gateway.url}/v1/sse?channel=node`;
  const listener = listen(process.execPath, ['--no-warnings', '--experimental-eventsource', '-e', NODE_LISTENER, url]);
  try {
    await until(() => listener.lines.includes('open'), 'the stream to open');
    const first = await publish(gateway.url, 'node', { a: 'é\n🎺' });
    const second = await publish(gateway.url, 'node', 42, 'order.updated');
    await until(() => listener.lines.length >= 3, 'both messages');
    expect(listener.lines.slice(1)).toEqual([`message ${first} {"a":"é\\n🎺"}`, `order.updated ${second} 42`]);
  } finally {
    await listener.stop();
  }
});

test('the eventsource package hears messages, and comes back by itself with its cursor after a drain', async () => {
  const port = String(gateway.port);
  const source = new EventSource(`${gateway.url}/v1/sse?channel=package`);
  const heard: [string, string][] = [];
  source.onmessage = ({ data, lastEventId }) => heard.push([data, lastEventId]);
  const told: string[] = [];
  source.addEventListener('fanfare:bye', ({ data }) => told.push(data));
  source.addEventListener('fanfare:gap', ({ data }) => told.push(data));
  try {
    await until(() => source.readyState === EventSource.OPEN, 'the stream to open');
    const id = await publish(gateway.url, 'package', 'first');
    await until(() => heard.length === 1, 'the first message');
    expect(heard).toEqual([['"first"', id]]);
    expect(await gateway.stop()).toBe(0);
    await until(() => source.readyState === EventSource.CONNECTING, 'the end to be noticed');
    gateway = await startGateway({ PORT: port });
    await until(() => told.length === 2, 'the client to come back');
    expect(told.map((text) => JSON.parse(text))).toEqual([
      { reason: 'draining' },
      // The embedded log went with its process, and the client is told so.
      { channel: 'package', after: id, reason: 'rewound' },
    ]);
    await publish(gateway.url, 'package', 'second');
    await until(() => heard.length === 2, 'the second message');
  } finally {
    source.close();
  }
});

test('curl -N prints each message as it comes', async () => {
  const listener = listen('curl', ['-sN', `${gateway.url}/v1/sse?channel=curl`]);
  try {
    await until(() => listener.lines.includes(': fanfare'), 'the stream to open');
    const id = await publish(gateway.url, 'curl', { orderId: 42 }, 'order.updated');
    await until(() => listener.lines.includes('data: {"orderId":42}'), 'the message');
    expect(listener.lines.slice(-4)).toEqual([`id: ${id}`, 'event: order.updated', 'data: {"orderId":42}', '']);
  } finally {
    await listener.stop();
  }
});
