import { compareIds, idBefore, type Message, ZERO_ID } from '../../../message.ts';
import type { TailListener } from '../../log.ts';
import type { ConnectionSettings } from '../connection.ts';
import { goneAfter, type Held, heldOf, isMarker, type RawEntry, readLogEntry } from '../entry.ts';
import type { Opened } from './tail-session.ts';
import type { Unseen } from './unseen.ts';

/** What a tail hands on to its listener, in order, and where it stands by that. */
export class Delivery {
  readonly #listener: TailListener;
  readonly #partition: number;
  readonly #connection: ConnectionSettings;
  readonly #unseen: Unseen;
  #position: string | undefined;
  #newest: Held | undefined;
  #floor = ZERO_ID;
  #toldFloor = ZERO_ID;

  constructor(listener: TailListener, partition: number, connection: ConnectionSettings, unseen: Unseen) {
    this.#listener = listener;
    this.#partition = partition;
    this.#connection = connection;
    this.#unseen = unseen;
  }

  /** False before `begin`. */
  get begun(): boolean {
    return this.#position !== undefined;
  }

  /** Everything up to here was handed on. */
  get position(): string {
    return this.#position ?? ZERO_ID;
  }

  /** The newest floor that was met in its place. */
  get floor(): string {
    return this.#floor;
  }

  /** The newest entry that was handed on: the log must go on to hold it, until it is trimmed. */
  get newest(): Held | undefined {
    return this.#newest;
  }

  /** The first of all calls: everything before `from` is left to the histories. */
  begin(floor: string, from: string, entries: readonly RawEntry[]): void {
    this.tellFloor(floor);
    this.#floor = floor;
    this.#position = floor;
    this.#newest = { id: floor, channel: '', data: '' };
    if (compareIds(from, floor) > 0) this.#skip(floor, from);
    this.handOn(entries);
  }

  /**
   * To be told of the log's floor as soon as it is known. Its marker may lie ahead, behind messages that are still to come: who gets
   * those must know before.
   */
  tellFloor(floor: string, goneAfter?: string): void {
    if (compareIds(floor, this.#toldFloor) <= 0) return;
    if (this.#toldFloor !== ZERO_ID) {
      const fields = { partition: this.#partition, floor };
      this.#connection.logger.warn(fields, 'the log came back empty or rewound; messages may be lost');
    }
    this.#toldFloor = floor;
    this.#tell((listener, partition) => listener.floor(partition, floor, goneAfter));
  }

  /**
   * Goes on from where it stands, or from the oldest entry that is left after that; `next` is what is about to be handed
   * on, where that is known.
   */
  resume(opened: Opened, next = opened.oldest): void {
    const position = this.#position;
    if (position === undefined) return;
    this.tellFloor(opened.floor);
    if (compareIds(opened.oldest, position) <= 0) return;
    // The log begins anew behind that marker, and reading on brings it: it says more than that something was trimmed.
    if (opened.oldestIsMarker) return;
    const before = idBefore(next);
    if (compareIds(before, position) <= 0) return;
    // A marker may have been trimmed too.
    if (compareIds(opened.floor, before) <= 0) this.#meet(opened.floor);
    const after = compareIds(this.#floor, position) > 0 ? this.#floor : position;
    if (compareIds(before, after) > 0) this.#skip(after, before);
  }

  /** Hands entries on, in order; they follow on the position. */
  handOn(entries: readonly RawEntry[]): void {
    let messages: Message[] = [];
    const deliver = () => {
      const delivered = messages;
      const position = this.#position ?? this.#floor;
      messages = [];
      this.#tell((listener, partition) => listener.deliver(partition, delivered, position));
    };
    for (const entry of entries) {
      const [id] = entry;
      const message = readLogEntry(entry);
      if (message !== undefined) messages.push(message);
      else if (isMarker(entry)) {
        if (messages.length > 0) deliver();
        this.tellFloor(id, goneAfter(entry));
        this.#meet(id);
      } else this.#connection.logger.warn({ partition: this.#partition, id }, 'foreign log entry');
      this.#position = id;
      this.#newest = heldOf(entry);
      this.#unseen.seen(this.#newest);
    }
    if (entries.length > 0) deliver();
  }

  /** A marker in the order, or one that was trimmed away with what stood around it. */
  #meet(floor: string): void {
    if (compareIds(floor, this.#floor) <= 0) return;
    this.#floor = floor;
    // What is missing before it is told by the floor.
    this.#unseen.forget(this.#unseen.passed(floor));
  }

  #skip(after: string, position: string): void {
    this.#unseen.forget(this.#unseen.passed(position));
    this.#position = position;
    this.#tell((listener, partition) => listener.skipped(partition, after, position));
  }

  /** An error of the listener must not stop the tail: the others that follow it would miss everything. */
  #tell(call: (listener: TailListener, partition: number) => void): void {
    try {
      call(this.#listener, this.#partition);
    } catch (error) {
      this.#connection.metrics.logError('tail');
      const fields = { partition: this.#partition, err: error };
      this.#connection.logger.error(fields, 'what the tail brought could not be handed on');
    }
  }
}
