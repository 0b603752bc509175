import { channelProblem, MAX_CHANNEL_LENGTH } from '../message.ts';

/** Stands for a token's subject. */
const SUBJECT = '{sub}';
/** What may stand for it in a pattern: no `:`, which would lead into another namespace, and no `*`. */
const PLAIN = /^[A-Za-z0-9_\-.@]{1,128}$/;
/** Patterns of one token or key, at most. */
export const MAX_PATTERNS = 100;

/**
 * Which channels somebody may use. A pattern is a channel's name, or the beginning of names up to a `:` and a star behind it
 * (`orders:*`, `user:42:*`), or a star alone: every channel. `{sub}` in it stands for the token's subject; between colons
 * (`user:{sub}`, `user:{sub}:*`) no subject reaches what is another's. Case matters.
 */
export class ChannelPatterns {
  readonly #names = new Set<string>();
  readonly #beginnings: string[] = [];
  #all = false;

  /**
   * `patterns` must have passed `patternProblem`. A pattern with `{sub}` allows nothing where there is no subject, or one that is not made of 1–128
   * letters, digits and `_ - . @`, or where the name becomes longer than a channel's may be.
   */
  constructor(patterns: readonly string[], subject?: string) {
    for (const pattern of patterns) {
      const filled = fill(pattern, subject);
      if (filled === undefined) continue;
      if (filled === '*') this.#all = true;
      else if (filled.endsWith('*')) this.#beginnings.push(filled.slice(0, -1));
      else this.#names.add(filled);
    }
  }

  /** `channel` must be a channel's name. */
  allows(channel: string): boolean {
    if (this.#all || this.#names.has(channel)) return true;
    for (const beginning of this.#beginnings)
      if (channel.length > beginning.length && channel.startsWith(beginning)) return true;
    return false;
  }
}

/** What is wrong with a pattern, or undefined when it is good. Repeats nothing of it. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern === '*') return undefined;
  const name = pattern.replaceAll(SUBJECT, 'x');
  const beginning = name.endsWith(':*') ? `${name.slice(0, -1)}x` : name;
  if (beginning.includes('*')) return 'a * may only stand alone, or at the end behind a :';
  return channelProblem(beginning);
}

function fill(pattern: string, subject: string | undefined): string | undefined {
  if (!pattern.includes(SUBJECT)) return pattern;
  if (subject === undefined || !PLAIN.test(subject)) return undefined;
  const filled = pattern.replaceAll(SUBJECT, () => subject);
  return filled.length > MAX_CHANNEL_LENGTH ? undefined : filled;
}
