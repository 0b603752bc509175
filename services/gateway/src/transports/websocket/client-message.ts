import { FanfareError } from '../../errors.ts';
import type { Start } from '../../hub/hub.ts';
import { membersOf } from '../../json-source.ts';
import type { NewMessage } from '../../message.ts';
import { checkChannel, checkMessage, parseJson } from '../../request/publish-request.ts';
import { MAX_LAST } from '../stream-query.ts';

/** What a client may say. `ref` is the source text of the JSON string or number that it wants back with the answer. */
export type ClientMessage = { readonly ref: string | undefined } & (
  | { readonly type: 'auth'; readonly token: string }
  | { readonly type: 'subscribe'; readonly channel: string; readonly start: Start }
  | { readonly type: 'unsubscribe'; readonly channel: string }
  | { readonly type: 'publish'; readonly message: NewMessage }
  | { readonly type: 'ping' }
);

const MAX_REF_LENGTH = 100;
const MEMBERS: Record<ClientMessage['type'], readonly string[]> = {
  auth: ['token'],
  subscribe: ['channel', 'after', 'last'],
  unsubscribe: ['channel'],
  publish: ['channel', 'event', 'data', 'ttl', 'idempotencyKey'],
  ping: [],
};

/** A mistake in a client's message, with the `ref` to answer it by when there was one. */
export class ClientMessageError extends FanfareError {
  readonly ref: string | undefined;

  constructor(error: FanfareError, ref: string | undefined) {
    super(error.code, error.message);
    this.ref = ref;
  }
}

/** Reads one text message of a client. Throws ClientMessageError. */
export function readClientMessage(text: string, limits: { maxMessageBytes: number }): ClientMessage {
  let ref: string | undefined;
  try {
    const members = readMembers(text);
    ref = readRef(members);
    return readTyped(text, members, ref, limits);
  } catch (error) {
    if (error instanceof FanfareError) throw new ClientMessageError(error, ref);
    throw error;
  }
}

function readTyped(
  text: string,
  members: Map<string, string>,
  ref: string | undefined,
  limits: { maxMessageBytes: number },
): ClientMessage {
  const type = readString(members, 'type');
  if (type === undefined || !isType(type)) throw invalid(`"type" must be one of ${Object.keys(MEMBERS).join(', ')}`);
  const known = MEMBERS[type];
  for (const name of members.keys())
    if (name !== 'type' && name !== 'ref' && !known.includes(name)) throw unknownMember(type, name);

  switch (type) {
    case 'ping':
      return { type: 'ping', ref };
    case 'auth':
      return { type: 'auth', token: readToken(members), ref };
    case 'subscribe':
      return { type: 'subscribe', channel: readChannel(members), start: readStart(members), ref };
    case 'unsubscribe':
      return { type: 'unsubscribe', channel: readChannel(members), ref };
    case 'publish':
      return { type: 'publish', message: checkMessage(text, limits, '"publish"', { envelope: ['type', 'ref'] }), ref };
  }
}

function unknownMember(type: ClientMessage['type'], name: string): FanfareError {
  // It may be the token itself.
  if (type === 'auth') return invalid('"auth" may only have "token" and "ref"');
  return invalid(`"${type}" has the unknown member ${JSON.stringify(name.slice(0, 50))}`);
}

function isType(text: string): text is ClientMessage['type'] {
  return Object.hasOwn(MEMBERS, text);
}

function readMembers(text: string): Map<string, string> {
  parseJson(text);
  let members: Map<string, string> | undefined;
  try {
    members = membersOf(text);
  } catch (error) {
    throw invalid((error as Error).message);
  }
  if (members === undefined) throw invalid('a message must be a JSON object');
  return members;
}

function readRef(members: Map<string, string>): string | undefined {
  const source = members.get('ref');
  if (source === undefined) return undefined;
  if (!/^["\d-]/.test(source) || lengthOf(source) > MAX_REF_LENGTH)
    throw invalid(`"ref" must be a string or a number of at most ${MAX_REF_LENGTH} characters`);
  return source;
}

/** Characters of a string, or digits of a number. */
function lengthOf(source: string): number {
  return source.startsWith('"') ? String(JSON.parse(source)).length : source.length;
}

function readStart(members: Map<string, string>): Start {
  const after = readString(members, 'after') || undefined;
  const last = members.get('last');
  if (after !== undefined && last !== undefined) throw invalid('"after" and "last" exclude each other');
  if (after !== undefined) return { cursor: after };
  if (last === undefined) return {};
  const count = Number(last);
  if (!Number.isInteger(count) || count < 1 || count > MAX_LAST)
    throw invalid(`"last" is a whole number from 1 to ${MAX_LAST}`);
  return { last: count };
}

function readToken(members: Map<string, string>): string {
  const token = readString(members, 'token');
  if (token === undefined || token === '') throw invalid('"token" is missing');
  return token;
}

function readChannel(members: Map<string, string>): string {
  const channel = readString(members, 'channel');
  if (channel === undefined) throw invalid('"channel" is missing');
  checkChannel(channel, '"channel"');
  return channel;
}

function readString(members: Map<string, string>, name: string): string | undefined {
  const source = members.get(name);
  if (source === undefined) return undefined;
  const value: unknown = JSON.parse(source);
  if (typeof value !== 'string') throw invalid(`"${name}" must be a string`);
  return value;
}

function invalid(detail: string): FanfareError {
  return new FanfareError('invalid_request', detail);
}
