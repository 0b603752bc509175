import { constants, deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bystanders } from '../../support/bystanders.ts';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { GARBAGE, MiB, peakMemory } from '../../support/memory.ts';
import { CONTINUATION, clientFragments, clientFrame, RawWebSocket, RSV1, TEXT } from '../../support/raw-websocket.ts';

const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
/** Clients that do the same at once. */
const CROWD = 8;
/** What little cost is: less than what one of them means; far more than all messages that are allowed. */
const LITTLE = 48 * MiB;
/** The same for those who write it out: what they send until they notice is garbage besides. A quarter of what they all have. */
const LITTLE_AND_GARBAGE = GARBAGE + 64 * MiB;
/** A mask that changes nothing, so that much can be sent at little cost. */
const NO_MASK = Buffer.alloc(4);

let gateway: Gateway;
let bystanders: Bystanders;
beforeAll(async () => {
  gateway = await startGateway();
  bystanders = await Bystanders.watch(gateway);
});
afterAll(async () => {
  await bystanders?.leave();
  await gateway?.kill();
});

const closed = (reason: string): Promise<number> =>
  metric(gateway, 'fanfare_connections_closed_total', `transport="websocket",reason="${reason}"`);

/** The head of a frame of 64 MiB, and its payload in 64 pieces. */
function oneFrame(): Buffer[] {
  const start = Buffer.from([0x80 | TEXT, 0xff, 0, 0, 0, 0, 4, 0, 0, 0, ...NO_MASK]);
  return [start, ...Array.from({ length: 64 }, () => Buffer.alloc(MiB, 'x'))];
}

/** 64 MiB in frames of 32 KiB. */
function fragments(): Buffer[] {
  const piece = Buffer.alloc(32 * 1024, 'x');
  const frame = clientFrame(CONTINUATION, piece, { fin: false, mask: NO_MASK });
  const frames = Buffer.concat(Array.from({ length: 32 }, () => frame));
  return [clientFrame(TEXT, '', { fin: false }), ...Array.from({ length: 64 }, () => frames)];
}

/** 64 MiB of nothing, compressed to 64 KiB (RFC 7692, 7.2.1). */
const BOMB = deflateRawSync(Buffer.alloc(64 * MiB), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
/** 16 times 4 MiB of nothing, each ending with a block that says it is the last (RFC 7692, 7.2.3.4). */
const MANY_BOMBS = Buffer.concat(Array.from({ length: 16 }, () => deflateRawSync(Buffer.alloc(4 * MiB))));
/** 30,000 times an empty block that says it is the last. */
const ENDS = Buffer.concat(Array.from({ length: 30_000 }, () => deflateRawSync('')));

const compressed = (payload: Buffer): Buffer[] => [clientFrame(TEXT, payload, { reserved: RSV1 })];
const inPieces = (payload: Buffer): Buffer[] =>
  clientFragments(
    TEXT,
    Array.from({ length: Math.ceil(payload.length / 100) }, (_, i) => payload.subarray(100 * i, 100 * i + 100)),
    { reserved: RSV1 },
  );

test.for<[string, () => Buffer[], number]>([
  ['64 MiB in one frame', oneFrame, LITTLE_AND_GARBAGE],
  ['64 MiB in frames of 32 KiB', fragments, LITTLE_AND_GARBAGE],
  ['64 MiB, compressed', () => compressed(BOMB), LITTLE],
  ['64 MiB, compressed, in frames of 100 bytes', () => inPieces(BOMB), LITTLE],
  ['64 MiB, compressed, with many ends', () => compressed(MANY_BOMBS), LITTLE],
  ['nothing, compressed, with 30,000 ends', () => compressed(ENDS), LITTLE],
])('a message that is too much is refused at little cost: %s', async ([, make, bound]) => {
  const before = await closed('too_large');
  const sockets = Array.from({ length: CROWD }, () => new RawWebSocket(gateway.port, '/v1/ws', undefined, DEFLATE));
  for (const socket of sockets) await socket.hears('"welcome"');
  const memory = await peakMemory(gateway);
  const pieces = make();
  const send = (from: number, to: number): Promise<unknown> =>
    Promise.all(
      sockets.map(async ({ socket }) => {
        for (const piece of pieces.slice(from, to)) await new Promise((sent) => socket.write(piece, sent));
      }),
    );
  const half = Math.ceil(pieces.length / 2);
  await send(0, half);
  // In the middle of it, where it has a middle.
  await bystanders.areServed();
  await send(half, pieces.length);
  for (const socket of sockets) expect((await socket.closeFrame()).code).toBe(1009);
  for (const socket of sockets) await socket.end();
  expect((await closed('too_large')) - before).toBe(CROWD);
  expect((await peakMemory(gateway)) - memory).toBeLessThan(bound);
});

test('a frame that is too large is refused at its head', async () => {
  const socket = await new RawWebSocket(gateway.port).hears('"welcome"');
  const [start = Buffer.alloc(0)] = oneFrame();
  // Not even the mask has come.
  expect(await (socket.send(start.subarray(0, 10)) as RawWebSocket).closeFrame()).toMatchObject({ code: 1009 });
  await socket.end();
});
