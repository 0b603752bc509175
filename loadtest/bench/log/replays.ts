import { historyKey } from '../../../services/gateway/src/log/redis/keys.ts';
import { ZERO_ID } from '../../../services/gateway/src/message.ts';
import type { Opened } from './open-log.ts';
import { type Timed, timed } from './timed.ts';

/** Messages in a page: as many as the hub asks for. */
export const PAGE_MESSAGES = 256;

/** Reads whole histories page by page, through the log or by bare commands. */
export class Replays {
  readonly #opened: Opened;
  readonly #channels: readonly string[];

  constructor(opened: Opened, channels: readonly string[]) {
    this.#opened = opened;
    this.#channels = channels;
  }

  run(milliseconds: number): Promise<Timed> {
    const { log } = this.#opened;
    return this.#loop(milliseconds, async (channel) => {
      let count = 0;
      let after = ZERO_ID;
      for (;;) {
        const { messages, more } = await log.historyAfter(channel, after, PAGE_MESSAGES);
        count += messages.length;
        after = messages.at(-1)?.id ?? after;
        if (!more) return count;
      }
    });
  }

  runBare(milliseconds: number): Promise<Timed> {
    const { redis } = this.#opened;
    return this.#loop(milliseconds, async (channel) => {
      let count = 0;
      let after = ZERO_ID;
      for (;;) {
        const entries = await redis.xrange(historyKey(0, channel), `(${after}`, '+', 'COUNT', PAGE_MESSAGES);
        count += entries.length;
        after = entries.at(-1)?.[0] ?? after;
        if (entries.length < PAGE_MESSAGES) return count;
      }
    });
  }

  #loop(milliseconds: number, replay: (channel: string) => Promise<number>): Promise<Timed> {
    const deadline = performance.now() + milliseconds;
    return timed(async () => {
      let messages = 0;
      for (let i = 0; performance.now() < deadline; i++)
        messages += await replay(this.#channels[i % this.#channels.length] ?? '');
      return messages;
    });
  }
}
