import { type Message, messageJson } from '../message.ts';

/**
 * Server-Sent Events as bytes: WHATWG HTML, section 9.2.5 (parsing an event stream) and 9.2.6 (interpreting it).
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */

/** Each kind of line end that the standard knows ends a field, so text that holds one becomes several `data` fields. */
const LINE_END = /\r\n|\r|\n/;

/** One event block: `id`, `event` and `data` fields in this order, and the empty line that dispatches it. */
export function encodeEvent(event: { id?: string; name?: string; data: string }): string {
  let block = event.id === undefined ? '' : `id: ${event.id}\n`;
  if (event.name !== undefined) block += `event: ${event.name}\n`;
  if (event.data.includes('\n') || event.data.includes('\r'))
    for (const line of event.data.split(LINE_END)) block += `data: ${line}\n`;
  else block += `data: ${event.data}\n`;
  return `${block}\n`;
}

/** A message whose `data:` is the publisher's JSON. */
export function encodeRaw(message: Message): string {
  return encodeEvent({
    id: message.id,
    ...(message.event === undefined ? {} : { name: message.event }),
    data: message.data,
  });
}

/**
 * A message whose `data:` is the whole message as JSON. It has no `event:` line: the name stands inside, and so one
 * `onmessage` handler gets every message (an EventSource hands a named event only to those who know the name).
 */
export function encodeEnvelope(message: Message): string {
  return encodeEvent({ id: message.id, data: messageJson(message) });
}

/** A comment that keeps the connection alive, and the cursor that moves on though nothing fires. */
export function encodeHeartbeat(cursor?: string): string {
  return cursor === undefined ? ': heartbeat\n\n' : `: heartbeat\nid: ${cursor}\n\n`;
}

/** What every stream begins with. `cursor` is where it starts; left out where that is known only after a read. */
export function encodePreamble(retryMilliseconds: number, cursor?: string): string {
  return `: fanfare\nretry: ${retryMilliseconds}\n${cursor === undefined ? '' : `id: ${cursor}\n`}\n`;
}
