import { idTime, isId, type Message } from '../../message.ts';
import type { HistoryEntry } from '../history-page.ts';

/** A stream entry as Redis replies it: its id, then names and values in turn. */
export type RawEntry = [id: string, fields: string[]];

/**
 * An entry that the log is known to have held. Two masters of which one does not know yet that it was replaced may give the
 * same id to different messages, so the id alone does not tell.
 */
export interface Held {
  readonly id: string;
  /** '' for a marker. */
  readonly channel: string;
  /** '' where it is not known. */
  readonly data: string;
}

/** True for an entry that says that the log starts (again) here. */
export function isMarker([, fields]: RawEntry): boolean {
  return fields[0] === 'f';
}

/** The id after which a marker says that something is gone; undefined when it is not known, or for other entries. */
export function goneAfter([, [name, id = '']]: RawEntry): string | undefined {
  return name === 'f' && isId(id) ? id : undefined;
}

/** An entry's data in UTF-16 code units: near enough to its bytes for sizing reads, and free. */
export function sizeOf([, fields]: RawEntry): number {
  return fields[3]?.length ?? 0;
}

/** What to remember of an entry of a partition's log. */
export function heldOf([id, [c, channel = '', , data = '']]: RawEntry): Held {
  return c === 'c' ? { id, channel, data } : { id, channel: '', data: '' };
}

/** True when `met` is what is known under its id; `known` may know less of it. */
export function isSame(known: Held, met: Held): boolean {
  return known.channel === met.channel && (known.data === '' || known.data === met.data);
}

/** Reads an entry of a partition's log; undefined when it is no message of ours. */
export function readLogEntry(entry: RawEntry): Message | undefined {
  const [, [c, channel, d]] = entry;
  return c !== 'c' || channel === undefined || d !== 'd' ? undefined : messageOf(channel, entry);
}

/** Reads an entry of a channel's history. */
export function readHistoryEntry(channel: string, entry: RawEntry): HistoryEntry {
  const [id, [, previous = '', d]] = entry;
  return d === 'd' ? { id, previous, message: messageOf(channel, entry) } : { id, previous };
}

/** In both, `d` and the data stand third and fourth; what follows is there only where the message has it. */
function messageOf(channel: string, [id, fields]: RawEntry): Message {
  const message: { -readonly [Part in keyof Message]: Message[Part] } = { id, channel, data: fields[3] ?? '' };
  for (let i = 4; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1] as string;
    if (fields[i] === 'e') message.event = value;
    else if (fields[i] === 't') message.expiresMs = idTime(id) + Number(value);
  }
  return message;
}
