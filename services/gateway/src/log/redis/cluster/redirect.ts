import type { HostPort } from '../../../redis-address.ts';
import { reasonOf } from '../failure.ts';

/**
 * What a Redis Cluster says when a command must be sent elsewhere or later (Redis Cluster specification, "Redirection and
 * resharding"). In each case nothing of it was carried out.
 *
 * - `moved`: to that node, which holds the slot from now on.
 * - `ask`: this time to that node, behind an ASKING: the slot is on its way there.
 * - `later`: again in a moment: the command's keys are on both sides of such a move, or the node's address is not known.
 */
export type Redirect =
  | { readonly kind: 'moved' | 'ask'; readonly node: HostPort }
  | { readonly kind: 'later'; readonly node?: undefined };

/** Reads what a command failed with; `from` is who said it. Undefined when it is no redirection. */
export function redirectOf(error: unknown, from: HostPort | undefined): Redirect | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined;
  const [word, , address = ''] = reasonOf(error).split(' ');
  if (word === 'TRYAGAIN') return { kind: 'later' };
  if (word !== 'MOVED' && word !== 'ASK') return undefined;
  const node = nodeAt(address, from);
  if (node === undefined) return { kind: 'later' };
  return { kind: word === 'MOVED' ? 'moved' : 'ask', node };
}

/** `host:port`. No host means that of who says it; `?` stands for one that is not known. */
function nodeAt(address: string, from: HostPort | undefined): HostPort | undefined {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon) || from?.host;
  const port = Number(address.slice(colon + 1));
  return colon < 0 || host === undefined || host === '?' || !(port > 0) ? undefined : { host, port };
}
