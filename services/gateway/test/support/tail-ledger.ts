import type { TailListener } from '../../src/log/log.ts';
import { compareIds, type Message } from '../../src/message.ts';

/** Everything that a tail told, in its order, as one event each. */
export type Told =
  | { readonly kind: 'floor'; readonly partition: number; readonly floor: string; readonly goneAfter?: string }
  | { readonly kind: 'message'; readonly partition: number; readonly message: Message }
  | { readonly kind: 'skipped'; readonly partition: number; readonly after: string; readonly position: string };

/** A listener that writes down what it is told, and holds the tail to the contract while it does. */
export class TailLedger implements TailListener {
  readonly told: Told[] = [];
  readonly #positions = new Map<number, string>();
  /** What was wrong with the order of calls; a test expects this to stay empty. */
  readonly violations: string[] = [];

  floor(partition: number, floor: string, goneAfter?: string): void {
    this.told.push({ kind: 'floor', partition, floor, ...(goneAfter === undefined ? {} : { goneAfter }) });
    if (!this.#positions.has(partition)) this.#positions.set(partition, floor);
  }

  deliver(partition: number, messages: readonly Message[], position: string): void {
    let last = this.#positions.get(partition);
    if (last === undefined) this.violations.push(`deliver before floor on ${partition}`);
    last ??= '0-0';
    for (const message of messages) {
      if (compareIds(message.id, last) <= 0) this.violations.push(`${message.id} came after ${last}`);
      last = message.id;
      this.told.push({ kind: 'message', partition, message });
    }
    if (compareIds(position, last) < 0) this.violations.push(`position ${position} is before ${last}`);
    this.#positions.set(partition, position);
  }

  skipped(partition: number, after: string, position: string): void {
    if (compareIds(position, after) <= 0) this.violations.push(`skipped from ${after} back to ${position}`);
    const stood = this.#positions.get(partition);
    if (stood !== after && !this.floors(partition).includes(after))
      this.violations.push(`skipped from ${after}, standing at ${stood}`);
    this.told.push({ kind: 'skipped', partition, after, position });
    this.#positions.set(partition, position);
  }

  position(partition = 0): string | undefined {
    return this.#positions.get(partition);
  }

  get messages(): Message[] {
    return this.told.flatMap((told) => (told.kind === 'message' ? [told.message] : []));
  }

  get data(): string[] {
    return this.messages.map((message) => message.data);
  }

  /** A partition's floors, oldest first. */
  floors(partition = 0): string[] {
    return this.told.flatMap((told) => (told.kind === 'floor' && told.partition === partition ? [told.floor] : []));
  }

  get skips(): Extract<Told, { kind: 'skipped' }>[] {
    return this.told.filter((told) => told.kind === 'skipped');
  }
}
