import { STATUS_CODES } from 'node:http';
import { SseClient } from '../support/sse-client.ts';
import { concurrently } from './concurrently.ts';
import { exchangeHead, type HeadExchange } from './head-exchange.ts';
import { INJECTED_HEADER } from './hostile-values.ts';
import { type MutatedHead, mutateRequest, pipeline } from './mutate-request.ts';
import { Random } from './random.ts';
import { anyRequest, encodeRequest } from './request.ts';
import { SMUGGLED_CHANNEL, smuggle } from './smuggling.ts';
import type { Target } from './target.ts';
import { Violation } from './violation.ts';

/** The part's name. */
export const HEADS = 'heads';

const CONCURRENCY = 32;
const SMUGGLED_SHARE = 0.05;
const PIPELINE_SHARE = 0.1;
const TRUNCATED_SHARE = 0.05;
/** Share of the truncated heads whose client waits until the node has had enough. */
const PATIENT_SHARE = 0.1;
/** Share of the clients that vanish as soon as they have said everything. */
const RESET_SHARE = 0.05;

export interface HeadOptions {
  readonly seed: number;
  /** Heads that shall be sent. */
  readonly heads: number;
  /** Whether to stop though there is more to do. */
  readonly isOver: () => boolean;
  readonly progress: () => void;
}

/** What became of the heads. */
export class HeadTally {
  heads = 0;
  /** By the first answer's status; `closed` for those that were closed without one. */
  readonly answers = new Map<string, number>();

  count(answer: string): void {
    this.heads++;
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }
}

/** Sends mutated request heads to a real node, each over a connection of its own, until the tally says that it is enough. */
export async function fuzzHeads(target: Target, tally: HeadTally, options: HeadOptions): Promise<void> {
  const { seed, heads, isOver, progress } = options;
  const listener = await new SseClient(`${target.gateway.url}/v1/sse?channel=${SMUGGLED_CHANNEL}`).open();
  let next = seed + tally.heads;
  try {
    await concurrently(CONCURRENCY, async () => {
      if (next - seed >= heads || isOver()) return false;
      await fuzzHead(target, next++, tally);
      progress();
      return true;
    });
    if (listener.ended) throw new Violation('who listens for hidden requests was cut off');
    const [message] = listener.messages;
    if (message !== undefined)
      throw new Violation(`a request hidden in another one's body was served: ${message.data}`);
  } finally {
    listener.close();
  }
}

/** Sends the head that this seed makes. */
export async function fuzzHead(target: Target, seed: number, tally: HeadTally): Promise<void> {
  const random = new Random(seed);
  const { bytes, mutations, isTruncated } = makeInput(random);
  const input = { part: HEADS, seed, mutations, bytes };
  const cuts = Array.from({ length: random.pick([0, 0, 0, 1, 3]) }, () => random.below(bytes.length + 1));
  const end =
    isTruncated && random.chance(PATIENT_SHARE) ? 'never' : random.chance(RESET_SHARE) ? 'reset' : 'when answered';
  const exchange = await target.take(input, exchangeHead(target.port, { bytes, cuts, end }));
  const problem = judge(exchange);
  if (problem !== undefined) throw new Violation(problem, [input]);
  tally.count(String(exchange.statuses[0] ?? 'closed'));
}

function makeInput(random: Random): MutatedHead & { readonly isTruncated: boolean } {
  const request = anyRequest(random);
  if (random.chance(SMUGGLED_SHARE)) {
    smuggle(random, request);
    return { bytes: encodeRequest(request), mutations: ['a hidden request'], isTruncated: false };
  }
  if (random.chance(TRUNCATED_SHARE)) {
    const bytes = encodeRequest(request);
    const length = random.between(1, bytes.indexOf('\r\n\r\n') + 3);
    return {
      bytes: bytes.subarray(0, length),
      mutations: ['a head that breaks off'],
      isTruncated: true,
    };
  }
  const mutated = random.chance(PIPELINE_SHARE) ? pipeline(random) : mutateRequest(random, request);
  return { ...mutated, isTruncated: false };
}

const HEADER_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*$/;

/** What is wrong with an answer, in words. */
function judge({ statuses, heads }: HeadExchange): string | undefined {
  for (const status of statuses)
    if (STATUS_CODES[status] === undefined || status >= 500) return `answered with ${status}`;
  for (const lines of heads) {
    const bad = lines.find((line) => !HEADER_LINE.test(line));
    if (bad !== undefined) return `the answer has the header line ${JSON.stringify(bad)}`;
    if (lines.some((line) => line.toLowerCase().startsWith(INJECTED_HEADER.toLowerCase())))
      return `the answer has a header that the request put there`;
  }
  return undefined;
}
