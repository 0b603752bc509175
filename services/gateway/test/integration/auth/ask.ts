import { type IncomingHttpHeaders, request } from 'node:http';

export interface Asked {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Of an event stream only what came first. */
  readonly text: string;
}

export interface Question {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

/** One request on a connection of its own; the path goes out byte for byte. It leaves a stream that opens. */
export function ask(url: string, path: string, { method = 'GET', headers = {}, body }: Question = {}): Promise<Asked> {
  const { hostname, port } = new URL(url);
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const options = { hostname, port, path, method, headers: { ...headers, ...length }, agent: false };
    const outgoing = request(options, (response) => {
      const isStream = response.headers['content-type']?.startsWith('text/event-stream') ?? false;
      let text = '';
      const done = (): void => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        outgoing.destroy();
      };
      response.on('data', (chunk) => {
        text += chunk;
        if (isStream) done();
      });
      response.on('end', done);
      // Cut off by ourselves, or by a node that has said all.
      response.on('error', done);
    });
    outgoing.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: '' });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** A POST of JSON. */
export function post(url: string, path: string, value: unknown, headers: Question['headers'] = {}): Promise<Asked> {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  return ask(url, path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
}

export const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

/** Publishes one message with a token or a key. */
export function publishAs(url: string, secret: string, channel: string, data: unknown): Promise<Asked> {
  return post(url, `/v1/channels/${channel}/messages`, { data }, bearer(secret));
}

/** The data of all messages that a channel's history holds. */
export async function historyOf(url: string, secret: string, channel: string): Promise<unknown[]> {
  const answer = await ask(url, `/v1/channels/${channel}/messages?limit=1000`, { headers: bearer(secret) });
  if (answer.status !== 200) throw new Error(`history of ${channel}: ${answer.status} ${answer.text}`);
  const { messages } = JSON.parse(answer.text) as { messages: { data: unknown }[] };
  return messages.map(({ data }) => data);
}
