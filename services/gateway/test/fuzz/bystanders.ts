import { get } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { WebSocket } from 'ws';
import { DeliveryLedger, type SubscriberPage } from '../support/delivery-ledger.ts';
import { until } from '../support/until.ts';
import { ask } from './ask.ts';
import { Violation } from './violation.ts';

const CHANNEL = 'bystanders:steady';
const SPACING_MILLISECONDS = 20;

/** A client that does nothing wrong. */
interface Bystander {
  readonly page: SubscriberPage;
  isOpen: boolean;
  /** How it lost its connection, if it did. */
  fault: string | undefined;
  close(): void;
}

/**
 * Clients that are connected while others are fuzzing, and a publisher: two event streams and two WebSockets, one of each
 * compressed. They must get every message, once and in order, and stay connected.
 */
export class Bystanders {
  readonly #port: number;
  readonly #ledger = new DeliveryLedger();
  readonly #all: readonly Bystander[];
  #published = 0;
  #fault: string | undefined;
  #isStopped = false;
  #publisher: Promise<void> | undefined;

  private constructor(port: number) {
    this.#port = port;
    const page = (name: string): SubscriberPage => this.#ledger.page(name, [CHANNEL]);
    this.#all = [
      stream(port, page('event stream'), false),
      stream(port, page('gzip event stream'), true),
      webSocket(port, page('WebSocket'), false),
      webSocket(port, page('deflate WebSocket'), true),
    ];
  }

  /** Connects them; nothing is published yet. */
  static async connect(port: number): Promise<Bystanders> {
    const bystanders = new Bystanders(port);
    await until(() => bystanders.#all.every(({ isOpen }) => isOpen), 'the bystanders to be connected');
    return bystanders;
  }

  startPublishing(): void {
    this.#publisher = this.#publish();
  }

  /** Messages that were published so far. */
  get published(): number {
    return this.#published;
  }

  /** Throws a Violation when one of them was cut off, or could not publish. */
  check(): void {
    const fault = this.#fault ?? this.#all.find((each) => each.fault !== undefined)?.fault;
    if (fault !== undefined) throw new Violation(`a bystander was disturbed: ${fault}`);
  }

  /** Stops publishing, and throws a Violation unless everyone has got everything. They stay connected. */
  async finish(): Promise<void> {
    this.#isStopped = true;
    await this.#publisher;
    this.check();
    await this.#ledger.settle(20);
    const faults = this.#ledger.faults();
    if (faults.length > 0) throw new Violation(`bystanders were disturbed:\n${faults.join('\n')}`);
  }

  close(): void {
    this.#isStopped = true;
    for (const each of this.#all) each.close();
  }

  async #publish(): Promise<void> {
    while (!this.#isStopped) {
      const data = { number: ++this.#published, filler: 'bystander '.repeat(this.#published % 50) };
      try {
        const { status, text } = await ask(this.#port, `/v1/channels/${CHANNEL}/messages`, JSON.stringify({ data }));
        if (status !== 201) throw new Error(`a publish was answered with ${status}: ${text}`);
        this.#ledger.accept('publisher', CHANNEL, JSON.parse(text).id, data);
      } catch (error) {
        this.#fault = String(error);
        return;
      }
      await setTimeout(SPACING_MILLISECONDS);
    }
  }
}

function stream(port: number, page: SubscriberPage, gzip: boolean): Bystander {
  const path = `/v1/sse?channel=${CHANNEL}&format=envelope`;
  const headers = gzip ? { 'accept-encoding': 'gzip' } : {};
  const asked = get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
    const isGzip = response.headers['content-encoding'] === 'gzip';
    if (isGzip !== gzip) bystander.fault = `${page.name}: the encoding is ${response.headers['content-encoding']}`;
    const text = (isGzip ? response.pipe(createGunzip()) : response).setEncoding('utf8');
    let rest = '';
    text.on('data', (chunk: string) => {
      const events = (rest + chunk).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) readEvent(page, event);
      bystander.isOpen = true;
    });
    text.on('error', (error: Error) => end(error.message));
    response.on('close', () => end('the stream was closed'));
  });
  asked.on('error', (error) => end(error.message));
  const end = (why: string): void => {
    bystander.fault ??= `${page.name}: ${why}`;
  };
  const bystander: Bystander = { page, isOpen: false, fault: undefined, close: () => asked.destroy() };
  return bystander;
}

function readEvent(page: SubscriberPage, event: string): void {
  const lines = event.split('\n');
  const data = lines.find((line) => line.startsWith('data: '))?.slice('data: '.length);
  if (lines.includes('event: fanfare:gap')) page.gap(CHANNEL, '', event);
  if (data === undefined || lines.some((line) => line.startsWith('event: '))) return;
  const message = JSON.parse(data);
  page.message(message.channel, message.id, message.data);
}

function webSocket(port: number, page: SubscriberPage, deflate: boolean): Bystander {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/ws?channel=${CHANNEL}`, 'fanfare.v1', {
    perMessageDeflate: deflate,
  });
  const bystander: Bystander = { page, isOpen: false, fault: undefined, close: () => socket.terminate() };
  socket.on('open', () => {
    const isDeflated = socket.extensions !== '';
    if (isDeflated !== deflate) bystander.fault = `${page.name}: the extensions are "${socket.extensions}"`;
  });
  socket.on('message', (bytes) => {
    const message = JSON.parse(bytes.toString());
    if (message.type === 'subscribed') bystander.isOpen = true;
    if (message.type === 'gap') page.gap(CHANNEL, message.after, message.reason);
    if (message.type === 'message') page.message(message.channel, message.id, message.data);
  });
  socket.on('error', (error) => {
    bystander.fault ??= `${page.name}: ${error.message}`;
  });
  socket.on('close', (code, reason) => {
    bystander.fault ??= `${page.name}: closed with ${code} ${reason}`;
  });
  return bystander;
}
