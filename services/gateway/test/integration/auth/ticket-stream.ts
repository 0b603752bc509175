import { WebSocket } from 'ws';
import { SseClient } from '../../support/sse-client.ts';
import { until } from '../../support/until.ts';

/** The `name=value` of the first cookie that an answer sets. */
const cookieIn = (lines: readonly string[] | undefined): string | undefined => lines?.[0]?.split(';')[0];

/** An event stream that a ticket may have opened, and the cookie that came with it. */
export class TicketStream {
  readonly client: SseClient;

  private constructor(client: SseClient) {
    this.client = client;
  }

  /** Resolves when there is an answer, whatever it is. */
  static async open(url: string, query: string, cookie = ''): Promise<TicketStream> {
    const client = new SseClient(`${url}/v1/sse?${query}`, cookie === '' ? {} : { cookie });
    return new TicketStream(await client.open());
  }

  get status(): number {
    return this.client.status;
  }

  get text(): string {
    return this.client.text;
  }

  get cookie(): string | undefined {
    return cookieIn(this.client.headers['set-cookie']);
  }

  close(): void {
    this.client.close();
  }
}

/** The same by WebSocket. */
export interface TicketSocket {
  readonly text: string;
  readonly cookie: string | undefined;
  readonly closeCode: number | undefined;
  close(): void;
}

/** Resolves when the handshake has been answered. `say`: a message to send at once. */
export async function ticketSocket(
  url: string,
  query: string,
  { cookie = '', say }: { readonly cookie?: string | undefined; readonly say?: object } = {},
): Promise<TicketSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws?${query}`, {
    headers: cookie === '' ? {} : { cookie },
  });
  const seen = { text: '', cookie: undefined as string | undefined, closeCode: undefined as number | undefined };
  socket.on('upgrade', ({ headers }) => {
    seen.cookie = cookieIn(headers['set-cookie']);
  });
  socket.on('message', (data) => {
    seen.text += data.toString();
  });
  socket.on('close', (code) => {
    seen.closeCode = code;
  });
  // The close says the same.
  socket.on('error', () => {});
  await until(() => socket.readyState !== WebSocket.CONNECTING, 'the handshake');
  if (say !== undefined) socket.send(JSON.stringify(say));
  return Object.assign(seen, { close: () => socket.terminate() });
}
