import { describe, expect, test } from 'vitest';
import { Authenticator, type AuthenticatorOptions } from '../../../src/auth/authenticator.ts';
import { PublishKeys } from '../../../src/auth/publish-keys.ts';
import { Revocations } from '../../../src/auth/sessions/revocations.ts';
import { Tickets } from '../../../src/auth/tickets/tickets.ts';
import { openTokenKeys } from '../../../src/auth/tokens/token-keys.ts';
import { TokenVerifier } from '../../../src/auth/tokens/token-verifier.ts';
import { EmbeddedSharedState } from '../../../src/log/embedded/embedded-shared-state.ts';
import { publishSecret, secretSigner } from '../../support/tokens.ts';

const signer = secretSigner();
const key = publishSecret();

function open(options: Partial<AuthenticatorOptions> = {}): Authenticator {
  const store = new EmbeddedSharedState(Date.now);
  return new Authenticator({
    tokens: new TokenVerifier({
      keys: openTokenKeys({ kind: 'secret', secret: signer.secret }, () => {}),
      issuer: undefined,
      audience: undefined,
      maxLifetimeSeconds: 3600,
      publicChannels: [],
    }),
    keys: new PublishKeys([{ name: 'shop', sha256: key.sha256, channels: ['*'], disconnect: false }], []),
    tickets: new Tickets(store, store),
    revocations: new Revocations(3600),
    begun: () => true,
    cookieName: 'session',
    mayUseCookie: () => true,
    publicChannels: ['news:*'],
    ...options,
  });
}

const bearer = (text: string) => ({ method: 'GET', headers: { authorization: `Bearer ${text}` } });
const cookie = (text: string) => ({ method: 'GET', headers: { cookie: `session=${text}` } });

describe('before it is known who was disconnected', () => {
  const starting = open({ begun: () => false });

  test('no token opens anything, as its subject may be one of them', async () => {
    const token = await signer.sign();
    await expect(starting.check(token)).rejects.toMatchObject({ code: 'starting' });
    await expect(starting.identify(bearer(token))).rejects.toMatchObject({ code: 'starting' });
    await expect(starting.identify(cookie(token))).rejects.toMatchObject({ code: 'starting' });
  });

  test('nor does a ticket, also one that comes back', async () => {
    let begun = true;
    const access = open({ begun: () => begun });
    const { ticket } = await access.issue(await access.check(await signer.sign()));
    const { cookies } = await access.redeem({ headers: {} }, ticket);
    begun = false;
    const again = { headers: { cookie: cookies[0]?.split(';')[0] } };
    await expect(access.redeem(again, ticket)).rejects.toMatchObject({ code: 'starting' });
  });

  test('publishers’ keys have no subject and open what they open', async () => {
    const principal = await starting.check(key.secret);
    expect(() => principal.checkPublish('orders')).not.toThrow();
    expect(() => starting.confirm(principal)).not.toThrow();
  });
});

test('a publisher’s key in a cookie is no token', async () => {
  await expect(open().identify(cookie(key.secret))).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('a cookie that another page may have sent is not looked at', async () => {
  const access = open({ mayUseCookie: () => false });
  expect(await access.identify(cookie('nonsense'))).toBe(access.stranger);
});

test('all tickets of a token stand for one and the same, while it is remembered', async () => {
  const access = open();
  const principal = await access.check(await signer.sign());
  const [first, second] = await Promise.all([access.issue(principal), access.issue(principal)]);
  const holders = await Promise.all([first, second].map(({ ticket }) => access.redeem({ headers: {} }, ticket)));
  expect(holders[0]?.principal).toBe(holders[1]?.principal);
  const other = await access.issue(await access.check(await signer.sign({ sub: 'bob' })));
  expect((await access.redeem({ headers: {} }, other.ticket)).principal).not.toBe(holders[0]?.principal);
});

test('rights that have ended since are confirmed to nobody', async () => {
  const revocations = new Revocations(3600);
  const access = open({ revocations });
  const principal = await access.check(await signer.sign());
  expect(() => access.confirm(principal)).not.toThrow();
  revocations.add('ann', Date.now());
  expect(() => access.confirm(principal)).toThrow('was disconnected');
});
