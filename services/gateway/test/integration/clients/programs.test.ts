import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EventStreamParser } from '../../support/event-stream-parser.ts';
import { metric } from '../../support/gateway.ts';
import { PYTHON } from '../../support/python.ts';
import { LineProcess } from './line-process.ts';
import { type OpenSocket, resumes, talksAndListens } from './socket-scenarios.ts';
import { type OpenStream, publishesAndHears } from './stream-scenarios.ts';
import { channelOf, RESTLESS, WAYS, type Way, Ways } from './ways.ts';

let steady: Ways;
/** Sends its clients away after a second or two. */
let restless: Ways;
beforeAll(async () => {
  [steady, restless] = await Promise.all([Ways.start(), Ways.start(RESTLESS)]);
});
afterAll(async () => {
  await Promise.all([steady?.stop(), restless?.stop()]);
});

const run = promisify(execFile);

async function curlPost(url: string, body: string): Promise<Record<string, unknown>> {
  const args = ['--silent', '--show-error', '--fail', '--json', body, url];
  return JSON.parse((await run('curl', args)).stdout) as Record<string, unknown>;
}

const curl =
  (...options: string[]): OpenStream =>
  (url) => {
    const parser = new EventStreamParser();
    let ended = 0;
    const child = spawn('curl', ['--silent', '--no-buffer', ...options, url], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (chunk: Buffer) => parser.push(chunk)).on('end', () => ended++);
    return {
      events: (from) => parser.events.slice(from),
      opened: () => (parser.text === '' ? 0 : 1),
      ended: () => ended,
      post: curlPost,
      close: () => void child.kill(),
    };
  };

/** Prints what it is told, and says what it is given. */
const PYTHON_CLIENT = `
import asyncio, json, sys, websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

def tell(kind, **more):
    print(json.dumps({'kind': kind, **more}), flush=True)

async def main(url, offer):
    options = {'compression': None} if offer == 'none' else {}
    if offer == 'windows':
        options['extensions'] = [ClientPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=12)]
    async with websockets.connect(url, subprotocols=['fanfare.v1'], **options) as socket:
        extensions = socket.response_headers.get('Sec-WebSocket-Extensions', '')
        tell('open', protocol=socket.subprotocol, extensions=extensions)
        reader = asyncio.StreamReader(limit=2**24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async def say():
            async for line in reader:
                text = json.loads(line)
                await (socket.close() if text is None else socket.send(text))
        saying = asyncio.create_task(say())
        try:
            while True:
                tell('text', text=await socket.recv())
        except websockets.ConnectionClosed:
            tell('close', code=socket.close_code, reason=socket.close_reason)
        saying.cancel()

asyncio.run(main(*sys.argv[1:]))
`;

const clients: LineProcess[] = [];
afterAll(async () => {
  for (const client of clients) await client.stop();
});

const websockets =
  (offer: 'default' | 'windows' | 'none'): OpenSocket =>
  (url) => {
    const client = new LineProcess(PYTHON, ['-c', PYTHON_CLIENT, url, offer]);
    clients.push(client);
    return {
      texts: (from) =>
        client
          .of('text')
          .slice(from)
          .map(({ text }) => String(text)),
      say: (text) => client.say(text),
      agreed() {
        const [open] = client.of('open');
        return { protocol: String(open?.protocol), extensions: String(open?.extensions) };
      },
      closed() {
        const [close] = client.of('close');
        return close && { code: Number(close.code), reason: String(close.reason) };
      },
      close: () => client.say(null),
    };
  };

const NO_CONTEXT = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

describe.for(WAYS)('%s', (way) => {
  test('curl publishes, and prints what is published as it comes', async () => {
    await publishesAndHears(curl(), steady.url(way), channelOf('hears', 'curl', way));
    await publishesAndHears(curl('--compressed'), steady.url(way), channelOf('hears', 'curl-gzip', way));
  });

  test.for([
    ['default', new RegExp(`^${NO_CONTEXT}(; client_max_window_bits=\\d+)?$`)],
    ['windows', new RegExp(`^${NO_CONTEXT}; server_max_window_bits=12(; client_max_window_bits=12)?$`)],
    ['none', /^$/],
  ] as const)("Python's websockets talks and listens, with the offer: %s", async ([offer, extensions]) => {
    const bytes = () => metric(steady.gateway, 'fanfare_delivered_bytes_total', 'transport="websocket"');
    const before = await bytes();
    const channel = channelOf('talks', `python-${offer}`, way);
    const agreed = await talksAndListens(websockets(offer), steady.url(way), channel);
    expect(agreed.protocol).toBe('fanfare.v1');
    expect(agreed.extensions).toMatch(extensions);
    if (offer === 'none') expect((await bytes()) - before).toBeGreaterThan(100_000);
    else expect((await bytes()) - before).toBeLessThan(20_000);
  });
});

describe('sent away for its age, straight and through NGINX,', () => {
  const curlComesBack = async (way: Way): Promise<void> => {
    const channel = channelOf('back', 'curl', way);
    const url = `${restless.url(way)}/v1/sse?channel=${channel}`;
    const post = async (data: number) =>
      (await curlPost(`${restless.url(way)}/v1/channels/${channel}/messages`, `{"data":${data}}`)).id;
    const first = (await run('curl', ['--silent', url])).stdout;
    expect(first).toMatch(/\nid: .*\n\nevent: fanfare:bye\ndata: \{"reason":"max_age"\}\n\n$/);
    const cursor = [...first.matchAll(/^id: (.*)$/gm)].at(-1)?.[1];
    const ids = [await post(1), await post(2)];
    const second = (await run('curl', ['--silent', '--header', `Last-Event-ID: ${cursor}`, url])).stdout;
    const parser = new EventStreamParser();
    parser.push(Buffer.from(second));
    expect(parser.events.map(({ type }) => type)).toEqual(['message', 'message', 'fanfare:caught-up', 'fanfare:bye']);
    expect(parser.events.slice(0, 2).map(({ lastEventId }) => lastEventId)).toEqual(ids);
  };

  test.concurrent('curl that hands its last id back is given what it has missed', async () => {
    await Promise.all(WAYS.map(curlComesBack));
  });

  test.concurrent("Python's websockets resumes with the last cursor", async () => {
    await Promise.all(
      WAYS.map((way) => resumes(websockets('default'), restless.url(way), channelOf('resumes', 'python', way))),
    );
  });
});
