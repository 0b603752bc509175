import { Queue } from '../queue.ts';
import { EncodedMessage } from '../wire/encoded-message.ts';
import type { Answer, History } from './history.ts';
import { KeptAnswers, type Question } from './kept-answers.ts';

/** Reads of the history that may be under way at once: what they bring is in memory until it is handed over. */
const MAX_READS = 16;

/** Who asks. */
export interface Asker {
  /** True when an answer is of no use any more. */
  readonly ended: boolean;
}

/** How things stand when a question is asked. */
export interface Standing {
  /** Where the tail stands: up to there an answer will be whole. */
  readonly position: string;
  /** From where on memory holds everything. */
  readonly since: string;
}

/** A question that waits for its turn, or is being answered. */
interface Read extends Standing {
  readonly question: Question;
  /** Everyone who asked. */
  readonly askers: Asker[];
  readonly answer: PromiseWithResolvers<Answer>;
}

/**
 * Asks the history what many want to know only once: a question that is under way is not asked again, and its answer is
 * given to all who ask within some seconds. Ten thousand clients with one cursor cost one read per page. Different questions
 * wait for each other past a limit, so that no crowd can swamp Redis or this node.
 */
export class SharedReads {
  readonly #history: History;
  readonly #clock: () => number;
  readonly #kept = new KeptAnswers();
  /** What is waiting or under way, and may be shared. */
  readonly #pending = new Map<string, Read>();
  readonly #waiting = new Queue<Read>();
  #reading = 0;

  /** `clock`: milliseconds since 1970. */
  constructor(history: History, clock: () => number) {
    this.#history = history;
    this.#clock = clock;
  }

  get source(): 'memory' | 'redis' {
    return this.#history.source;
  }

  /**
   * The channel's messages after `after`, or, from the next one on, more than `limit` of them. Those that have expired may be
   * among them. When the asker has ended meanwhile, the answer may be empty.
   */
  after(asker: Asker, channel: string, after: string, limit: number, standing: Standing): Promise<Answer> {
    return this.#once(asker, { channel, after, limit }, standing);
  }

  /** The channel's newest messages, under the same rules; whole up to `standing.since` at least. */
  last(asker: Asker, channel: string, limit: number, standing: Standing): Promise<Answer> {
    return this.#once(asker, { channel, after: undefined, limit }, standing);
  }

  /** The id of the newest entry of the partition's log. */
  end(partition: number): Promise<string> {
    return this.#history.end(partition);
  }

  /** To be called after an answer's messages were handed to somebody, which may have encoded them. */
  trim(): void {
    this.#kept.trim(this.#clock());
  }

  /**
   * What has been asked so far is shared with nobody who asks from now on. To be called when a floor rises or a tail jumps.
   * A log that was rewound has lost messages that an answer may hold, and no one else is to get them: the newest above all,
   * which no cursor protects. Cursors are: those from before the floor lead to a gap and then to the floor. A tail that
   * jumped was away, maybe for so long that what it had been told by another Redis is no longer so.
   */
  forget(): void {
    this.#kept.clear();
    this.#pending.clear();
  }

  #once(asker: Asker, question: Question, { position, since }: Standing): Promise<Answer> {
    const kept = this.#kept.find(question, since, this.#clock());
    if (kept !== undefined) return Promise.resolve(kept);
    const name = nameOf(question);
    const pending = this.#pending.get(name);
    if (pending !== undefined) {
      pending.askers.push(asker);
      return pending.answer.promise;
    }
    const read: Read = { question, position, since, askers: [asker], answer: Promise.withResolvers() };
    this.#pending.set(name, read);
    if (this.#reading < MAX_READS) void this.#readOn(read);
    else this.#waiting.push(read);
    return read.answer.promise;
  }

  /** Answers one question, and then, in the same place, those that wait. */
  async #readOn(first: Read): Promise<void> {
    this.#reading++;
    for (let read: Read | undefined = first; read !== undefined; read = this.#waiting.shift()) {
      try {
        const answer = this.#withoutReading(read) ?? (await this.#ask(read));
        read.answer.resolve(answer);
      } catch (error) {
        read.answer.reject(error);
      }
      this.#noLongerPending(read);
    }
    this.#reading--;
  }

  /** What came while it waited may have answered it; or nobody is left who wants to know. */
  #withoutReading({ question, askers, position, since }: Read): Answer | undefined {
    if (askers.every(({ ended }) => ended)) return { messages: [], more: false, asOf: position };
    return this.#kept.find(question, since, this.#clock());
  }

  async #ask(read: Read): Promise<Answer> {
    const { question, position: asOf } = read;
    const { channel, after, limit } = question;
    const page =
      after === undefined
        ? { messages: await this.#history.historyLast(channel, limit), more: false }
        : await this.#history.historyAfter(channel, after, limit);
    const messages = page.messages.map((message) => new EncodedMessage(message));
    const answer: Answer = { ...page, messages, asOf };
    // Not one that was asked before `forget`.
    if (this.#pending.get(nameOf(question)) === read) this.#kept.keep(question, answer, this.#clock());
    return answer;
  }

  #noLongerPending(read: Read): void {
    const name = nameOf(read.question);
    if (this.#pending.get(name) === read) this.#pending.delete(name);
  }
}

/** No channel's name has a space. */
function nameOf({ channel, after, limit }: Question): string {
  return `${channel} ${after ?? 'last'} ${limit}`;
}
