/** First in, first out, with an index. The oldest leaves in front without moving the rest, but once in a while. */
export class Queue<Item> {
  /** What has left is undefined, so that nothing holds on to it. */
  #items: (Item | undefined)[] = [];
  #start = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  /** The item at `index`, counted from the oldest. */
  at(index: number): Item | undefined {
    return this.#items[this.#start + index];
  }

  get newest(): Item | undefined {
    return this.#items.at(-1);
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const item = this.#items[this.#start];
    if (item === undefined) return undefined;
    this.#items[this.#start] = undefined;
    this.#start++;
    if (this.#start > 64 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return item;
  }

  /** Index of the first item that `isAfter` holds for; it must hold for all that follow. */
  findFirst(isAfter: (item: Item) => boolean): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAfter(this.at(middle) as Item)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Items from index `start` up to `end`, without the one at `end`. */
  slice(start: number, end: number): Item[] {
    return this.#items.slice(this.#start + start, this.#start + end) as Item[];
  }
}
