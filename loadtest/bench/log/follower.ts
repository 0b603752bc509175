import type { Redis } from 'ioredis';
import type { Log, TailListener } from '../../../services/gateway/src/log/log.ts';
import { logKey } from '../../../services/gateway/src/log/redis/keys.ts';
import type { Message } from '../../../services/gateway/src/message.ts';
import { type Timed, timed } from './timed.ts';

/** Entries in one bare read: as many as a tail asks for. */
const READ_ENTRIES = 512;
const BLOCK_MILLISECONDS = 500;

/** Counts what a tail brings, or a bare loop of XREAD over the same log. */
export class Follower implements TailListener {
  messages = 0;
  #target = Number.POSITIVE_INFINITY;
  #reached: () => void = () => {};
  #stopped = false;

  floor(): void {}

  skipped(): void {}

  deliver(_partition: number, messages: readonly Message[]): void {
    this.#came(messages.length);
  }

  /** Follows the log; resolves when what it held has come, up to `recentBytes` of data. */
  follow(log: Log, recentBytes: number): Promise<Timed> {
    return timed(async () => {
      await log.follow(this, recentBytes);
      return this.messages;
    });
  }

  /** Resolves when it reads, from the log's end. */
  async followBare(redis: Redis): Promise<void> {
    const [newest] = await redis.xrevrange(logKey(0), '+', '-', 'COUNT', 1);
    let position = newest?.[0] ?? '0-0';
    const loop = async (): Promise<void> => {
      while (!this.#stopped) {
        const reply = await redis.xread(
          'COUNT',
          READ_ENTRIES,
          'BLOCK',
          BLOCK_MILLISECONDS,
          'STREAMS',
          logKey(0),
          position,
        );
        const entries = reply?.[0]?.[1] ?? [];
        position = entries.at(-1)?.[0] ?? position;
        this.#came(entries.length);
      }
    };
    // It ends with the connection.
    loop().catch(() => {});
  }

  /** Reads the log from its oldest entry, up to `most` entries, or to its end. */
  readBare(redis: Redis, most: number): Promise<Timed> {
    return timed(async () => {
      let position = '0-0';
      while (this.messages < most) {
        const reply = await redis.xread('COUNT', READ_ENTRIES, 'STREAMS', logKey(0), position);
        const entries = reply?.[0]?.[1] ?? [];
        position = entries.at(-1)?.[0] ?? position;
        this.messages += entries.length;
        if (entries.length < READ_ENTRIES) break;
      }
      return this.messages;
    });
  }

  /** Resolves when it has had so many messages. */
  reached(messages: number): Promise<void> {
    return new Promise((resolve) => {
      this.#target = messages;
      this.#reached = resolve;
      this.#came(0);
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  #came(messages: number): void {
    this.messages += messages;
    if (this.messages >= this.#target) this.#reached();
  }
}
