import { spawn } from 'node:child_process';
import { get } from 'node:http';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { EventStreamParser, type SseEvent } from '../../support/event-stream-parser.ts';
import { PYTHON } from '../../support/python.ts';

/** Something that asks for gzip, undoes it as it comes, and reads the events in it. */
export interface GzipReader {
  /** Its events, from one on. */
  events(from: number): Promise<readonly SseEvent[]>;
  stop(): void;
}

/** Reads a stream of the address piecewise, and prints what it makes of each piece at once. */
const PYTHON_READER = `
import http.client, sys, urllib.parse, zlib
url = urllib.parse.urlsplit(sys.argv[1])
connection = http.client.HTTPConnection(url.netloc)
connection.request('GET', url.path + '?' + url.query, headers={'Accept-Encoding': 'gzip'})
response = connection.getresponse()
assert response.headers['Content-Encoding'] == 'gzip'
decoder = zlib.decompressobj(31)
while chunk := response.read1(1000):
    sys.stdout.buffer.write(decoder.decompress(chunk))
    sys.stdout.buffer.flush()
`;

const GZIP = { 'accept-encoding': 'gzip' };

function readerOf(parser: EventStreamParser, stop: () => void): GzipReader {
  return { events: async (from) => parser.events.slice(from), stop };
}

/** What a program prints. */
function printed(command: string, args: readonly string[]): GzipReader {
  const parser = new EventStreamParser();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.on('data', (chunk: Buffer) => parser.push(chunk));
  return readerOf(parser, () => child.kill());
}

/** What comes out of a stream of the Web. */
async function readAll(body: ReadableStream<Uint8Array>, parser: EventStreamParser): Promise<void> {
  for await (const chunk of body) parser.push(chunk);
}

/** What reads gzip in the ways that clients do; Chromium is not among them. */
export const GZIP_READERS: Readonly<Record<string, (url: string) => GzipReader>> = {
  'curl --compressed': (url) => printed('curl', ['--silent', '--no-buffer', '--compressed', url]),
  "Python's zlib": (url) => printed(PYTHON, ['-c', PYTHON_READER, url]),
  'node:zlib': (url) => {
    const parser = new EventStreamParser();
    const request = get(url, { headers: GZIP, agent: false }, (response) => {
      const gunzip = createGunzip().on('data', (chunk: Buffer) => parser.push(chunk));
      response.on('error', () => gunzip.destroy()).pipe(gunzip);
    });
    return readerOf(parser, () => request.destroy());
  },
  DecompressionStream: (url) => {
    const parser = new EventStreamParser();
    const request = get(url, { headers: GZIP, agent: false }, (response) => {
      const plain = Readable.toWeb(response).pipeThrough(new DecompressionStream('gzip'));
      // It ends with the request.
      readAll(plain, parser).catch(() => {});
    });
    return readerOf(parser, () => request.destroy());
  },
  "Node's fetch": (url) => {
    const parser = new EventStreamParser();
    const abort = new AbortController();
    fetch(url, { headers: GZIP, signal: abort.signal })
      .then(({ body }) => readAll(body as ReadableStream<Uint8Array>, parser))
      .catch(() => {});
    return readerOf(parser, () => abort.abort());
  },
};
