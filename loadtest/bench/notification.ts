/** Words of the texts. Few, as those of one application are, but more than a small window holds in a row. */
const WORDS = (
  'about account address after again agreed already also amount another answer arrives available because before begin ' +
  'below between booked branch bring call cancel change charge check city claim close collect complete confirm contact ' +
  'content copy country courier customer date delay deliver depot detail different discount door early empty enough ' +
  'evening every exchange express few final first follow forward found friday from full gift goods half hand heavy hold ' +
  'home hour invoice item keep label large late later leave less letter light limit list local longer lost made mail ' +
  'market middle minute missing monday month morning most moved name nearest need never next night note notice number ' +
  'offer office only open order other over package paid paper parcel part partner past payment person phone pick place ' +
  'please point post price product proof quarter question quick reach ready receive refund region repeat request return ' +
  'road route safe same saturday second send sent service several ship shop short side sign small some soon stock store ' +
  'street sunday supply support take thank through thursday ticket today tomorrow track transfer tuesday under until ' +
  'update value visit wait warehouse wednesday week weight when will window within without working written year zone'
).split(' ');
const STATES = ['created', 'paid', 'packed', 'shipped', 'delivered', 'returned'];
const CURRENCIES = ['EUR', 'USD', 'GBP', 'CHF'];
/** The least that a text must have to be one. */
const MIN_TEXT_BYTES = 20;
/** Any will do; always the same, so that every run compresses the same. */
const SEED = 20_251_120;

/**
 * JSON texts of exactly `bytes` bytes each (200 or more), all different, always the same ones: orders with ids, names, sums
 * and times, and a text. So what repeats is what repeats in real ones: keys, some values, words.
 */
export function notifications(bytes: number, count: number): string[] {
  const random = new Random(SEED + bytes);
  return Array.from({ length: count }, () => notification(random, bytes));
}

function notification(random: Random, bytes: number): string {
  const orders: string[] = [];
  const json = (text: string): string =>
    `{"type":"orders.changed","at":"${random.time}","orders":[${orders.join(',')}],"text":"${text}"}`;
  let left = bytes - json('').length - MIN_TEXT_BYTES;
  for (let next = order(random); next.length < left; next = order(random)) {
    orders.push(next);
    left -= next.length + 1;
  }
  const text = words(random, bytes);
  return json(text.slice(0, bytes - json('').length));
}

function order(random: Random): string {
  return JSON.stringify({
    id: random.hex(16),
    state: random.of(STATES),
    customer: { id: random.below(1_000_000), name: `${capital(random.of(WORDS))} ${capital(random.of(WORDS))}` },
    total: random.below(100_000) / 100,
    currency: random.of(CURRENCIES),
    changedAt: random.time,
    note: words(random, random.below(80)),
  });
}

/** Words up to that length, and the one that goes beyond it. */
function words(random: Random, length: number): string {
  let text = random.of(WORDS);
  while (text.length < length) text += ` ${random.of(WORDS)}`;
  return text;
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** Numbers that look random and are the same in every run (mulberry32). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((((mixed ^ (mixed >>> 14)) >>> 0) * limit) / 2 ** 32) | 0;
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.below(16).toString(16)).join('');
  }

  /** A time in ISO 8601, of the last months of 2025. */
  get time(): string {
    return new Date(Date.UTC(2025, 8) + this.below(2 ** 31)).toISOString();
  }
}
