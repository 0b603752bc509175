import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { CloseReason } from '../../../src/errors.ts';
import { type Registered, Registry } from '../../../src/hub/registry.ts';

// Vitest's fake clock drives the global timers only; the promised ones are put on top of those.
vi.mock('node:timers/promises', () => ({
  setTimeout: (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds)),
}));

/** A hundredth of the interval: one turn of the wheel. */
const TURN_MILLISECONDS = 1000;
const INTERVAL_SECONDS = 100;
const SLOTS = 100;

/** What the wheel did to a connection, turn by turn. */
class FakeConnection implements Registered {
  slot = -1;
  beatsLeft = 0;
  readonly beats: number[] = [];
  readonly checks: number[] = [];
  readonly closes: CloseReason[] = [];
  onBeat = (): void => {};
  readonly #registry: Registry;
  readonly #turn: () => number;

  constructor(registry: Registry, turn: () => number) {
    this.#registry = registry;
    this.#turn = turn;
  }

  beat(): void {
    this.beats.push(this.#turn());
    this.onBeat();
  }

  check(): void {
    this.checks.push(this.#turn());
  }

  close(reason: CloseReason): void {
    this.closes.push(reason);
    this.#registry.remove(this);
  }
}

let registry: Registry;
let turn = 0;

function setUp(timeoutSeconds = 40, maxAgeSeconds = 0): void {
  registry?.stop();
  turn = 0;
  registry = new Registry({ intervalSeconds: INTERVAL_SECONDS, timeoutSeconds, maxAgeSeconds });
}

function connect(count: number): FakeConnection[] {
  const connections = Array.from({ length: count }, () => new FakeConnection(registry, () => turn));
  for (const connection of connections) registry.add(connection);
  return connections;
}

function turnWheel(turns: number): void {
  for (let i = 0; i < turns; i++) {
    turn++;
    vi.advanceTimersByTime(TURN_MILLISECONDS);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  setUp();
});

afterEach(() => {
  registry.stop();
  vi.useRealTimers();
});

describe('the wheel', () => {
  test('beats every connection once in an interval', () => {
    const connections = connect(250);
    turnWheel(SLOTS);
    for (const { beats } of connections) expect(beats).toHaveLength(1);
    turnWheel(2 * SLOTS);
    for (const { beats } of connections)
      expect(beats).toEqual([beats[0], Number(beats[0]) + 100, Number(beats[0]) + 200]);
  });

  test('spreads a burst evenly: as many in one turn as in any other', () => {
    const connections = connect(700);
    turnWheel(SLOTS);
    const perTurn = new Map<number, number>();
    for (const { beats } of connections) perTurn.set(beats[0] ?? 0, (perTurn.get(beats[0] ?? 0) ?? 0) + 1);
    expect([...perTurn.values()]).toEqual(Array(SLOTS).fill(7));
  });

  test('spreads a small burst over the whole interval', () => {
    const beats = connect(10)
      .map((connection) => connection.slot)
      .sort((a, b) => a - b);
    const gaps = beats.map((slot, i) => ((beats[i + 1] ?? (beats[0] ?? 0) + SLOTS) - slot + SLOTS) % SLOTS);
    expect(Math.max(...gaps)).toBeLessThan(30);
    expect(new Set(beats).size).toBe(10);
  });

  test.each([
    [40, 40],
    [0.5, 1],
    [1, 1],
    [1.01, 2],
    [99.9, 99],
    [98.5, 99],
  ])('checks a connection a time-out of %d s after its beat, never earlier: %d turns', (timeoutSeconds, turns) => {
    setUp(timeoutSeconds);
    const connections = connect(100);
    turnWheel(2 * SLOTS);
    for (const { beats, checks } of connections) {
      const first = beats[0] ?? 0;
      expect(checks.filter((at) => at > first)[0]).toBe(first + turns);
    }
  });

  test('leaves alone who has gone, also in the middle of a turn', () => {
    const connections = connect(200);
    const [first, second] = connections.filter(({ slot }) => slot === connections[0]?.slot);
    if (first === undefined || second === undefined) throw new Error('two connections were to share a slot');
    first.onBeat = () => {
      registry.remove(first);
      registry.remove(second);
    };
    turnWheel(2 * SLOTS);
    expect(first.beats).toHaveLength(1);
    expect(second.beats).toEqual([]);
    expect(registry.size).toBe(198);
  });

  test('takes in who comes in the middle of a turn', () => {
    const [first] = connect(1);
    const late = new FakeConnection(registry, () => turn);
    if (first === undefined) throw new Error('there was to be a connection');
    first.onBeat = () => {
      if (late.slot === -1) registry.add(late);
    };
    turnWheel(2 * SLOTS);
    expect(registry.size).toBe(2);
    expect(late.beats.length).toBeGreaterThan(0);
  });

  test('stands still once it is stopped', () => {
    const connections = connect(100);
    registry.stop();
    turnWheel(SLOTS);
    expect(connections.flatMap(({ beats, checks }) => [...beats, ...checks])).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the count', () => {
  test('follows what is added and removed, and a second removal changes nothing', () => {
    const connections = connect(150);
    expect(registry.size).toBe(150);
    for (const connection of connections.slice(0, 50)) {
      registry.remove(connection);
      registry.remove(connection);
      expect(connection.slot).toBe(-1);
    }
    expect(registry.size).toBe(100);
    registry.remove(new FakeConnection(registry, () => turn));
    expect(registry.size).toBe(100);
  });
});

describe('a drain', () => {
  const never = new AbortController().signal;

  function told(connections: readonly FakeConnection[]): number {
    return connections.filter(({ closes }) => closes.length > 0).length;
  }

  test('over no time tells everyone once, at once', async () => {
    const connections = connect(250);
    const done = registry.drain(0, 'draining', never);
    expect(told(connections)).toBe(250);
    await done;
    expect(registry.size).toBe(0);
    for (const { closes } of connections) expect(closes).toEqual(['draining']);
  });

  test('of nobody is over', async () => {
    await expect(registry.drain(30, 'draining', never)).resolves.toBeUndefined();
  });

  test('is spread evenly over its time', async () => {
    const connections = connect(1000);
    const done = registry.drain(10, 'draining', never);
    for (const tenth of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      await vi.advanceTimersByTimeAsync(1000);
      expect(told(connections)).toBeGreaterThan(tenth * 100 - 10);
      expect(told(connections)).toBeLessThan(tenth * 100 + 10);
    }
    await vi.advanceTimersByTimeAsync(1100);
    await done;
    for (const { closes } of connections) expect(closes).toEqual(['draining']);
    expect(registry.size).toBe(0);
  });

  test('that is hurried tells all that are left, once', async () => {
    const connections = connect(1000);
    const hurry = new AbortController();
    const done = registry.drain(3600, 'draining', hurry.signal);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(told(connections)).toBeLessThan(50);
    hurry.abort();
    await vi.advanceTimersByTimeAsync(100);
    await done;
    for (const { closes } of connections) expect(closes).toEqual(['draining']);
  });

  test('that was in a hurry from the start waits for nothing', async () => {
    const connections = connect(30);
    const done = registry.drain(3600, 'draining', AbortSignal.abort());
    expect(told(connections)).toBe(30);
    await done;
  });

  test('is over as soon as everyone has left by themselves', async () => {
    const connections = connect(100);
    const done = registry.drain(3600, 'draining', never);
    for (const connection of connections) registry.remove(connection);
    await vi.advanceTimersByTimeAsync(100);
    await done;
    expect(told(connections)).toBe(1);
  });

  test('tells nobody who has left meanwhile', async () => {
    const connections = connect(100);
    const done = registry.drain(10, 'draining', never);
    const leaving = connections.filter(({ slot }) => slot !== -1).slice(0, 60);
    for (const connection of leaving) registry.remove(connection);
    await vi.advanceTimersByTimeAsync(11_000);
    await done;
    expect(told(leaving)).toBe(0);
    expect(told(connections)).toBe(40);
  });

  test('of one connection over a long time does not keep it waiting', async () => {
    const connections = connect(1);
    await registry.drain(3600, 'draining', never);
    expect(told(connections)).toBe(1);
  });
});

describe('a greatest age', () => {
  test('sends everyone away at a heartbeat about then, and not all at one', () => {
    setUp(40, 20 * INTERVAL_SECONDS);
    const connections = connect(500);
    turnWheel(17 * SLOTS);
    expect(connections.filter(({ closes }) => closes.length > 0)).toEqual([]);
    turnWheel(6 * SLOTS);
    for (const { closes } of connections) expect(closes).toEqual(['max_age']);
    const beatsOfTheLives = new Set(connections.map(({ beats }) => beats.length));
    expect(beatsOfTheLives.size).toBeGreaterThan(2);
    expect(registry.size).toBe(0);
  });

  test('that is below a heartbeat interval ends a connection at its first heartbeat', () => {
    setUp(40, 1);
    const connections = connect(100);
    turnWheel(SLOTS);
    for (const { beats, closes } of connections) expect([beats, closes]).toEqual([[], ['max_age']]);
  });

  test('of 0 lets connections live', () => {
    const connections = connect(10);
    turnWheel(50 * SLOTS);
    for (const { closes } of connections) expect(closes).toEqual([]);
  });
});
