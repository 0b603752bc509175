import type { EncodedMessage } from '../wire/encoded-message.ts';

/** True when the message is not replayed any more at `nowMs`, milliseconds since 1970. Hot: most have no such time. */
export function hasExpired({ message }: EncodedMessage, nowMs: number): boolean {
  return message.expiresMs !== undefined && message.expiresMs <= nowMs;
}
