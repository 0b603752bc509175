import { FanfareError } from '../errors.ts';
import { elementsOf } from '../json-source.ts';
import { channelProblem, eventProblem, idempotencyKeyProblem, type NewMessage, ttlProblem } from '../message.ts';
import { objectMembers, stringMember } from './members.ts';

/** Most messages in one batch. */
export const MAX_BATCH_MESSAGES = 1000;

/** Reads JSON text, and answers text that is none with `invalid_json` and the place of the mistake. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FanfareError('invalid_json', (error as Error).message);
  }
}

/** Where else in a request parts of a message stand. */
export interface MessageFrame {
  /** The channel and the key of the request, which the message itself then must not carry. */
  readonly outside?: { readonly channel: string; readonly idempotencyKey?: string };
  /** Members beside the message's own, which somebody else reads. */
  readonly envelope?: readonly string[];
}

/**
 * Checks a message as a publisher sends it: `{"channel"?, "event"?, "data", "ttl"?, "idempotencyKey"?}` as the source text of
 * valid JSON. `data` is kept as it was written. `at` names the place in the request for errors.
 * Throws FanfareError `invalid_request`, `invalid_channel` or `too_large`.
 */
export function checkMessage(
  text: string,
  limits: { maxMessageBytes: number },
  at: string,
  { outside, envelope = [] }: MessageFrame = {},
): NewMessage {
  const members = objectMembers(text, at);
  const allowed =
    outside === undefined ? ['channel', 'event', 'data', 'ttl', 'idempotencyKey'] : ['event', 'data', 'ttl'];
  for (const name of members.keys())
    if (!allowed.includes(name) && !envelope.includes(name))
      throw invalid(
        `${at} has the unknown member ${JSON.stringify(name.slice(0, 50))}; it may have ${allowed.join(', ')}`,
      );

  const data = members.get('data');
  if (data === undefined) throw invalid(`${at} has no "data"`);
  const dataBytes = Buffer.byteLength(data);
  if (dataBytes > limits.maxMessageBytes)
    throw new FanfareError('too_large', `${at}: "data" has ${dataBytes} bytes, the limit is ${limits.maxMessageBytes}`);

  const event = stringMember(members, 'event', at);
  const eventMistake = event === undefined ? undefined : eventProblem(event);
  if (eventMistake !== undefined) throw invalid(`${at}: "event": ${eventMistake}`);

  const channel = outside?.channel ?? stringMember(members, 'channel', at);
  if (channel === undefined) throw invalid(`${at} has no "channel"`);
  checkChannel(channel, at);

  const idempotencyKey = outside === undefined ? stringMember(members, 'idempotencyKey', at) : outside.idempotencyKey;
  const keyMistake = idempotencyKey === undefined ? undefined : idempotencyKeyProblem(idempotencyKey);
  if (keyMistake !== undefined) throw invalid(`${at}: ${keyMistake}`);

  const ttl = members.get('ttl');
  const ttlSeconds: unknown = ttl === undefined ? undefined : JSON.parse(ttl);
  const ttlMistake = ttlProblem(ttlSeconds);
  if (ttlMistake !== undefined) throw invalid(`${at}: "ttl": ${ttlMistake}`);

  return {
    channel,
    data,
    ...(ttlSeconds === undefined ? {} : { ttlSeconds: ttlSeconds as number }),
    ...(event === undefined ? {} : { event }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  };
}

/** The source texts of the messages in `{"messages":[…]}`. Throws FanfareError `invalid_request`. */
export function batchMessages(text: string): string[] {
  const members = objectMembers(text, 'the body');
  for (const name of members.keys())
    if (name !== 'messages') throw invalid(`the body has the unknown member ${JSON.stringify(name.slice(0, 50))}`);
  const messages = elementsOf(members.get('messages') ?? '');
  if (messages === undefined) throw invalid('the body must be {"messages":[…]}');
  if (messages.length === 0 || messages.length > MAX_BATCH_MESSAGES)
    throw invalid(`"messages" holds 1–${MAX_BATCH_MESSAGES} messages, here it holds ${messages.length}`);
  return messages;
}

/** Throws FanfareError `invalid_channel` for a bad name. */
export function checkChannel(name: string, at: string): void {
  const problem = channelProblem(name);
  if (problem !== undefined) throw new FanfareError('invalid_channel', `${at}: ${problem}`);
}

function invalid(detail: string): FanfareError {
  return new FanfareError('invalid_request', detail);
}
