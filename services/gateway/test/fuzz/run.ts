import { Bystanders } from './bystanders.ts';
import { checkEchoes } from './check-echoes.ts';
import { fuzzHeads, HeadTally } from './fuzz-heads.ts';
import { fuzzReceiver } from './fuzz-receiver.ts';
import { fuzzWebSockets } from './fuzz-websocket.ts';
import { narrow } from './narrow.ts';
import { Tally } from './tally.ts';
import { type Reading, Target } from './target.ts';
import { Violation } from './violation.ts';

export interface RunOptions {
  readonly seed: number;
  /** Mutated frames that the product's code shall read. */
  readonly frames: number;
  /** Mutated request heads that shall be sent. */
  readonly heads: number;
  /** When to stop though there is more to do. */
  readonly seconds: number;
  /** Aborted when there shall be no more. */
  readonly signal: AbortSignal;
  /** Is told now and then how far it has come. */
  readonly say: (line: string) => void;
}

export interface RunResult {
  /** Whether everything was done in the time that there was. */
  readonly isComplete: boolean;
  readonly receiver: Tally;
  /** Valid conversations that came back from the echo server. */
  readonly echoes: number;
  readonly webSockets: Tally;
  readonly heads: HeadTally;
  /** Messages that the bystanders got meanwhile, each of them all. */
  readonly bystanderMessages: number;
  /** By how much the node's memory grew in the second half of a part, at most. */
  readonly grownBytes: number;
}

/** Share of the frames that go over sockets to a real node; the receiver itself is given the others. */
const SOCKET_SHARE = 0.1;
/** Valid conversations that the echo server sends back, for each mutated frame. */
const ECHO_SHARE = 0.002;
/** Share of the time that has gone when each part must be over. */
const OVER = { receiver: 0.4, echoes: 0.45, webSockets: 0.75, heads: 1 };
/**
 * Memory may be fuller at the end of a part than in its middle by what code and caches still grow. In a full run it would
 * be more if an input left 100 bytes behind.
 */
const MAX_GROWN_BYTES = 4 * 1024 * 1024;
const PROGRESS_MILLISECONDS = 5000;

/** Fuzzes everything that reads what clients send. Rejects with a Violation at the first thing that must not be. */
export async function run({ seed, frames, heads, seconds, signal, say }: RunOptions): Promise<RunResult> {
  const started = performance.now();
  const isOver = (part: keyof typeof OVER) => (): boolean =>
    signal.aborted || performance.now() > started + OVER[part] * seconds * 1000;

  const receiver = new Tally();
  await fuzzReceiver(receiver, {
    seed,
    frames: frames * (1 - SOCKET_SHARE),
    isOver: isOver('receiver'),
    progress: sometimes(() => say(`receiver: ${receiver.mutatedRead} mutated frames read`)),
  });
  const echoes = await checkEchoes({
    seed,
    conversations: Math.ceil(frames * ECHO_SHARE),
    isOver: isOver('echoes'),
  });

  const target = await Target.start();
  let bystanders: Bystanders | undefined;
  try {
    bystanders = await Bystanders.connect(target.port);
    const watch = new Watch(target, bystanders, await target.restingReading());
    bystanders.startPublishing();
    const webSockets = new Tally();
    const socketOptions = {
      seed,
      isOver: isOver('webSockets'),
      progress: sometimes(() => {
        watch.check();
        say(`WebSocket: ${webSockets.mutatedRead} mutated frames read, ${webSockets.conversations} connections`);
      }),
    };
    await watch.inHalves((part) =>
      fuzzWebSockets(target, webSockets, { ...socketOptions, frames: part * frames * SOCKET_SHARE }),
    );
    const headTally = new HeadTally();
    const headOptions = {
      seed,
      isOver: isOver('heads'),
      progress: sometimes(() => {
        watch.check();
        say(`heads: ${headTally.heads} sent`);
      }),
    };
    await watch.inHalves((part) => fuzzHeads(target, headTally, { ...headOptions, heads: part * heads }));
    await bystanders.finish();
    return {
      isComplete: receiver.mutatedRead + webSockets.mutatedRead >= frames && headTally.heads >= heads,
      receiver,
      echoes,
      webSockets,
      heads: headTally,
      bystanderMessages: bystanders.published,
      grownBytes: watch.grownBytes,
    };
  } catch (error) {
    // What the node itself says of it tells more than what its clients saw.
    throw await narrow((await target.diagnosis()) ?? error);
  } finally {
    bystanders?.close();
    await target.stop();
  }
}

/** What must hold all the time, and after each part. */
class Watch {
  /** The most that the memory grew between the middle of a part and its end. */
  grownBytes = 0;
  readonly #target: Target;
  readonly #bystanders: Bystanders;
  readonly #before: Reading;

  constructor(target: Target, bystanders: Bystanders, before: Reading) {
    this.#target = target;
    this.#bystanders = bystanders;
    this.#before = before;
  }

  check(): void {
    this.#target.checkHealth();
    this.#bystanders.check();
  }

  /** Does half of a task and then all of it, and looks at what the node holds after each. */
  async inHalves(task: (part: number) => Promise<void>): Promise<void> {
    await task(0.5);
    const bytes = await this.#settledBytes();
    await task(1);
    const grown = (await this.#settledBytes()) - bytes;
    this.grownBytes = Math.max(this.grownBytes, grown);
    if (grown > MAX_GROWN_BYTES) throw new Violation(`the node's memory grew by ${grown} bytes in half a part`);
  }

  /** What the node holds when nobody but the bystanders is connected. */
  async #settledBytes(): Promise<number> {
    this.check();
    await this.#target.settles(this.#before);
    return this.#target.memoryBytes();
  }
}

/** Calls a function at most every few seconds. */
function sometimes(call: () => void): () => void {
  let next = performance.now() + PROGRESS_MILLISECONDS;
  return () => {
    if (performance.now() < next) return;
    next = performance.now() + PROGRESS_MILLISECONDS;
    call();
  };
}
