import { expect } from 'vitest';
import { Receiver } from '../../../../src/wire/websocket/receiver.ts';
import { Recorder, type Told } from './client.ts';

/** Bytes that a message may have, where a test says nothing else. */
export const MAX = 1000;

/** What a fresh receiver tells of these bytes, when they come in one chunk. */
export function receive(bytes: Buffer | readonly Buffer[], maxMessageBytes = MAX, deflate = false): Told[] {
  const handler = new Recorder();
  new Receiver({ maxMessageBytes, deflate, handler }).push(Buffer.concat([bytes].flat()));
  return handler.told;
}

/** The same, byte by byte: every byte is a chunk of its own. */
export function receiveByBytes(bytes: Buffer | readonly Buffer[], maxMessageBytes = MAX, deflate = false): Told[] {
  const handler = new Recorder();
  const receiver = new Receiver({ maxMessageBytes, deflate, handler });
  for (const byte of Buffer.concat([bytes].flat())) receiver.push(Buffer.from([byte]));
  return handler.told;
}

/** Expects a fresh receiver to tell just this, however the bytes are cut. */
export function expectTold(
  bytes: Buffer | readonly Buffer[],
  told: Told[],
  maxMessageBytes = MAX,
  deflate = false,
): void {
  expect(receive(bytes, maxMessageBytes, deflate), 'in one chunk').toEqual(told);
  expect(receiveByBytes(bytes, maxMessageBytes, deflate), 'byte by byte').toEqual(told);
}

/** How many bytes a receiver takes until it fails. */
export function bytesUntilFailure(bytes: Buffer, maxMessageBytes = MAX, deflate = false): number {
  const handler = new Recorder();
  const receiver = new Receiver({ maxMessageBytes, deflate, handler });
  for (let at = 0; at < bytes.length; at++) {
    receiver.push(Buffer.from(bytes.subarray(at, at + 1)));
    if (handler.told.some((each) => 'failed' in each)) return at + 1;
  }
  return Number.POSITIVE_INFINITY;
}
