import type { NewMessage } from '../../../services/gateway/src/message.ts';
import { notifications } from '../notification.ts';
import type { Opened } from './open-log.ts';
import { type Timed, timed } from './timed.ts';

/** How messages are appended. */
export interface Way {
  /** Calls that are under way at a time. */
  readonly atOnce: number;
  /** Messages in each call; 1: each alone (`append`), else `appendMany`. */
  readonly batch: number;
  /** True: each with an idempotency key. */
  readonly keyed: boolean;
  /** For so long calls are begun. */
  readonly milliseconds: number;
}

/** Of each message's `data`. */
export const APPEND_DATA_BYTES = 256;
const DIFFERENT_MESSAGES = 16;
const CHANNELS = 1000;
/** What the floor appends to: an entry with the same names and values that the log's has, and trimmed as the log is. */
const BARE_STREAM = 'bench:{p0}:bare';
const BARE_LENGTH = 100_000;

/** Appends for some time, through the log or by bare commands. */
export class Appends {
  readonly #opened: Opened;
  readonly #way: Way;
  readonly #data = notifications(APPEND_DATA_BYTES, DIFFERENT_MESSAGES);
  #number = 0;

  constructor(opened: Opened, way: Way) {
    this.#opened = opened;
    this.#way = way;
  }

  run(): Promise<Timed> {
    const { log } = this.#opened;
    const { batch } = this.#way;
    return this.#loops(this.#way.atOnce, async () => {
      if (batch === 1) {
        await log.append(this.#next());
        return 1;
      }
      const outcomes = await log.appendMany(Array.from({ length: batch }, () => this.#next()));
      for (const outcome of outcomes) if (outcome instanceof Error) throw outcome;
      return batch;
    });
  }

  /** As many messages in one pipeline as the log has under way, and the next one when all are answered. */
  runBare(): Promise<Timed> {
    const { redis } = this.#opened;
    const { atOnce, batch } = this.#way;
    return this.#loops(1, async () => {
      const pipeline = redis.pipeline();
      for (let i = 0; i < atOnce * batch; i++) {
        const { channel, data } = this.#next();
        pipeline.xadd(BARE_STREAM, 'MAXLEN', '~', BARE_LENGTH, '*', 'c', channel, 'd', data);
      }
      for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error;
      return atOnce * batch;
    });
  }

  #next(): NewMessage {
    const number = this.#number++;
    const message = { channel: `bench:${number % CHANNELS}`, data: this.#data[number % DIFFERENT_MESSAGES] ?? '' };
    return this.#way.keyed ? { ...message, idempotencyKey: crypto.randomUUID() } : message;
  }

  #loops(count: number, append: () => Promise<number>): Promise<Timed> {
    const deadline = performance.now() + this.#way.milliseconds;
    return timed(async () => {
      let messages = 0;
      const loop = async (): Promise<void> => {
        while (performance.now() < deadline) {
          const appended = await append();
          messages += appended;
        }
      };
      await Promise.all(Array.from({ length: count }, loop));
      return messages;
    });
  }
}
