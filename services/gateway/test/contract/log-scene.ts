import type { Log } from '../../src/log/log.ts';
import type { Retention } from '../../src/retention.ts';
import { TailLedger } from '../support/tail-ledger.ts';
import { until } from '../support/until.ts';

export interface LogSettings extends Retention {
  readonly partitions: number;
}

/** What the suite needs of an implementation. */
export interface LogFixture {
  /** A log on the storage of this test. More than one may be open at once only when they share it. */
  open(settings: LogSettings): Log;
  /** True when logs that are open at once are one and the same, as seen from several nodes. */
  readonly shared: boolean;
  /** Closes what was opened, and forgets all messages. */
  reset(): Promise<void>;
}

/** Recent bytes that hold all that a test publishes. */
export const ALL = 64 * 1024 * 1024;

/** One log, a ledger that follows it, and what tests do with them. */
export class LogScene {
  readonly fixture: LogFixture;
  readonly partitions: number;
  /** What the tail told. A test that follows another log may put that one's here: no violations are allowed in it. */
  ledger = new TailLedger();
  #log: Log | undefined;

  constructor(fixture: LogFixture, partitions: number) {
    this.fixture = fixture;
    this.partitions = partitions;
  }

  /** The log that the ledger follows since the start. */
  get log(): Log {
    if (this.#log === undefined) throw new Error('the scene has not started');
    return this.#log;
  }

  /** Opens the log and follows it with a new ledger. */
  async start(settings: Partial<LogSettings> = {}): Promise<void> {
    this.#log = this.open(settings);
    this.ledger = await this.follow(this.#log);
  }

  /** Starts anew with no messages, and with other settings. */
  async restart(settings: Partial<LogSettings>): Promise<void> {
    await this.fixture.reset();
    await this.start(settings);
  }

  /** A log that nobody follows yet. */
  open(settings: Partial<LogSettings> = {}): Log {
    return this.fixture.open({
      partitions: this.partitions,
      historySize: 100,
      historyTtlSeconds: 3600,
      ...settings,
    });
  }

  /** Follows a log with a ledger of its own. */
  async follow(followed: Log, recentBytes = ALL): Promise<TailLedger> {
    const listener = new TailLedger();
    await followed.follow(listener, recentBytes);
    return listener;
  }

  /** Appends the data 0, 1, … one after the other; their ids. */
  async publish(channel: string, count: number, to = this.log): Promise<string[]> {
    const ids: string[] = [];
    for (let i = 0; i < count; i++) ids.push((await to.append({ channel, data: String(i) })).id);
    return ids;
  }

  /** Waits until the tail has brought so many messages. */
  delivered(count: number, where = this.ledger): Promise<void> {
    return until(() => where.messages.length >= count, `${count} messages at the tail`);
  }
}
