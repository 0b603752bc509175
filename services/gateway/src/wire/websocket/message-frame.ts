import type { Message } from '../../message.ts';
import { encodeText } from './frame.ts';

/** A message as the text frame that carries it: `{"type":"message","channel","id","event"?,"data"}`. */
export function encodeMessageFrame(message: Message): Buffer {
  const event = message.event === undefined ? '' : `,"event":${JSON.stringify(message.event)}`;
  return encodeText(
    `{"type":"message","channel":"${message.channel}","id":"${message.id}"${event},"data":${message.data}}`,
  );
}
