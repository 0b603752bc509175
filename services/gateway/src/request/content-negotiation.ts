/**
 * What comes after so many items, or parameters of an item, is not read: a head full of commas costs no more than a
 * list.
 */
const MAX_ITEMS = 100;
const QUALITY = /^(?:0(?:\.\d*)?|1(?:\.0*)?)$/;

/** One item of an `Accept` or `Accept-Encoding` header, in lower case; `quality` is from 0 (never) to 1. */
interface Preference {
  readonly name: string;
  readonly quality: number;
}

/**
 * Whether a client takes a media type (RFC 9110, 12.5.1): what the most specific range that fits says, and at `q=0`
 * that is no. A range's parameters are not compared: an event stream is UTF-8 whatever was asked for. No header means
 * everything, and so does one without a single media range in it: whoever writes it badly is better served than turned
 * away.
 */
export function acceptsType(accept: string | undefined, type: string): boolean {
  if (accept === undefined || accept === type) return true;
  const wholeKind = `${type.slice(0, type.indexOf('/'))}/*`;
  let understood = false;
  let specificity = 0;
  let quality = 0;
  for (const range of preferences(accept)) {
    // Java has sent a lone star for `*/*` for decades.
    if (!range.name.includes('/') && range.name !== '*') continue;
    understood = true;
    const fits =
      range.name === type ? 3 : range.name === wholeKind ? 2 : range.name === '*/*' || range.name === '*' ? 1 : 0;
    if (fits === 0 || fits < specificity) continue;
    quality = fits > specificity ? range.quality : Math.max(quality, range.quality);
    specificity = fits;
  }
  return !understood || quality > 0;
}

/**
 * Whether to answer a client in gzip (RFC 9110, 12.5.3): it lists `gzip`, `x-gzip` or `*`, not with `q=0`, and does not
 * like `identity` better. With no header the RFC would allow any coding; but a client that says nothing often knows
 * none.
 */
export function acceptsEncoding(acceptEncoding: string | undefined, coding: 'gzip'): boolean {
  if (acceptEncoding === undefined) return false;
  let coded: number | undefined;
  let identity: number | undefined;
  let others = 0;
  for (const { name, quality } of preferences(acceptEncoding)) {
    // An `x-gzip` is a gzip (RFC 9110, 8.4.1.3).
    if (name === coding || name === `x-${coding}`) coded = Math.max(coded ?? 0, quality);
    else if (name === 'identity') identity = quality;
    else if (name === '*') others = quality;
  }
  coded ??= others;
  return coded > 0 && coded >= (identity ?? others);
}

function preferences(header: string): Preference[] {
  return header
    .toLowerCase()
    .split(',', MAX_ITEMS)
    .map((item) => {
      const [name = '', ...parameters] = item.split(';', MAX_ITEMS);
      const weight = parameters.find((parameter) => parameter.trimStart().startsWith('q='));
      return { name: name.trim(), quality: weight === undefined ? 1 : qualityOf(weight.trim().slice(2)) };
    });
}

/** What is no such number (RFC 9110, 12.4.2) counts as 1: whoever names a thing wants it. */
function qualityOf(text: string): number {
  return QUALITY.test(text) ? Number(text) : 1;
}
