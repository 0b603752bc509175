import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  GZIP_HEADER,
  type GzipPiece,
  GzipTrailer,
  gzipPiece,
  joinPieces,
  storedPiece,
} from '../../../src/wire/gzip.ts';

const EVENTS = Buffer.from('id: 1-0\ndata: {"orderId":42,"state":"paid"}\n\n'.repeat(40));
const LONG = Buffer.from('data: "Größe 𐀀"\n\n'.repeat(5000));
const HEARTBEAT = Buffer.from(': heartbeat\n\n');
const NOISE = randomBytes(70_000);

/** A piece of every kind, and its text. */
const PIECES: readonly { readonly piece: GzipPiece; readonly hex: string }[] = [
  { piece: storedPiece(HEARTBEAT), hex: HEARTBEAT.toString('hex') },
  { piece: gzipPiece(EVENTS), hex: EVENTS.toString('hex') },
  { piece: gzipPiece(HEARTBEAT), hex: HEARTBEAT.toString('hex') },
  { piece: gzipPiece(LONG), hex: LONG.toString('hex') },
  { piece: storedPiece(NOISE), hex: NOISE.toString('hex') },
  {
    piece: joinPieces([gzipPiece(EVENTS), storedPiece(HEARTBEAT), gzipPiece(LONG)]),
    hex: Buffer.concat([EVENTS, HEARTBEAT, LONG]).toString('hex'),
  },
  { piece: storedPiece(HEARTBEAT), hex: HEARTBEAT.toString('hex') },
];
const HEX = PIECES.map((each) => each.hex).join('');

function end(): Buffer {
  const trailer = new GzipTrailer();
  for (const { piece } of PIECES) trailer.add(piece);
  return trailer.end();
}

const STREAM = Buffer.concat([GZIP_HEADER, ...PIECES.map((each) => each.piece.bytes), end()]);

/** Answers each line of hex with what it makes of it, in hex, before it reads the next; at last whether the stream ended. */
const PYTHON_STREAM = `
import sys, zlib
decoder = zlib.decompressobj(31)
for line in sys.stdin:
    print(decoder.decompress(bytes.fromhex(line)).hex(), flush=True)
print(decoder.eof, decoder.unused_data.hex(), flush=True)
`;

/** Runs for one test. */
function python(program: string): ChildProcessByStdio<Writable, Readable, null> {
  const decoder = spawn(process.env.PYTHON ?? 'python3', ['-c', program], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void decoder.kill());
  return decoder;
}

describe("Python's zlib", () => {
  test('gives the text of each piece before the next is there', async () => {
    const decoder = python(PYTHON_STREAM);
    const lines = createInterface({ input: decoder.stdout })[Symbol.asyncIterator]();
    const decode = async (bytes: Buffer): Promise<string> => {
      decoder.stdin.write(`${bytes.toString('hex')}\n`);
      return (await lines.next()).value ?? 'nothing';
    };
    expect(await decode(GZIP_HEADER)).toBe('');
    for (const { piece, hex } of PIECES) expect((await decode(piece.bytes)) === hex).toBe(true);
    expect(await decode(end())).toBe('');
    decoder.stdin.end();
    expect((await lines.next()).value).toBe('True ');
  });

  test('gives all of it, cut into single bytes', async () => {
    const decoder = python(`
import sys, zlib
decoder = zlib.decompressobj(31)
out = b"".join(decoder.decompress(bytes([byte])) for byte in sys.stdin.buffer.read())
print(out.hex(), decoder.eof)
`);
    decoder.stdin.end(STREAM);
    expect((await text(decoder.stdout)) === `${HEX} True\n`).toBe(true);
  });

  test('its gzip module reads the whole, and checks its sum', async () => {
    const decoder = python('import sys, gzip; print(gzip.decompress(sys.stdin.buffer.read()).hex())');
    decoder.stdin.end(STREAM);
    expect((await text(decoder.stdout)) === `${HEX}\n`).toBe(true);
  });
});

test('curl gives the text of each piece before the next is there', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Encoding': 'gzip', Connection: 'close' });
    response.write(GZIP_HEADER);
    void (async () => {
      for (const { piece, hex } of PIECES) {
        expected += hex;
        response.write(piece.bytes);
        while (received.length < expected.length) await once(curl.stdout, 'data');
      }
      response.end(end());
    })();
  });
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let expected = '';
  let received = '';
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const curl = spawn('curl', ['--silent', '--show-error', '--no-buffer', '--compressed', url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void curl.kill());
  curl.stdout.on('data', (chunk: Buffer) => {
    received += chunk.toString('hex');
  });
  const [code] = await once(curl, 'close');
  expect(code).toBe(0);
  expect(received === HEX).toBe(true);
});
