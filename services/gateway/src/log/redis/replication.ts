import { setImmediate } from 'node:timers/promises';
import { FanfareError } from '../../errors.ts';
import type { CommandConnection, ConnectionSettings } from './connection.ts';
import { reasonOf } from './failure.ts';

/** How long replicas may take to confirm, as part of what a command may take. */
const WAIT_SHARE = 0.4;

/** Appends that go out together, and the one WAIT behind them. */
interface Group {
  /** Resolves when it is the group's turn to be sent. */
  readonly turn: Promise<void>;
  /** Those that were sent. */
  readonly appends: Promise<unknown>[];
  /** How many replicas have confirmed all of it; 0 when that is not known. Never rejects. */
  readonly confirmed: Promise<number>;
}

/**
 * Answers appends only when enough replicas have them (https://redis.io/docs/latest/commands/wait/).
 *
 * WAIT looks at what its own connection wrote, and holds up all that comes behind it there. So appends go in groups: what comes
 * while replicas are being waited for is sent together, with one WAIT for all of it. WAIT is sent when they were answered: an
 * append may have been sent twice, as Redis did not know the script.
 */
export class Replication {
  readonly #replicas: number;
  readonly #timeoutMs: number;
  readonly #settings: Pick<ConnectionSettings, 'metrics' | 'denials'>;
  /** The group that is being gathered, by connection. */
  readonly #gathering = new WeakMap<CommandConnection, Group>();
  /** The group that was sent last. */
  readonly #sent = new WeakMap<CommandConnection, Group>();

  /** `replicas` ≥ 1; `commandTimeoutMs`: what a command may take, of which a WAIT takes a part at most. */
  constructor(replicas: number, commandTimeoutMs: number, settings: Pick<ConnectionSettings, 'metrics' | 'denials'>) {
    this.#replicas = replicas;
    this.#timeoutMs = Math.max(1, Math.floor(commandTimeoutMs * WAIT_SHARE));
    this.#settings = settings;
  }

  /** Sends an append and waits for replicas. Rejects with `not_replicated` when too few have confirmed in time, else with what the append failed with. */
  async confirm<T>(connection: CommandConnection, append: () => Promise<T>): Promise<T> {
    const group = this.#groupOf(connection);
    await group.turn;
    const appended = append();
    group.appends.push(appended);
    const [reply, replicas] = await Promise.all([appended, group.confirmed]);
    if (replicas < this.#replicas) throw notReplicated(replicas, this.#replicas);
    return reply;
  }

  #groupOf(connection: CommandConnection): Group {
    const gathering = this.#gathering.get(connection);
    if (gathering !== undefined) return gathering;
    const turn = Promise.resolve(this.#sent.get(connection)?.confirmed).then(() => {});
    const appends: Promise<unknown>[] = [];
    const group: Group = { turn, appends, confirmed: turn.then(() => this.#confirmed(connection, group)) };
    this.#gathering.set(connection, group);
    return group;
  }

  async #confirmed(connection: CommandConnection, group: Group): Promise<number> {
    const { redis } = connection;
    const { stream } = redis;
    this.#gathering.delete(connection);
    this.#sent.set(connection, group);
    // All of the group waited for the same, so all is sent in this turn of the event loop.
    await setImmediate();
    await Promise.allSettled(group.appends);
    // Another connection knows nothing of what this one wrote.
    if (redis.stream !== stream) return 0;
    try {
      return await redis.wait(this.#replicas, this.#timeoutMs);
    } catch (error) {
      this.#settings.metrics.logError('append');
      this.#settings.denials.heard(reasonOf(error));
      return 0;
    }
  }
}

function notReplicated(confirmed: number, wanted: number): FanfareError {
  return new FanfareError(
    'not_replicated',
    `The message may have been published, but only ${confirmed} of ${wanted} replicas confirmed it in time. A retry with the same idempotency key is safe.`,
  );
}
