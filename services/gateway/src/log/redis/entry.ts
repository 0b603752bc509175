import type { Message } from '../../message.ts';
import type { Held } from './unseen.ts';

/** A stream entry as Redis replies it: its id, then names and values in turn. */
export type RawEntry = [id: string, fields: string[]];

/** True for an entry that says that the log starts (again) here. */
export function isMarker([, fields]: RawEntry): boolean {
  return fields[0] === 'f';
}

/** An entry's data in UTF-16 code units: near enough to its bytes for sizing reads, and free. */
export function sizeOf([, fields]: RawEntry): number {
  return fields[3]?.length ?? 0;
}

/** What to remember of an entry of a partition's log. */
export function heldOf([id, [c, channel = '', , data = '']]: RawEntry): Held {
  return c === 'c' ? { id, channel, data } : { id, channel: '', data: '' };
}

/** Reads an entry of a partition's log; undefined when it is no message of ours. */
export function readLogEntry([id, fields]: RawEntry): Message | undefined {
  const [c, channel, d, data, e, event] = fields;
  if (c !== 'c' || channel === undefined || d !== 'd' || data === undefined) return undefined;
  return e === 'e' && event !== undefined ? { id, channel, event, data } : { id, channel, data };
}

/** Reads an entry of a channel's history; `previous` is the id of the channel's message before it. */
export function readHistoryEntry(channel: string, [id, fields]: RawEntry): { message: Message; previous: string } {
  const [, previous = '', , data = '', e, event] = fields;
  const message = e === 'e' && event !== undefined ? { id, channel, event, data } : { id, channel, data };
  return { message, previous };
}
