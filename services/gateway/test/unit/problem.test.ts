import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { ERRORS, type ErrorCode, FanfareError } from '../../src/errors.ts';
import { type Problem, problemOf, writeProblem } from '../../src/problem.ts';

/** What a peer reads when a socket is answered with a problem. */
async function readProblem(problem: Problem): Promise<{ head: string; body: string }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => writeProblem(socket, problem)).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    const answer = await text(socket);
    const end = answer.indexOf('\r\n\r\n');
    return { head: answer.slice(0, end), body: answer.slice(end + 4) };
  } finally {
    socket.destroy();
    server.close();
  }
}

describe('a problem', () => {
  test('has the members of RFC 9457 and the stable code', () => {
    const { status, headers, body } = problemOf(new FanfareError('invalid_channel', 'the path: no "ä" here'));
    expect(status).toBe(400);
    expect(headers).toEqual({
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
    });
    expect(JSON.parse(body)).toEqual({
      type: 'about:blank',
      title: ERRORS.invalid_channel.title,
      status: 400,
      code: 'invalid_channel',
      detail: 'the path: no "ä" here',
    });
  });

  test.each(Object.keys(ERRORS) as ErrorCode[])('of %s says when to come back, if that helps', (code) => {
    const error = new FanfareError(code, 'detail');
    const { status, headers } = problemOf(error);
    const seconds = error.kind.retryAfterSeconds;
    expect(status).toBe(ERRORS[code].status);
    expect(headers['retry-after']).toBe(seconds === undefined ? undefined : String(seconds));
  });

  test('is JSON whatever the detail holds', () => {
    const detail = '\0 "quotes" \\ \r\n \ud800 😀 </script>';
    expect(JSON.parse(problemOf(new FanfareError('internal', detail)).body)).toMatchObject({ detail });
  });
});

describe('a problem on a bare socket', () => {
  test('is a whole HTTP response, its length counted in bytes, and the connection ends', async () => {
    const problem = problemOf(new FanfareError('full', 'no room — 😀'));
    const { head, body } = await readProblem({ ...problem, headers: { ...problem.headers, Upgrade: 'websocket' } });
    const [statusLine, ...fields] = head.split('\r\n');
    expect(statusLine).toBe('HTTP/1.1 503 Service Unavailable');
    expect(fields).toEqual([
      expect.stringMatching(/^date: .* GMT$/),
      'content-type: application/problem+json; charset=utf-8',
      'cache-control: no-store',
      'retry-after: 5',
      'Upgrade: websocket',
      `content-length: ${Buffer.byteLength(body)}`,
      'connection: close',
    ]);
    expect(JSON.parse(body)).toMatchObject({ code: 'full', detail: 'no room — 😀' });
  });

  test('does no harm when the peer has gone', async () => {
    const served = Promise.withResolvers<void>();
    const server = createServer((socket) => {
      socket.destroy();
      writeProblem(socket, problemOf(new FanfareError('full', 'x')));
      socket.on('close', () => served.resolve());
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => socket.destroy());
    await served.promise;
    socket.destroy();
    server.close();
    await once(server, 'close');
    expect(server.listening).toBe(false);
  });
});
