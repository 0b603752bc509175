import { describe, expect, test } from 'vitest';
import { EncodedMessage } from '../../../src/wire/encoded-message.ts';
import { encodeEnvelope, encodeRaw } from '../../../src/wire/sse.ts';
import { encodeMessageFrame } from '../../../src/wire/websocket/message-frame.ts';

const MESSAGES = [
  { id: '1-0', channel: 'a', data: 'null' },
  { id: '18446744073709551615-18446744073709551615', channel: 'orders:eu', event: 'é😀', data: '"ü\\ud800"' },
  { id: '1763600000000-7', channel: 'a', event: 'e', data: `[\r\n${' '.repeat(70_000)}]` },
];

describe.each(MESSAGES)('the message $id', (message) => {
  test('has the bytes of each format', () => {
    const encoded = new EncodedMessage(message);
    expect(encoded.bytes('sse').toString()).toBe(encodeRaw(message));
    expect(encoded.bytes('sse-envelope').toString()).toBe(encodeEnvelope(message));
    expect(encoded.bytes('websocket').equals(encodeMessageFrame(message))).toBe(true);
  });

  test('is encoded once for each format', () => {
    const encoded = new EncodedMessage(message);
    for (const format of ['sse', 'sse-envelope', 'websocket'] as const)
      expect(encoded.bytes(format)).toBe(encoded.bytes(format));
  });

  test('can be had without its id line, over the same memory', () => {
    const encoded = new EncodedMessage(message);
    for (const format of ['sse', 'sse-envelope'] as const) {
      const whole = encoded.bytes(format);
      const rest = encoded.bytesWithoutId(format);
      expect(`id: ${message.id}\n${rest.toString()}`).toBe(whole.toString());
      expect(rest.buffer).toBe(whole.buffer);
    }
  });

  test('costs more memory than its text', () => {
    expect(new EncodedMessage(message).memoryBytes).toBeGreaterThan(message.data.length);
  });
});
