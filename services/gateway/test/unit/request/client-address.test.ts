import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressKey, proxyProblem, TrustedProxies } from '../../../src/request/client-address.ts';

const proxies = new TrustedProxies(['10.0.0.0/8', '192.168.1.1', 'fd00::/8', '::1']);

describe('the address of a client', () => {
  test.each([
    ['a peer that is no proxy says what it likes', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['a proxy that says nothing is the client', '10.0.0.1', undefined, '10.0.0.1'],
    ['a proxy tells whom it saw', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['proxies in a row are stepped over', '10.0.0.1', '203.0.113.9, 10.1.1.1, 192.168.1.1', '203.0.113.9'],
    ['what the client itself sent is not believed', '10.0.0.1', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['a client among the proxies is as far as the list goes', '10.0.0.1', '10.0.0.2, 10.0.0.3', '10.0.0.2'],
    ['spaces and tabs do not matter', '10.0.0.1', '198.51.100.1 ,\t 203.0.113.9 \t', '203.0.113.9'],
    ['IPv6 all the way', 'fd00::1', '2001:db8::7, fd12::1', '2001:db8::7'],
    ['IPv4 in the dress of IPv6 is IPv4', '::ffff:10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['also in hexadecimal', '::ffff:a00:1', '::FFFF:cb00:7109', '203.0.113.9'],
    ['IPv6 comes in its shortest form', '::1', '2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['a zone is the own machine’s name for a link', 'fe80::1%eth0', undefined, 'fe80::1'],
    ['IPv4 with a port', '10.0.0.1', '203.0.113.9:5678', '203.0.113.9'],
    ['IPv6 with a port', '10.0.0.1', '[2001:db8::7]:443', '2001:db8::7'],
    ['IPv6 in brackets', '10.0.0.1', '[2001:db8::7]', '2001:db8::7'],
    ['unknown ends the walk', '10.0.0.1', '203.0.113.9, unknown', '10.0.0.1'],
    ['a hidden name ends the walk', '10.0.0.1', '203.0.113.9, _hidden, 10.0.0.2', '10.0.0.2'],
    ['an empty entry ends the walk', '10.0.0.1', '203.0.113.9,, 10.0.0.2', '10.0.0.2'],
    ['an empty header says nothing', '10.0.0.1', '', '10.0.0.1'],
    ['commas say nothing', '10.0.0.1', ',,,', '10.0.0.1'],
    ['an address that is none ends the walk', '10.0.0.1', '203.0.113.9, 300.1.1.1', '10.0.0.1'],
    ['a port that is none ends the walk', '10.0.0.1', '203.0.113.9:http', '10.0.0.1'],
    ['a socket that is gone has none', '', '203.0.113.9', ''],
  ])('%s', (_name, remote, forwardedFor, client) => {
    expect(proxies.clientAddress(remote, forwardedFor)).toBe(client);
  });

  test('is the peer’s where no proxy is trusted', () => {
    expect(new TrustedProxies([]).clientAddress('::ffff:127.0.0.1', '203.0.113.9')).toBe('127.0.0.1');
  });

  test('is not looked for past 32 proxies', () => {
    const chain = ['203.0.113.9', ...Array<string>(4000).fill('10.0.0.2')].join(',');
    expect(proxies.clientAddress('10.0.0.1', chain)).toBe('10.0.0.2');
  });

  test('is not looked for in an entry that is longer than any address', () => {
    expect(proxies.clientAddress('10.0.0.1', `${' '.repeat(30_000)}203.0.113.9`)).toBe('10.0.0.1');
  });

  test('is the last one that a trusted proxy wrote, whatever the client put before it', () => {
    fc.assert(
      fc.property(fc.string(), fc.ipV4(), fc.ipV6(), (forged, four, six) => {
        fc.pre(!four.startsWith('10.') && four !== '192.168.1.1');
        expect(proxies.clientAddress('10.0.0.1', `${forged},${four}, 10.9.9.9`)).toBe(four);
        const plain = new TrustedProxies(['10.0.0.1']);
        expect(addressKey(plain.clientAddress('10.0.0.1', `${forged},${six}`))).toBe(
          addressKey(plain.clientAddress(six, undefined)),
        );
      }),
    );
  });
});

describe('a trusted proxy', () => {
  test.each([
    '10.0.0.1',
    '10.0.0.0/8',
    '10.1.2.3/8',
    '0.0.0.0/0',
    '::1',
    'fd00::/8',
    '2001:DB8::/128',
    '::ffff:10.0.0.0/104',
  ])('can be %s', (entry) => {
    expect(proxyProblem(entry)).toBeUndefined();
    expect(() => new TrustedProxies([entry])).not.toThrow();
  });

  test.each([
    ['', /not an IP address/],
    ['proxy.example', /not an IP address/],
    ['10.0.0', /not an IP address/],
    ['10.0.0.1:80', /not an IP address/],
    ['[::1]', /not an IP address/],
    ['fe80::1%eth0', /not an IP address/],
    ['10.0.0.0/8/8', /not an IP address/],
    ['10.0.0.0/33', /from 0 to 32/],
    ['10.0.0.0/', /from 0 to 32/],
    ['10.0.0.0/-1', /from 0 to 32/],
    ['10.0.0.0/255.0.0.0', /from 0 to 32/],
    ['fd00::/129', /from 0 to 128/],
  ])('cannot be %s', (entry, problem) => {
    expect(proxyProblem(entry)).toMatch(problem);
  });
});

describe('connections are counted', () => {
  test.each([
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001::2:3:4:5:6', '2001:0:0:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
    ['64:ff9b::1.2.3.4', '64:ff9b:0:0::/64'],
    ['', ''],
  ])('those of %s as %s', (address, key) => {
    expect(addressKey(new TrustedProxies([]).clientAddress(address, undefined))).toBe(key);
  });

  test('together for one /64 of IPv6, apart for two', () => {
    const sixteenBits = fc.integer({ min: 0, max: 0xffff });
    const half = fc.tuple(sixteenBits, sixteenBits, sixteenBits, sixteenBits);
    const text = (groups: readonly number[]) => groups.map((group) => group.toString(16)).join(':');
    const none = new TrustedProxies([]);
    const key = (groups: readonly number[]) => addressKey(none.clientAddress(text(groups), undefined));
    fc.assert(
      fc.property(half, half, half, half, (network, other, host, another) => {
        fc.pre(text(network) !== text(other) && network[0] !== 0 && other[0] !== 0);
        expect(key([...network, ...host])).toBe(key([...network, ...another]));
        expect(key([...network, ...host])).not.toBe(key([...other, ...host]));
      }),
    );
  });
});
