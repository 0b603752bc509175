import { FanfareError } from '../../errors.ts';
import type { CommandConnection } from './connection.ts';

/** How long replicas may take to confirm, as part of what a command may take. */
const WAIT_SHARE = 0.4;

/** Appends that go out together, and the one WAIT behind them. */
interface Group {
  /** Resolves when it is the group's turn to be sent. */
  readonly turn: Promise<void>;
  /** How many replicas have confirmed all of it. */
  readonly confirmed: Promise<number>;
}

/**
 * Answers appends only when enough replicas have them (https://redis.io/docs/latest/commands/wait/).
 *
 * WAIT looks at what its own connection wrote, and holds up all that comes behind it there. So appends go in groups: what comes
 * while replicas are being waited for is sent together, with one WAIT for all of it, when they have answered.
 */
export class Replication {
  readonly #replicas: number;
  readonly #timeoutMs: number;
  /** The group that is being gathered, by connection. */
  readonly #gathering = new WeakMap<CommandConnection, Group>();
  /** The WAIT that was sent last. */
  readonly #waiting = new WeakMap<CommandConnection, Promise<number>>();

  /** `replicas` ≥ 1; `commandTimeoutMs`: what a command may take, of which a WAIT takes a part at most. */
  constructor(replicas: number, commandTimeoutMs: number) {
    this.#replicas = replicas;
    this.#timeoutMs = Math.max(1, Math.floor(commandTimeoutMs * WAIT_SHARE));
  }

  /** Sends an append and waits for replicas. Rejects with `not_replicated` when too few have confirmed in time, else with what the append failed with. */
  async confirm<T>(connection: CommandConnection, append: () => Promise<T>): Promise<T> {
    const group = this.#groupOf(connection);
    await group.turn;
    // A WAIT that fails (the master was replaced, say) tells nothing of the append.
    const [reply, replicas] = await Promise.all([append(), group.confirmed.catch(() => 0)]);
    if (replicas < this.#replicas) throw notReplicated(replicas, this.#replicas);
    return reply;
  }

  #groupOf(connection: CommandConnection): Group {
    const gathering = this.#gathering.get(connection);
    if (gathering !== undefined) return gathering;
    const turn = Promise.allSettled([this.#waiting.get(connection)]).then(() => {});
    const group = { turn, confirmed: turn.then(() => this.#send(connection)) };
    this.#gathering.set(connection, group);
    return group;
  }

  /** The group's appends are sent in this turn of the event loop, as they waited for the same; WAIT goes behind them. */
  #send(connection: CommandConnection): Promise<number> {
    this.#gathering.delete(connection);
    const waiting = new Promise<void>((resolve) => setImmediate(resolve)).then(() =>
      connection.redis.wait(this.#replicas, this.#timeoutMs),
    );
    this.#waiting.set(connection, waiting);
    return waiting;
  }
}

function notReplicated(confirmed: number, wanted: number): FanfareError {
  return new FanfareError(
    'not_replicated',
    `The message may have been published, but only ${confirmed} of ${wanted} replicas confirmed it in time. A retry with the same idempotency key is safe.`,
  );
}
