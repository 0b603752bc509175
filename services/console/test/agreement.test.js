import { describe, expect, test } from 'vitest';
import { Agreement } from '../public/agreement.js';

/** @param {string} script such as `s1 w1`: which side saw which message, in this order */
function after(script) {
  const agreement = new Agreement();
  see(agreement, script);
  return agreement;
}

/**
 * @param {Agreement} agreement
 * @param {string} script
 */
function see(agreement, script) {
  for (const step of script.split(' ')) agreement.saw(step[0] === 's' ? 'sse' : 'websocket', 'a', `${step.slice(1)}-0`);
}

describe('two sides', () => {
  test('agree when both bring the same, whoever is first', () => {
    expect(after('s1 w1 w2 s2 s3 s4 w3 w4').verdict).toEqual({
      compared: 4,
      behind: 0,
      ahead: undefined,
      differing: 0,
    });
  });

  test('are compared from the first message on that both have', () => {
    expect(after('s1 s2 s3 w3').verdict).toMatchObject({ compared: 1, behind: 0, differing: 0 });
    expect(after('s5 w2 w3 w4 w5').verdict).toMatchObject({ compared: 1, behind: 0, differing: 0 });
    expect(after('s1 s2 w7 w8 s7 s8').verdict).toMatchObject({ compared: 2, behind: 0, differing: 0 });
  });

  test('do not differ while one is behind', () => {
    expect(after('s1 w1 s2 s3').verdict).toEqual({ compared: 1, behind: 2, ahead: 'sse', differing: 0 });
  });

  test('differ by every message that one passed over', () => {
    expect(after('s1 w1 s2 s3 s4 w4').verdict).toMatchObject({ compared: 2, behind: 0, differing: 2 });
    expect(after('s1 w1 s2 s3 w9 s9').verdict).toMatchObject({ compared: 2, differing: 2 });
    expect(after('s1 w1 s3 w2 w3').verdict).toMatchObject({ compared: 2, differing: 1 });
  });

  test('begin anew after a gap, and keep their counts', () => {
    const agreement = after('s1 w1 s2 s3');
    agreement.forget('a');
    see(agreement, 's9 w9');
    expect(agreement.verdict).toEqual({ compared: 2, behind: 0, ahead: undefined, differing: 0 });
  });
});
