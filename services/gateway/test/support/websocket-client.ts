import { WebSocket } from 'ws';
import { until } from './until.ts';

/** What a node sends. */
export type ServerMessage = { readonly type: string } & Readonly<Record<string, unknown>>;

/** A `ws` client that keeps everything it is told. */
export class WebSocketClient {
  readonly received: ServerMessage[] = [];
  readonly texts: string[] = [];
  readonly socket: WebSocket;
  closeCode: number | undefined;
  closeReason = '';

  constructor(url: string) {
    this.socket = new WebSocket(url.replace(/^http/, 'ws'));
    this.socket.on('message', (data) => {
      this.texts.push(data.toString());
      this.received.push(JSON.parse(data.toString()) as ServerMessage);
    });
    this.socket.on('close', (code, reason) => {
      this.closeCode = code;
      this.closeReason = reason.toString();
    });
    this.socket.on('error', () => {
      this.closeCode ??= 1006;
    });
  }

  /** Everything of one type that has come. */
  of(type: string): readonly ServerMessage[] {
    return this.received.filter((message) => message.type === type);
  }

  async open(): Promise<this> {
    await until(() => this.of('welcome').length > 0 || this.closeCode !== undefined, 'the welcome');
    return this;
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Says something and waits for the answer with the same `ref`. */
  async ask(message: object): Promise<ServerMessage> {
    const ref = `ask-${this.received.length}-${Math.random()}`;
    this.say({ ...message, ref });
    const answer = (): ServerMessage | undefined => this.received.find((candidate) => candidate.ref === ref);
    await until(() => answer() !== undefined, `an answer to ${JSON.stringify(message)}`);
    return answer() as ServerMessage;
  }

  close(): void {
    this.socket.close();
  }
}
