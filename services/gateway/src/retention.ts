import { MAX_TTL_SECONDS, namespaceOf } from './message.ts';

/** What is kept of each channel for those who come back. */
export interface Kept {
  /** Messages that a channel's history holds, newest last. 0: no history. */
  readonly historySize: number;
  /** How long it holds them, ≥ 1. An older message counts as gone at once, even where it still takes memory. */
  readonly historyTtlSeconds: number;
}

/** What is kept of channels whose namespace has no rule of its own, and the rules of those that have. */
export interface Retention extends Kept {
  readonly namespaces?: ReadonlyMap<string, Kept>;
}

export const MAX_HISTORY_SIZE = 1_000_000;

/** What is kept of a channel. */
export function keptOf(retention: Retention, channel: string): Kept {
  return retention.namespaces?.get(namespaceOf(channel)) ?? retention;
}

/** The longest time for which any channel's messages are kept, seconds. */
export function longestTtlSeconds({ historyTtlSeconds, namespaces = new Map() }: Retention): number {
  let longest = historyTtlSeconds;
  for (const kept of namespaces.values()) longest = Math.max(longest, kept.historyTtlSeconds);
  return longest;
}

const NAMESPACE = /^[A-Za-z0-9_\-.@]{1,200}$/;

/**
 * Reads the rules of namespaces: `orders=size:500,ttl:604800 typing=none`, apart by spaces, line breaks or `;`. What a rule leaves out is
 * as in `others`. Each mistake is told, with the rule in which it stands.
 */
export function readNamespaces(text: string, others: Kept, problem: (text: string) => void): ReadonlyMap<string, Kept> {
  const namespaces = new Map<string, Kept>();
  for (const rule of text.split(/[\s;]+/).filter((part) => part !== '')) {
    const [, namespace = '', terms = ''] = /^([^=]*)=(.*)$/.exec(rule) ?? [];
    if (!NAMESPACE.test(namespace))
      problem(`${JSON.stringify(rule)} must be NAMESPACE=RULE, with a namespace of A–Z a–z 0–9 _ - . @`);
    else if (namespaces.has(namespace)) problem(`${JSON.stringify(namespace)} has two rules`);
    else {
      const kept = readRule(terms, others);
      if (typeof kept === 'string') problem(`${JSON.stringify(rule)}: ${kept}`);
      else namespaces.set(namespace, kept);
    }
  }
  return namespaces;
}

/** The rule, or what is wrong with it. */
function readRule(text: string, others: Kept): Kept | string {
  if (text === 'none') return { ...others, historySize: 0 };
  const kept: { historySize?: number; historyTtlSeconds?: number } = {};
  for (const term of text.split(',')) {
    const [, name, digits] = /^(size|ttl):(\d{1,9})$/.exec(term) ?? [];
    const [field, most] =
      name === 'size'
        ? (['historySize', MAX_HISTORY_SIZE] as const)
        : (['historyTtlSeconds', MAX_TTL_SECONDS] as const);
    if (name === undefined) return 'a rule is "none", or "size:MESSAGES", "ttl:SECONDS" or both with a comma between';
    if (kept[field] !== undefined) return `it says ${name} twice`;
    const number = Number(digits);
    if (number < 1 || number > most) return `${name} must be from 1 to ${most}`;
    kept[field] = number;
  }
  return { ...others, ...kept };
}
