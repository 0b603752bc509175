import { expect, test } from 'vitest';
import { readArguments } from '../../cluster/arguments.ts';

test('with no words it is three nodes behind port 8080, and what dies is started again', () => {
  expect(readArguments([])).toEqual({
    nodes: 3,
    port: 8080,
    redisPort: undefined,
    tls: false,
    restart: true,
    help: false,
  });
});

test('every option is read', () => {
  const words = ['--nodes', '16', '--port=9000', '--redis-port', '6400', '--tls', '--no-restart', '--help'];
  expect(readArguments(words)).toEqual({
    nodes: 16,
    port: 9000,
    redisPort: 6400,
    tls: true,
    restart: false,
    help: true,
  });
});

test.each([
  [['--nodes', '0'], '--nodes must be a whole number from 1 to 16, not "0"'],
  [['--nodes', '17'], '--nodes must be a whole number from 1 to 16, not "17"'],
  [['--nodes', '2.5'], '--nodes must be a whole number from 1 to 16, not "2.5"'],
  [['--nodes', 'many'], '--nodes must be a whole number from 1 to 16, not "many"'],
  [['--port', '0'], '--port must be a whole number from 1 to 65419, not "0"'],
  [['--port', '65500'], '--port must be a whole number from 1 to 65419, not "65500"'],
  [['--port', ''], '--port must be a whole number from 1 to 65419, not ""'],
  [['--redis-port', '70000'], '--redis-port must be a whole number from 1 to 65535, not "70000"'],
  [['--nodes'], "Option '--nodes <value>' argument missing"],
  [['--workers', '3'], "Unknown option '--workers'"],
  [['start'], "Unexpected argument 'start'"],
])('%j is refused with what is wrong', (words, message) => {
  expect(() => readArguments(words)).toThrow(message);
});
