import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** Where streams and long polls are. A cookie that is to be deleted must be named with the same path. */
const PATH = '/v1';
const NAME = /^ff_[0-9a-f]{8}$/;
/** 128 random bits in base64url: what tickets.ts makes. */
const SECRET = /^[A-Za-z0-9_-]{22}$/;
/** How many a browser may keep: about a kilobyte of each request. Who has more streams open by tickets loses the way back of the oldest. */
const MAX_COOKIES = 30;
/** Deleted by one answer, so that its head stays small: a proxy takes 4 KiB. Each answer brings one new cookie, so ten are more than enough. */
const MAX_DELETIONS = 10;

export interface TicketCookie {
  readonly ticket: string;
  /** What makes its owner the ticket's holder. */
  readonly secret: string;
  /** When the token ends, milliseconds since 1970; the cookie ends with it. */
  readonly expiresMs: number;
  /** Of the request that redeemed the ticket. */
  readonly headers: IncomingHttpHeaders;
}

/** The name of a ticket's cookie. Each ticket has its own: a page may open several streams. It tells nothing of the ticket. */
export function cookieNameOf(ticket: string): string {
  return `ff_${hash('sha256', ticket).slice(0, 8)}`;
}

/** The secret that a request brings for a ticket, from its Cookie field (RFC 6265, 5.4); undefined where there is none that could be. */
export function readTicketCookie(cookieHeader: string | undefined, ticket: string): string | undefined {
  const name = cookieNameOf(ticket);
  return pairsOf(cookieHeader).find((pair) => pair.name === name && SECRET.test(pair.value))?.value;
}

/**
 * Values of the Set-Cookie fields (RFC 6265bis, 4.1) for a ticket that was redeemed: one that gives the browser its secret and, where it would
 * have too many, some that delete its oldest. No script can read it. Other sites' requests bring it only where the ticket was redeemed by
 * such a request: then it is `Partitioned` (CHIPS), so that it comes with the pages of that one site, and needs TLS.
 */
export function ticketCookies({ ticket, secret, expiresMs, headers }: TicketCookie): string[] {
  const name = cookieNameOf(ticket);
  const attributes = attributesOf(headers);
  const seconds = Math.max(1, Math.ceil((expiresMs - Date.now()) / 1000));
  return [
    `${name}=${secret}; Max-Age=${seconds}; ${attributes}`,
    // The same attributes: a cookie of a partition is deleted only by one that names the partition.
    ...tooMany(headers.cookie, name).map((old) => `${old}=; Max-Age=0; ${attributes}`),
  ];
}

/** Names of those to delete. Browsers send cookies of one path oldest first (RFC 6265, 5.4). */
function tooMany(cookieHeader: string | undefined, added: string): string[] {
  const names = new Set(pairsOf(cookieHeader).map(({ name }) => name));
  const others = [...names].filter((name) => NAME.test(name) && name !== added);
  return others.slice(0, Math.min(MAX_DELETIONS, Math.max(0, others.length + 1 - MAX_COOKIES)));
}

function attributesOf(headers: IncomingHttpHeaders): string {
  const always = `Path=${PATH}; HttpOnly`;
  if (isThirdParty(headers)) return `${always}; Secure; SameSite=None; Partitioned`;
  return `${always}${isSecure(headers) ? '; Secure' : ''}; SameSite=Strict`;
}

/**
 * Whether the page that the user sees is of another site: then a `Strict` cookie would not even be taken. That is so for a frame of our own site,
 * too, of which only Sec-Fetch-Storage-Access tells (Storage Access Headers): browsers send it with such requests alone.
 */
function isThirdParty(headers: IncomingHttpHeaders): boolean {
  return headers['sec-fetch-site'] === 'cross-site' || headers['sec-fetch-storage-access'] !== undefined;
}

/** Whether the browser spoke TLS, as the first proxy saw it. Who makes this up spoils only his own cookie. */
function isSecure(headers: IncomingHttpHeaders): boolean {
  const [first] = [headers['x-forwarded-proto'] ?? []].flat();
  return first !== undefined && /^\s*https\s*(,|$)/i.test(first);
}

function pairsOf(cookieHeader: string | undefined): { readonly name: string; readonly value: string }[] {
  return (cookieHeader?.split(';') ?? []).map((pair) => {
    const equals = pair.indexOf('=');
    return { name: pair.slice(0, Math.max(0, equals)).trim(), value: pair.slice(equals + 1).trim() };
  });
}
