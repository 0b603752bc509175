import { compareIds } from '../message.ts';
import { Queue } from '../queue.ts';
import type { MemoryUse } from '../wire/encoded-message.ts';
import { type Answer, endOf } from './history.ts';

/** How long an answer is given again: a crowd that was cut off at once is back within its `retry` times, 2–5 s. */
const KEEP_MILLISECONDS = 5000;
/** Memory for answers, with what their messages have been encoded to. The oldest go first. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Answers at most: looking one up passes by those of the same channel. */
const MAX_ANSWERS = 1024;
/** What an answer takes besides its messages. */
const ANSWER_BYTES = 500;

/** What was asked of a channel's history. */
export interface Question {
  readonly channel: string;
  /** What comes after this id; undefined: the newest messages. */
  readonly after: string | undefined;
  readonly limit: number;
}

interface Kept {
  readonly question: Question;
  readonly answer: Answer;
  readonly sinceMs: number;
}

/**
 * Answers of the history that are given again for a short while, so that a crowd costs one read though it does not come all at
 * once. An answer is whole from the id that was asked for up to its end, and stays so: what lies between the two does not
 * change. So it serves whoever stands there, too.
 */
export class KeptAnswers {
  readonly #all = new Queue<Kept>();
  readonly #byChannel = new Map<string, Queue<Kept>>();
  readonly #memory: MemoryUse = { bytes: 0 };

  /**
   * An answer that serves for the question. For the newest messages: one that is whole up to `since` at least. It may have
   * messages that expired meanwhile.
   */
  find(question: Question, since: string, nowMs: number): Answer | undefined {
    this.trim(nowMs);
    const queue = this.#byChannel.get(question.channel);
    if (queue === undefined) return undefined;
    for (let i = queue.length - 1; i >= 0; i--) {
      const kept = queue.at(i);
      if (kept !== undefined && serves(kept, question, since)) return kept.answer;
    }
    return undefined;
  }

  keep(question: Question, answer: Answer, nowMs: number): void {
    const kept = { question, answer, sinceMs: nowMs };
    this.#all.push(kept);
    const queue = this.#byChannel.get(question.channel);
    if (queue === undefined) {
      const first = new Queue<Kept>();
      first.push(kept);
      this.#byChannel.set(question.channel, first);
    } else queue.push(kept);
    this.#memory.bytes += ANSWER_BYTES;
    for (const message of answer.messages) message.keep(this.#memory);
    this.trim(nowMs);
  }

  clear(): void {
    while (this.#all.length > 0) this.#drop();
  }

  /** Lets go of what is too old or too much. To be called after kept messages were handed to somebody, too. */
  trim(nowMs: number): void {
    for (let oldest = this.#all.at(0); oldest !== undefined; oldest = this.#all.at(0)) {
      const ageMs = nowMs - oldest.sinceMs;
      // A clock that was set back makes ages negative.
      const fresh = ageMs >= 0 && ageMs < KEEP_MILLISECONDS;
      if (fresh && this.#memory.bytes <= MAX_BYTES && this.#all.length <= MAX_ANSWERS) return;
      this.#drop();
    }
  }

  #drop(): void {
    const kept = this.#all.shift();
    if (kept === undefined) return;
    this.#memory.bytes -= ANSWER_BYTES;
    for (const message of kept.answer.messages) message.release();
    const { channel } = kept.question;
    const queue = this.#byChannel.get(channel);
    queue?.shift();
    if (queue?.length === 0) this.#byChannel.delete(channel);
  }
}

function serves({ question: asked, answer }: Kept, question: Question, since: string): boolean {
  if (question.after === undefined)
    return asked.after === undefined && asked.limit === question.limit && compareIds(answer.asOf, since) >= 0;
  if (asked.after === undefined || compareIds(question.after, endOf(answer)) >= 0) return false;
  // Where a gap lies between the place that was asked for and the end, only that place is judged.
  return answer.gap === undefined ? compareIds(asked.after, question.after) <= 0 : asked.after === question.after;
}
