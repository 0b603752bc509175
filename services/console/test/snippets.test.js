import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { snippets } from '../public/snippets.js';

const open = { listen: false, publish: false };
const secured = { listen: true, publish: true };
const origin = 'http://localhost:8080';

test('a cursor from anywhere cannot leave its quotes in the shell', () => {
  const { curl } = snippets(origin, ['orders:eu'], { mode: 'after', last: 1, after: "1-0'; echo `x` $HOME" }, open);
  const shown = execFileSync('sh', ['-c', `printf '%s\\n' ${curl.replace('curl -N', '')}`], { encoding: 'utf8' });
  expect(new URL(shown.trim()).searchParams.get('after')).toBe("1-0'; echo `x` $HOME");
  expect(new URL(shown.trim()).searchParams.getAll('channel')).toEqual(['orders:eu']);
});

test.each([
  ['live', ['orders'], ''],
  ['last', ['orders', 'chat:42'], 'last: 5'],
  ['after', ['orders'], 'after: "1-0"'],
])('the scripts for a start at %s are JavaScript', (mode, channels, start) => {
  for (const each of [open, secured]) {
    const all = snippets(origin, channels, { mode: /** @type {'live'} */ (mode), last: 5, after: '1-0' }, each);
    for (const script of [all.eventsource, all.websocket])
      expect(() => new Function(`async () => {${script}\n}`)).not.toThrow();
    expect(all.websocket).toContain(start);
    expect(all.websocket).toContain('ws://localhost:8080/v1/ws');
  }
});

test('where a token is needed, each of them brings one', () => {
  const all = snippets(origin, ['orders'], { mode: 'live', last: 5, after: '' }, secured);
  expect(all.curl).toContain('Bearer $TOKEN');
  expect(all.publish).toContain('Bearer $TOKEN');
  expect(all.eventsource).toContain('&ticket=" + ticket');
  expect(all.websocket.indexOf("type: 'auth'")).toBeLessThan(all.websocket.indexOf("type: 'subscribe'"));
  expect(all.websocket).toContain("type: 'auth'");
});
