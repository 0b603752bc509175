import type { IncomingHttpHeaders } from 'node:http';
import type { OriginJudgement } from './origins.ts';

/** Where a GET without an Origin comes from, as browsers tell it: a page of the node's own, or nobody's page at all. */
const OWN_SITES: readonly (string | undefined)[] = ['same-origin', 'none', undefined];

/**
 * Whether the cookies of a request speak for whoever sent it. A browser sends them without asking, also for pages of others. A POST of
 * another site has an Origin, and so has a WebSocket. What has none, and only reads, tells its answer to no page of others: at
 * worst it is an image of theirs. `Sec-Fetch-Site` (W3C Fetch Metadata) says so too where the browser sends it: to https
 * and this machine. `none` is an address that somebody typed, or a bookmark. What is open to all (`any`) must not hang on cookies.
 */
export function mayUseCookie(
  { method, headers }: { readonly method?: string | undefined; readonly headers: IncomingHttpHeaders },
  judgement: OriginJudgement,
): boolean {
  switch (judgement) {
    case 'same':
    case 'allowed':
      return true;
    case 'none':
      return (method === 'GET' || method === 'HEAD') && OWN_SITES.includes(headers['sec-fetch-site']);
    case 'any':
    case 'refused':
      return false;
  }
}
