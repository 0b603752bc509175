/**
 * Members by key. Most keys have a single member, which is kept as it is: a Set of its own would weigh a few hundred bytes, and there can be
 * a key for each connection. Members must not be Sets.
 */
export class Groups<Key, Member extends object> {
  readonly #groups = new Map<Key, Member | Set<Member>>();

  /** Keys that have members. */
  get size(): number {
    return this.#groups.size;
  }

  keys(): Iterable<Key> {
    return this.#groups.keys();
  }

  /** How many members the key has. */
  count(key: Key): number {
    const group = this.#groups.get(key);
    if (group === undefined) return 0;
    return group instanceof Set ? group.size : 1;
  }

  /** May be used while members are removed. */
  members(key: Key): Iterable<Member> {
    const group = this.#groups.get(key);
    if (group === undefined) return [];
    return group instanceof Set ? group : [group];
  }

  add(key: Key, member: Member): void {
    const group = this.#groups.get(key);
    if (group === undefined) this.#groups.set(key, member);
    else if (group instanceof Set) group.add(member);
    else if (group !== member) this.#groups.set(key, new Set([group, member]));
  }

  remove(key: Key, member: Member): void {
    const group = this.#groups.get(key);
    if (group instanceof Set) group.delete(member);
    if (group === member || (group instanceof Set && group.size === 0)) this.#groups.delete(key);
  }
}
