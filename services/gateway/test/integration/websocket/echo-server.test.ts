import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket as WsWebSocket } from 'ws';
import { PYTHON } from '../../support/python.ts';

const MAIN = fileURLToPath(new URL('../../support/echo-server.ts', import.meta.url));
const MEBIBYTE = 1024 * 1024;

/** Empty, short, long enough to be compressed, and of 10 MiB that cannot be. */
const MESSAGES: readonly (string | Buffer)[] = [
  '',
  'Größe 🎺 \u0000',
  JSON.stringify(Array.from({ length: 50_000 }, (_, orderId) => ({ orderId, state: 'paid' }))),
  randomBytes(5 * MEBIBYTE).toString('hex'),
  Buffer.alloc(0),
  Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  Buffer.alloc(MEBIBYTE, 'compress me '),
  randomBytes(10 * MEBIBYTE),
];

const PROGRAM = `
import asyncio, json, os, sys, websockets

async def main(url, compression):
    async with websockets.connect(url, subprotocols=["echo"], compression=compression, max_size=None) as socket:
        for sent in ["", "Größe 🎺 \\0", "compress me " * 50000, os.urandom(5 << 20).hex(),
                     b"", bytes(range(256)), b"compress me " * 50000, os.urandom(10 << 20)]:
            await socket.send(sent)
            received = await socket.recv()
            assert type(received) is type(sent) and received == sent, len(sent)
        await socket.send(["in ", "two ", "fragments"])
        assert await socket.recv() == "in two fragments"
        await (await socket.ping(b"payload"))
    print(json.dumps([socket.subprotocol, [each.name for each in socket.extensions], socket.close_code]))

asyncio.run(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None))
`;

/** What a client made of its connection. */
interface Outcome {
  readonly echoes: readonly (string | Buffer)[];
  readonly protocol: string;
  readonly extensions: string;
  readonly closeCode: number;
}

/** The 10 MiB would be long in a report, so messages are compared here. */
function expectEchoed(echoes: readonly (string | Buffer)[]): void {
  expect(echoes).toHaveLength(MESSAGES.length);
  for (const [i, message] of MESSAGES.entries()) {
    const echo = echoes[i] ?? '';
    expect(typeof echo, `the type of message ${i}`).toBe(typeof message);
    expect(Buffer.from(echo).equals(Buffer.from(message)), `message ${i}`).toBe(true);
  }
}

/** Sends one message after the other and closes. `ws` and Node's own WebSocket have this in common. */
async function echoAll(socket: WebSocket | WsWebSocket): Promise<Outcome> {
  const echoes: (string | Buffer)[] = [];
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const { protocol, extensions } = socket;
  for (const message of MESSAGES) {
    const received = new Promise<unknown>((resolve, reject) => {
      socket.onmessage = ({ data }: { data: unknown }) => resolve(data);
      socket.onclose = ({ code }: { code: number }) => reject(new Error(`closed with ${code}`));
    });
    socket.send(message);
    const data = await received;
    echoes.push(typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer));
  }
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }: { code: number }) => resolve(code);
  });
  socket.close(4000, 'done');
  return { echoes, protocol, extensions, closeCode: await closed };
}

describe.each(['on', 'off'])('the echo server with compression %s', (compression) => {
  let server: ChildProcessByStdio<null, Readable, null>;
  let url: string;

  beforeAll(async () => {
    server = spawn(process.execPath, [MAIN, '--port', '0', '--compression', compression], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
    url = line.replace('ready ', '');
  });
  afterAll(async () => {
    if (server.kill()) await once(server, 'exit');
  });

  const agreed =
    compression === 'on' ? /^permessage-deflate; server_no_context_takeover; client_no_context_takeover/ : /^$/;

  test('echoes what ws sends', async () => {
    const outcome = await echoAll(new WsWebSocket(url, 'echo', { maxPayload: 64 * MEBIBYTE }));
    expectEchoed(outcome.echoes);
    expect(outcome).toMatchObject({ protocol: 'echo', closeCode: 4000 });
    expect(outcome.extensions).toMatch(compression === 'on' ? /^permessage-deflate$/ : /^$/);
  });

  test('echoes what ws sends without compression', async () => {
    const outcome = await echoAll(new WsWebSocket(url, ['chat', 'echo'], { perMessageDeflate: false }));
    expectEchoed(outcome.echoes);
    expect(outcome).toMatchObject({ protocol: 'echo', extensions: '', closeCode: 4000 });
  });

  test("echoes what Node's own WebSocket sends", async () => {
    const outcome = await echoAll(new WebSocket(url, ['chat', 'echo']));
    expectEchoed(outcome.echoes);
    expect(outcome).toMatchObject({ protocol: 'echo', closeCode: 4000 });
    expect(outcome.extensions).toMatch(agreed);
  });

  test.each(['deflate', 'none'])("echoes what Python's websockets sends, which offers %s", async (offer) => {
    const python = spawn(PYTHON, ['-c', PROGRAM, url, ...(offer === 'none' ? [] : [offer])], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void python.kill());
    const extensions = compression === 'on' && offer === 'deflate' ? ['permessage-deflate'] : [];
    expect(JSON.parse(await text(python.stdout))).toEqual(['echo', extensions, 1000]);
  });
});
