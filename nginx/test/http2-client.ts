import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import { until } from '../../services/gateway/test/support/until.ts';

/** One HTTP/2 connection to an edge, whoever signed its certificate. */
export class Http2Client {
  readonly session: ClientHttp2Session;
  /** The other side takes no new streams on this connection. */
  goneAway = false;

  constructor(url: string) {
    this.session = connect(url, { rejectUnauthorized: false });
    this.session.on('error', () => {});
    this.session.on('goaway', () => {
      this.goneAway = true;
    });
  }

  async open(): Promise<this> {
    await once(this.session, 'remoteSettings');
    return this;
  }

  request(path: string, headers: Record<string, string> = {}, body?: string): Http2Exchange {
    return new Http2Exchange(
      this.session.request({ ':path': path, ...headers }, { endStream: body === undefined }),
      body,
    );
  }

  close(): void {
    this.session.destroy();
  }
}

/** One request and what came of it: its own stream of the connection. */
export class Http2Exchange {
  readonly stream: ClientHttp2Stream;
  headers: IncomingHttpHeaders = {};
  status = 0;
  text = '';
  ended = false;

  constructor(stream: ClientHttp2Stream, body?: string) {
    this.stream = stream;
    stream.on('error', () => {});
    stream.on('response', (headers) => {
      this.headers = headers;
      this.status = headers[':status'] ?? 0;
    });
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
    });
    stream.on('close', () => {
      this.ended = true;
    });
    if (body !== undefined) stream.end(body);
  }

  /** Waits until what has come holds `text`. */
  async hears(text: string): Promise<this> {
    await until(() => this.text.includes(text), `${JSON.stringify(text)} to come`);
    return this;
  }

  async end(): Promise<this> {
    await until(() => this.ended, 'the end of the answer');
    return this;
  }
}
