/** Counts the open connections of each client address: it holds an entry for each address that has one, and no more. */
export class AddressLimit {
  readonly #max: number;
  readonly #counts = new Map<string, number>();

  /** `max` connections per address; 0: no limit, and then nothing need be counted. */
  constructor(max: number) {
    this.#max = max;
  }

  get limited(): boolean {
    return this.#max > 0;
  }

  /** Whether an address has its share already. */
  isFull(key: string): boolean {
    return this.limited && (this.#counts.get(key) ?? 0) >= this.#max;
  }

  add(key: string): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** Takes back one `add`. */
  remove(key: string): void {
    const count = this.#counts.get(key) ?? 0;
    if (count > 1) this.#counts.set(key, count - 1);
    else this.#counts.delete(key);
  }

  /** Addresses that have connections. */
  get size(): number {
    return this.#counts.size;
  }
}
