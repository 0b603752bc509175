import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { Tickets } from '../../../../src/auth/tickets/tickets.ts';
import type { TokenClaims } from '../../../../src/auth/tokens/token-claims.ts';
import { FanfareError } from '../../../../src/errors.ts';
import { WatchedState } from '../../../support/watched-state.ts';

let store: WatchedState;
let tickets: Tickets;
beforeEach(() => {
  store = new WatchedState();
  tickets = new Tickets(store, store);
});

const nowSeconds = (): number => Math.floor(Date.now() / 1000);

function claimsOf(sub = 'ann', lifetimeSeconds = 3600): TokenClaims {
  const exp = nowSeconds() + lifetimeSeconds;
  return { sub, subscribe: ['orders:*', 'user:{sub}'], publish: [], exp, iat: exp - 7200 };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

async function refusalOf(refused: Promise<unknown>): Promise<{ code: string; detail: string; error: FanfareError }> {
  const error = await refused.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof FanfareError)) throw new Error(`it was not refused with a FanfareError: ${error}`);
  return { code: error.code, detail: error.message, error };
}

describe('a ticket', () => {
  test('is random, and good for thirty seconds', async () => {
    const [one, other] = [await tickets.issue(claimsOf()), await tickets.issue(claimsOf())];
    expect(one.ticket).toMatch(/^fft_[A-Za-z0-9_-]{22}$/);
    expect(other.ticket).not.toBe(one.ticket);
    expect(one.expiresInSeconds).toBe(30);
  });

  test('gives the rights of its token, and a secret to come back with', async () => {
    const claims = claimsOf();
    const { ticket } = await tickets.issue(claims);
    const redeemed = await tickets.redeem(ticket, undefined);
    expect(redeemed.claims).toEqual(claims);
    expect(redeemed.secret).toMatch(/^[A-Za-z0-9_-]{22}$/);
  });

  test('lets its holder come back, as often as he likes and after the thirty seconds', async () => {
    const claims = claimsOf();
    const { ticket } = await tickets.issue(claims);
    const { secret } = await tickets.redeem(ticket, undefined);
    const startMs = store.nowMs;
    for (const aheadMs of [0, 60_000, 3_500_000]) {
      store.nowMs = startMs + aheadMs;
      expect(await tickets.redeem(ticket, secret)).toEqual({ claims, secret: undefined });
    }
  });

  test('ends with its token, for its holder too', async () => {
    const { ticket } = await tickets.issue(claimsOf('ann', 100));
    const { secret } = await tickets.redeem(ticket, undefined);
    store.nowMs += 101_000;
    expect(await refusalOf(tickets.redeem(ticket, secret))).toMatchObject({ code: 'unauthenticated' });
  });

  test.each([
    ['with nothing', undefined],
    ['with a secret of somebody else', 'A'.repeat(22)],
  ])('opens nothing for a second one who comes %s, and the first keeps it', async (_, presented) => {
    const { ticket } = await tickets.issue(claimsOf());
    const { secret } = await tickets.redeem(ticket, undefined);
    const { code, detail } = await refusalOf(tickets.redeem(ticket, presented));
    expect(code).toBe('unauthenticated');
    expect(detail).toMatch(/used already by somebody else/);
    expect((await tickets.redeem(ticket, secret)).claims.sub).toBe('ann');
  });

  test('goes to one only of many who come at once', async () => {
    const { ticket } = await tickets.issue(claimsOf());
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => tickets.redeem(ticket, undefined)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('does not go to who brings a secret of his own choice: the holder gets a fresh one', async () => {
    const { ticket } = await tickets.issue(claimsOf());
    const planted = 'P'.repeat(22);
    const { secret } = await tickets.redeem(ticket, planted);
    expect(secret).toBeTypeOf('string');
    expect(secret).not.toBe(planted);
    expect(await refusalOf(tickets.redeem(ticket, planted))).toMatchObject({ code: 'unauthenticated' });
  });

  test('that was not used within thirty seconds opens nothing, and says so', async () => {
    const { ticket } = await tickets.issue(claimsOf());
    store.nowMs += 30_000;
    const { code, detail } = await refusalOf(tickets.redeem(ticket, undefined));
    expect(code).toBe('unauthenticated');
    expect(detail).toMatch(/unknown or too late.*good for 30 s/);
  });

  test('that nobody made opens nothing', async () => {
    const { code, detail } = await refusalOf(tickets.redeem(`fft_${'x'.repeat(22)}`, undefined));
    expect(code).toBe('unauthenticated');
    expect(detail).toMatch(/unknown or too late/);
    expect(store.claims).toBe(1);
  });

  test.each([
    '',
    'fft_',
    'x'.repeat(26),
    `fft_${'x'.repeat(21)}`,
    `fft_${'x'.repeat(23)}`,
    `FFT_${'x'.repeat(22)}`,
    `fft_${'x'.repeat(21)}+`,
    `fft_${'x'.repeat(21)}ä`,
    `fft_${'x'.repeat(22)}\n`,
    `ffk_${'x'.repeat(22)}`,
  ])('of another form is refused and never asked for: %j', async (ticket) => {
    expect(await refusalOf(tickets.redeem(ticket, undefined))).toMatchObject({ code: 'unauthenticated' });
    expect(store.claims).toBe(0);
  });
});

describe('a token that ends soon', () => {
  test('gives a ticket that is good until then', async () => {
    const { ticket, expiresInSeconds } = await tickets.issue(claimsOf('ann', 10));
    expect(expiresInSeconds).toBeLessThanOrEqual(10);
    store.nowMs += 10_000;
    expect(await refusalOf(tickets.redeem(ticket, undefined))).toMatchObject({ code: 'unauthenticated' });
  });

  test('gives none after its end, though clocks that differ are tolerated', async () => {
    const refusal = await refusalOf(tickets.issue(claimsOf('ann', -1)));
    expect(refusal).toMatchObject({ code: 'unauthenticated', detail: 'the token has expired' });
    expect(store.tickets.size).toBe(0);
  });

  test('may end at a fraction of a second: what is stored has whole milliseconds', async () => {
    await tickets.issue({ ...claimsOf(), exp: nowSeconds() + 20.123456 });
    const [stored] = store.tickets.values();
    expect(stored?.keepUntilMs).toSatisfy(Number.isInteger);
    expect(stored?.claimMs).toSatisfy(Number.isInteger);
  });
});

describe('whoever reads the store', () => {
  test('learns neither a ticket nor a secret', async () => {
    const { ticket } = await tickets.issue(claimsOf());
    const { secret = '' } = await tickets.redeem(ticket, undefined);
    const [key = ''] = store.tickets.keys();
    const { value = '', holder = '' } = store.tickets.get(key) ?? {};
    expect(key).toBe(sha256(ticket));
    expect(holder).toBe(sha256(secret));
    expect(secret).not.toBe('');
    for (const text of [key, value, holder]) {
      expect(text).not.toContain(ticket.slice('fft_'.length));
      expect(text).not.toContain(secret);
    }
  });
});

test('no refusal repeats a ticket or a secret', async () => {
  const { ticket } = await tickets.issue(claimsOf());
  const { secret = '' } = await tickets.redeem(ticket, undefined);
  const never = `fft_${'x'.repeat(22)}`;
  const presented = 'A'.repeat(22);
  for (const [each, by] of [
    [ticket, presented],
    [never, secret],
    [`${never}y`, secret],
  ] as const) {
    const { detail } = await refusalOf(tickets.redeem(each, by));
    for (const hidden of [each, ticket, secret, presented]) expect(detail).not.toContain(hidden);
  }
});

describe('how many tickets a subject may make', () => {
  test('is sixty at once, and twelve a minute in the long run', async () => {
    const issueMany = (count: number) =>
      Promise.allSettled(Array.from({ length: count }, () => tickets.issue(claimsOf())));
    const made = (outcomes: readonly PromiseSettledResult<unknown>[]) =>
      outcomes.filter(({ status }) => status === 'fulfilled').length;
    expect(made(await issueMany(70))).toBe(60);
    store.nowMs += 50_000;
    expect(made(await issueMany(70))).toBe(10);
    expect(store.asked.filter(({ account }) => account === 'ticket:ann')).toHaveLength(140);
  });

  test('is counted for each of them, and a refusal says when to come again', async () => {
    for (let i = 0; i < 60; i++) await tickets.issue(claimsOf('ann'));
    const { code, error } = await refusalOf(tickets.issue(claimsOf('ann')));
    expect(code).toBe('rate_limited');
    expect(error.retryAfterSeconds).toBe(5);
    await tickets.issue(claimsOf('bob'));
    expect(new Set(store.asked.map(({ account }) => account))).toEqual(new Set(['ticket:ann', 'ticket:bob']));
  });

  test('cannot be known while the log is away, which is what the caller is told', async () => {
    store.failure = new FanfareError('log_unavailable', 'away');
    expect(await refusalOf(tickets.issue(claimsOf()))).toMatchObject({ code: 'log_unavailable' });
  });
});
