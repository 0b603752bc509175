import { expect, test } from 'vitest';
import { CLOSES } from '../../../../src/errors.ts';
import { isCloseCode } from '../../../../src/wire/websocket/close-code.ts';

test('exactly the codes that RFC 6455 7.4 and its registry allow in a frame are close codes', () => {
  const valid = new Set([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]);
  for (let code = 3000; code <= 4999; code++) valid.add(code);
  for (let code = 0; code <= 0xffff; code++) expect(isCloseCode(code), `${code}`).toBe(valid.has(code));
});

test('every code that a node closes with may stand in a frame', () => {
  for (const { code } of Object.values(CLOSES)) expect(isCloseCode(code), `${code}`).toBe(true);
});
