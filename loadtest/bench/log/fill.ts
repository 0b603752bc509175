import type { Log } from '../../../services/gateway/src/log/log.ts';
import { type Timed, timed } from './timed.ts';

/** Messages to append: one to each channel in turn. */
export interface Fill {
  readonly channels: number;
  /** The number of the first of those channels. Default: 0. */
  readonly firstChannel?: number;
  /** Messages that they have had already. Default: 0. */
  readonly had?: number;
  readonly messages: number;
  /** Of each message's `data`. */
  readonly dataBytes: number;
  /** True: each with an idempotency key of 36 characters. Default: without. */
  readonly keyed?: boolean;
}

const BATCH = 1000;

/** A name as real ones are: a kind of thing, and which one. */
export function channelName(number: number): string {
  return `orders:${String(number).padStart(8, '0')}`;
}

/** Appends as fast as it can by batches, two of them under way. */
export function fill(log: Log, request: Fill): Promise<Timed> {
  const { channels, firstChannel = 0, had = 0, messages, dataBytes, keyed = false } = request;
  const data = JSON.stringify('x'.repeat(dataBytes - 2));
  const end = had + messages;
  let next = had;
  const loop = async (): Promise<void> => {
    while (next < end) {
      const from = next;
      next = Math.min(end, next + BATCH);
      const batch = Array.from({ length: next - from }, (_, i) => {
        const message = { channel: channelName(firstChannel + ((from + i) % channels)), data };
        return keyed ? { ...message, idempotencyKey: crypto.randomUUID() } : message;
      });
      for (const outcome of await log.appendMany(batch)) if (outcome instanceof Error) throw outcome;
    }
  };
  return timed(async () => {
    await Promise.all([loop(), loop()]);
    return messages;
  });
}
