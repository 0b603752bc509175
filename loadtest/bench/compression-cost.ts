import process from 'node:process';
import { EncodedMessage } from '../../services/gateway/src/wire/encoded-message.ts';
import { median } from './median.ts';
import type { Transport } from './stream-reader.ts';

const PASSES = 20;
/** Before them: until the compiler has seen all that is hot. */
const WARM_UP_PASSES = 20;
/** Of text in each pass: enough for the clock of the CPU. */
const PASS_BYTES = 256 * 1024;

/**
 * CPU microseconds of compressing one message by the gateway's own code, in a loop in this process: the median of some
 * passes over messages whose plain bytes are made already.
 */
export function compressionCost(transport: Transport, data: readonly string[]): number {
  const passBytes = data.reduce((bytes, each) => bytes + each.length, 0);
  const repeats = Math.ceil(PASS_BYTES / passBytes);
  const costs = Array.from({ length: WARM_UP_PASSES + PASSES }, () => {
    const messages = Array.from({ length: repeats * data.length }, (_, i) =>
      plain(transport, data[i % data.length] ?? ''),
    );
    const before = process.cpuUsage();
    for (const message of messages) compress(transport, message);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / messages.length;
  });
  return median(costs.slice(WARM_UP_PASSES));
}

function plain(transport: Transport, data: string): EncodedMessage {
  const message = new EncodedMessage({ id: '1763600000000-0', channel: 'bench', data });
  message.bytes(transport);
  return message;
}

function compress(transport: Transport, message: EncodedMessage): void {
  if (transport === 'sse') message.piece('sse-gzip');
  else message.bytes('websocket-deflate');
}
