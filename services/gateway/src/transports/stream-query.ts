import { FanfareError } from '../errors.ts';
import type { Start } from '../hub/hub.ts';
import { channelProblem } from '../message.ts';

/** Most retained messages of each channel that a stream may start with. */
export const MAX_LAST = 1000;
/** The same over all channels of one request: they are in memory while the reader takes them. */
const MAX_LAST_OF_ALL = 10_000;

/**
 * Reads what a stream shall follow and where it starts from its query: `channel` (repeatable), `after` or `last`.
 * Throws FanfareError `invalid_request`, `invalid_channel` or `too_many_channels`.
 */
export function readStreamQuery(
  query: URLSearchParams,
  allowed: readonly string[],
  maxChannels: number,
): { channels: string[]; start: Start } {
  for (const name of query.keys())
    if (!allowed.includes(name))
      throw new FanfareError(
        'invalid_request',
        `unknown query parameter ${JSON.stringify(name.slice(0, 50))}; known are ${allowed.join(', ')}`,
      );
  for (const name of ['after', 'last', 'format', 'ticket'])
    if (query.getAll(name).length > 1) throw new FanfareError('invalid_request', `"${name}" stands more than once`);

  const channels = [...new Set(query.getAll('channel'))];
  if (channels.length > maxChannels)
    throw new FanfareError('too_many_channels', `${channels.length} channels, the limit is ${maxChannels}`);
  for (const channel of channels) {
    const problem = channelProblem(channel);
    if (problem !== undefined) throw new FanfareError('invalid_channel', `"channel": ${problem}`);
  }
  const start = readStart(query.get('after') || undefined, query.get('last') ?? undefined);
  if ((start.last ?? 0) * channels.length > MAX_LAST_OF_ALL)
    throw new FanfareError(
      'invalid_request',
      `"last" times the number of channels is at most ${MAX_LAST_OF_ALL}; here it is ${(start.last ?? 0) * channels.length}`,
    );
  return { channels, start };
}

/** `after` (empty: none) and `last` as a stream's start. Throws FanfareError `invalid_request`. */
function readStart(after: string | undefined, last: string | undefined): Start {
  if (after !== undefined && last !== undefined)
    throw new FanfareError('invalid_request', '"after" and "last" exclude each other');
  if (after !== undefined) return { cursor: after };
  if (last === undefined) return {};
  const count = /^\d{1,4}$/.test(last) ? Number(last) : 0;
  if (count < 1 || count > MAX_LAST)
    throw new FanfareError('invalid_request', `"last" is a whole number from 1 to ${MAX_LAST}`);
  return { last: count };
}
