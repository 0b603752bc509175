import { describe, expect, test } from 'vitest';
import { AddressLimit } from '../../../src/transports/address-limit.ts';

describe('a limit on the connections of an address', () => {
  test('is reached by that address alone', () => {
    const limit = new AddressLimit(2);
    limit.add('192.0.2.1');
    expect(limit.isFull('192.0.2.1')).toBe(false);
    limit.add('192.0.2.1');
    expect(limit.isFull('192.0.2.1')).toBe(true);
    expect(limit.isFull('192.0.2.2')).toBe(false);
  });

  test('has room again when a connection has gone', () => {
    const limit = new AddressLimit(1);
    limit.add('192.0.2.1');
    limit.remove('192.0.2.1');
    expect(limit.isFull('192.0.2.1')).toBe(false);
  });

  test('remembers nothing of an address without connections', () => {
    const limit = new AddressLimit(2);
    for (const key of ['a', 'b', 'a']) limit.add(key);
    expect(limit.size).toBe(2);
    for (const key of ['a', 'b', 'a']) limit.remove(key);
    expect(limit.size).toBe(0);
  });

  test('owes nobody anything for a connection taken back twice', () => {
    const limit = new AddressLimit(1);
    limit.remove('a');
    limit.remove('a');
    expect(limit.size).toBe(0);
    limit.add('a');
    expect(limit.isFull('a')).toBe(true);
  });

  test('of 0 is none', () => {
    const limit = new AddressLimit(0);
    expect(limit.limited).toBe(false);
    expect(limit.isFull('a')).toBe(false);
    limit.add('a');
    expect(limit.isFull('a')).toBe(false);
    expect(new AddressLimit(1).limited).toBe(true);
  });
});
