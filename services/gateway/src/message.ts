/**
 * One message as the log carries it.
 *
 * `data` is JSON text exactly as the publisher wrote it (it may span lines); it is never parsed and printed again.
 */
export interface Message {
  readonly id: string;
  readonly channel: string;
  readonly event?: string;
  readonly data: string;
  /**
   * From when on it is not replayed any more, milliseconds since 1970 by the log's clock. Only where the publisher set a
   * time to live; else the namespace's retention alone decides.
   */
  readonly expiresMs?: number;
}

/** A message that the log has not yet given an id. */
export interface NewMessage {
  readonly channel: string;
  readonly event?: string;
  readonly data: string;
  /** How long it may be replayed, seconds, ≥ 1. Unset: as long as its namespace's history holds it. */
  readonly ttlSeconds?: number;
  /** 1–255 printable ASCII characters; the same key on the same channel is appended once. */
  readonly idempotencyKey?: string;
}

/** Why the messages after a cursor can no longer be replayed in full. */
export type GapReason = 'trimmed' | 'expired' | 'rewound' | 'unknown';

export const MAX_CHANNEL_LENGTH = 200;
export const MAX_EVENT_LENGTH = 200;
export const MAX_IDEMPOTENCY_KEY_LENGTH = 255;
export const MAX_TTL_SECONDS = 31_536_000;

/** Event names that begin with this are Fanfare's own. */
export const RESERVED_EVENT_PREFIX = 'fanfare:';

const CHANNEL = /^[A-Za-z0-9_\-.:@]+$/;
const ID = /^(\d{1,20})-(\d{1,20})$/;
const PRINTABLE_ASCII = /^[\x21-\x7e]+$/;

/** The id before every message of a log. */
export const ZERO_ID = '0-0';

/** What is wrong with a channel's name, or undefined when it is good. */
export function channelProblem(name: string): string | undefined {
  if (name.length === 0) return 'a channel name must not be empty';
  if (name.length > MAX_CHANNEL_LENGTH)
    return `a channel name has at most ${MAX_CHANNEL_LENGTH} characters, this one has ${name.length}`;
  if (!CHANNEL.test(name)) return 'a channel name is made of A–Z a–z 0–9 _ - . : @ only';
  return undefined;
}

/** What is wrong with an event's name, or undefined when it is good. */
export function eventProblem(name: string): string | undefined {
  if (name.length === 0) return 'an event name must not be empty; leave "event" out instead';
  if (name.length > MAX_EVENT_LENGTH)
    return `an event name has at most ${MAX_EVENT_LENGTH} characters, this one has ${name.length}`;
  if (/[\r\n\0]/.test(name)) return 'an event name must not hold a line break or NUL';
  if (!name.isWellFormed()) return 'an event name must not hold half of a surrogate pair';
  if (name.startsWith(RESERVED_EVENT_PREFIX))
    return `event names that begin with "${RESERVED_EVENT_PREFIX}" are reserved`;
  return undefined;
}

/** What is wrong with an idempotency key, or undefined when it is good. */
export function idempotencyKeyProblem(key: string): string | undefined {
  if (key.length === 0 || key.length > MAX_IDEMPOTENCY_KEY_LENGTH || !PRINTABLE_ASCII.test(key))
    return `an idempotency key is 1–${MAX_IDEMPOTENCY_KEY_LENGTH} printable ASCII characters without spaces`;
  return undefined;
}

/** What is wrong with a message's time to live, or undefined when it is good or left out. */
export function ttlProblem(seconds: unknown): string | undefined {
  if (
    seconds === undefined ||
    (Number.isInteger(seconds) && Number(seconds) >= 1 && Number(seconds) <= MAX_TTL_SECONDS)
  )
    return undefined;
  return `a time to live is a whole number of seconds from 1 to ${MAX_TTL_SECONDS}`;
}

/** The part of a channel's name before the first `:`, or all of it. A namespace lives on exactly one partition. */
export function namespaceOf(channel: string): string {
  const colon = channel.indexOf(':');
  return colon === -1 ? channel : channel.slice(0, colon);
}

/** The partition (0 … partitions−1) that holds a channel: FNV-1a (32 bit) over its namespace. */
export function partitionOf(channel: string, partitions: number): number {
  if (partitions === 1) return 0;
  let hash = 0x811c9dc5;
  const namespace = namespaceOf(channel);
  for (let i = 0; i < namespace.length; i++) hash = Math.imul(hash ^ namespace.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % partitions;
}

/** True for text of the form `<milliseconds>-<sequence>`, both unsigned 64-bit: the ids of a Redis stream. */
export function isId(text: string): boolean {
  const match = ID.exec(text);
  return match !== null && fitsUint64(match[1] as string) && fitsUint64(match[2] as string);
}

function fitsUint64(digits: string): boolean {
  return digits.length < 20 || digits <= '18446744073709551615';
}

/** Milliseconds since 1970 at which the message with this id was appended, by the log's clock. */
export function idTime(id: string): number {
  return Number.parseInt(id, 10);
}

/** Orders two ids of one partition: negative when `a` is older, 0 when they are the same. Allocates nothing for usual ids. */
export function compareIds(a: string, b: string): number {
  if (a === b) return 0;
  const dashA = a.indexOf('-');
  const dashB = b.indexOf('-');
  const byTime = compareDigits(a, 0, dashA, b, 0, dashB);
  return byTime !== 0 ? byTime : compareDigits(a, dashA + 1, a.length, b, dashB + 1, b.length);
}

function compareDigits(a: string, startA: number, endA: number, b: string, startB: number, endB: number): number {
  while (startA < endA - 1 && a.charCodeAt(startA) === 48) startA++;
  while (startB < endB - 1 && b.charCodeAt(startB) === 48) startB++;
  const byLength = endA - startA - (endB - startB);
  if (byLength !== 0) return byLength;
  for (let i = 0; i < endA - startA; i++) {
    const difference = a.charCodeAt(startA + i) - b.charCodeAt(startB + i);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** A message as a JSON object. `data` stands last, as the publisher wrote it. */
export function messageJson(message: Message): string {
  const event = message.event === undefined ? '' : `,"event":${JSON.stringify(message.event)}`;
  return `{"id":"${message.id}","channel":"${message.channel}"${event},"data":${message.data}}`;
}

const MAX_SEQUENCE = '18446744073709551615';

/** The id right before `id`: reading on from it brings `id` first. */
export function idBefore(id: string): string {
  const dash = id.indexOf('-');
  const milliseconds = BigInt(id.slice(0, dash));
  const sequence = BigInt(id.slice(dash + 1));
  if (sequence > 0n) return `${milliseconds}-${sequence - 1n}`;
  return milliseconds > 0n ? `${milliseconds - 1n}-${MAX_SEQUENCE}` : id;
}
