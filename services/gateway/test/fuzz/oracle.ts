import { createRequire } from 'node:module';
import type { Told } from '../unit/wire/websocket/client.ts';

/** What `ws` throws; its close code stands under a symbol. */
type WsError = Error & { readonly code?: string };

interface WsReceiver extends NodeJS.EventEmitter {
  write(chunk: Buffer, callback?: (error?: Error | null) => void): boolean;
}

interface WsDeflate {
  accept(offers: object[]): void;
}

/** The parts of the `ws` library that its types leave out. */
const ws = createRequire(import.meta.url)('ws') as {
  Receiver: new (options: {
    isServer: boolean;
    maxPayload: number;
    extensions: Record<string, WsDeflate>;
  }) => WsReceiver;
  PerMessageDeflate: new (options: {
    isServer: boolean;
    maxPayload: number;
    serverNoContextTakeover: true;
    clientNoContextTakeover: true;
  }) => WsDeflate;
};

/** What another implementation tells of the same bytes. */
export async function receiveWithWs(bytes: Buffer, maxPayload: number, deflate: boolean): Promise<Told[]> {
  const told: Told[] = [];
  const extensions: Record<string, WsDeflate> = {};
  if (deflate) {
    const both = { serverNoContextTakeover: true, clientNoContextTakeover: true } as const;
    const extension = new ws.PerMessageDeflate({ isServer: true, maxPayload, ...both });
    extension.accept([{ client_no_context_takeover: [true], server_no_context_takeover: [true] }]);
    extensions['permessage-deflate'] = extension;
  }
  const receiver = new ws.Receiver({ isServer: true, maxPayload, extensions });
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    told.push(isBinary ? { binary: data.toString('hex') } : { text: data.toString() }),
  );
  receiver.on('ping', (data: Buffer) => told.push({ ping: data.toString('hex') }));
  receiver.on('pong', (data: Buffer) => told.push({ pong: data.toString('hex') }));
  receiver.on('conclude', (code: number, reason: Buffer) => told.push({ close: code, reason: reason.toString() }));
  receiver.on('error', () => {});
  const error = await new Promise<Error | null | undefined>((resolve) => {
    receiver.on('conclude', () => resolve(undefined));
    receiver.write(Buffer.from(bytes), resolve);
  });
  if (error) told.push({ failed: closeCodeOf(error) });
  return told;
}

function closeCodeOf(error: WsError): 1002 | 1007 | 1009 {
  for (const symbol of Object.getOwnPropertySymbols(error))
    if (symbol.description === 'status-code') return Reflect.get(error, symbol) as 1002 | 1007 | 1009;
  throw error;
}

/** Ours, and what it said when it failed. */
export interface Ours {
  readonly told: readonly Told[];
  readonly detail: string;
}

/**
 * Where `ws` tells something else than our receiver, and the RFCs leave no freedom to: in words; undefined when they agree
 * as far as they must.
 */
export function disagreement(ours: Ours, theirs: readonly Told[], deflate: boolean): string | undefined {
  const at = firstDifference(ours.told, theirs);
  if (at === -1) return undefined;
  const our = ours.told[at];
  const their = theirs[at];
  if (isExcused(our, their, ours.detail, deflate)) return undefined;
  return `at event ${at} we say ${say(our).slice(0, 200)}${ours.detail === '' ? '' : ` (${ours.detail})`}, ws says ${say(their).slice(0, 200)}`;
}

function isExcused(our: Told | undefined, their: Told | undefined, detail: string, deflate: boolean): boolean {
  if (our !== undefined && 'failed' in our) {
    // RFC 6455, 5.2 has both as a MUST; ws takes any form, and any length up to 2^53.
    if (detail === 'a length is not in its shortest form' || detail === 'a length has its topmost bit set') return true;
    // We fail at the first byte of a head, ws when it has both.
    if (our.failed === 1002 && their === undefined) return true;
    // We fail at the first bad byte (RFC 6455, 8.1), ws when the message is complete: until then it may tell other things.
    if (detail === 'a text message is not UTF-8' && !isMessage(their)) return true;
    // Of a compressed message that breaks off inside a block ws takes what there is, and it drops what follows a last block,
    // where RFC 7692, 7.2.3.4 has it go on.
    if (deflate && our.failed !== 1002 && isMessage(their)) return true;
  }
  if (!deflate) return false;
  // ws inflates fragment by fragment, and fails before the message is complete; and its limit holds for compressed bytes too.
  if (their !== undefined && 'failed' in their && their.failed !== 1002)
    return !isMessage(our) || their.failed === 1009;
  // The same last block, where what follows it is good.
  return isBeginningOf(their, our);
}

function isMessage(told: Told | undefined): boolean {
  return told !== undefined && ('text' in told || 'binary' in told);
}

function isBeginningOf(part: Told | undefined, whole: Told | undefined): boolean {
  if (part === undefined || whole === undefined) return false;
  if ('text' in part && 'text' in whole) return whole.text.startsWith(part.text);
  return 'binary' in part && 'binary' in whole && whole.binary.startsWith(part.binary);
}

function firstDifference(ours: readonly Told[], theirs: readonly Told[]): number {
  for (let at = 0; at < Math.max(ours.length, theirs.length); at++) if (say(ours[at]) !== say(theirs[at])) return at;
  return -1;
}

function say(told: Told | undefined): string {
  return told === undefined ? 'nothing' : JSON.stringify(told);
}
