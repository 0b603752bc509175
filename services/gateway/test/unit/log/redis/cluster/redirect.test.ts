import { ReplyError } from 'ioredis';
import { expect, test } from 'vitest';
import { redirectOf } from '../../../../../src/log/redis/cluster/redirect.ts';

const FROM = { host: '10.0.0.1', port: 7000 };

test.each([
  ['MOVED 15882 10.0.0.2:7001', { kind: 'moved', node: { host: '10.0.0.2', port: 7001 } }],
  ['ASK 15882 10.0.0.2:7001', { kind: 'ask', node: { host: '10.0.0.2', port: 7001 } }],
  ['MOVED 15882 redis-2.example:7001', { kind: 'moved', node: { host: 'redis-2.example', port: 7001 } }],
  ['MOVED 15882 2001:db8::2:7001', { kind: 'moved', node: { host: '2001:db8::2', port: 7001 } }],
  ['MOVED 15882 :7001', { kind: 'moved', node: { host: '10.0.0.1', port: 7001 } }],
  ['MOVED 15882 ?:7001', { kind: 'later' }],
  ['MOVED 15882', { kind: 'later' }],
  ['TRYAGAIN Multiple keys request during rehashing of slot', { kind: 'later' }],
])('%s', (message, redirect) => {
  expect(redirectOf(new ReplyError(message), FROM)).toEqual(redirect);
});

test('a transaction is where its commands are', () => {
  const previousErrors = [new ReplyError('MOVED 15882 10.0.0.2:7001')];
  const error = Object.assign(new ReplyError('EXECABORT Transaction discarded because of previous errors.'), {
    previousErrors,
  });
  expect(redirectOf(error, FROM)).toEqual({ kind: 'moved', node: { host: '10.0.0.2', port: 7001 } });
});

test.each([
  new ReplyError('CLUSTERDOWN The cluster is down'),
  new ReplyError('LOADING Redis is loading the dataset in memory'),
  new ReplyError('EXECABORT Transaction discarded because of previous errors.'),
  new Error('MOVED 15882 10.0.0.2:7001'),
  'MOVED 15882 10.0.0.2:7001',
  undefined,
])('%s is no redirection', (error) => {
  expect(redirectOf(error, FROM)).toBeUndefined();
});
