import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChannelPatterns, patternProblem } from '../../../src/auth/channel-pattern.ts';
import { channelProblem, MAX_CHANNEL_LENGTH } from '../../../src/message.ts';

const allows = (pattern: string, channel: string, subject?: string) =>
  new ChannelPatterns([pattern], subject).allows(channel);

describe('a pattern', () => {
  test.each([
    ['news', 'news'],
    ['orders:*', 'orders:1'],
    ['orders:*', 'orders:1:2'],
    ['orders:*', 'orders::'],
    ['user:42:*', 'user:42:inbox'],
    ['*', 'news'],
    ['*', 'a:b:c'],
  ])('%s allows %s', (pattern, channel) => {
    expect(patternProblem(pattern)).toBeUndefined();
    expect(allows(pattern, channel)).toBe(true);
  });

  test.each([
    ['news', 'newsx'],
    ['news', 'new'],
    ['news', 'News'],
    ['news', 'news:1'],
    ['orders:*', 'orders'],
    ['orders:*', 'orders:'],
    ['orders:*', 'ordersx:1'],
    ['orders:*', 'Orders:1'],
    ['orders:*', 'x:orders:1'],
    ['orders:*', 'order'],
    ['user:4:*', 'user:42:inbox'],
    ['user:42:*', 'user:42'],
  ])('%s does not allow %s', (pattern, channel) => {
    expect(patternProblem(pattern)).toBeUndefined();
    expect(allows(pattern, channel)).toBe(false);
  });

  test.each([
    '',
    '**',
    '*:*',
    '*:a',
    'orders*',
    'ord*rs',
    'orders:*:1',
    'orders:**',
    'orders:*x',
    '*orders',
    ':*:*',
    'orders:?',
    'orders:[a-z]',
    'orders/1',
    'orders%3A1',
    'a,b',
    'a b',
    'ordérs',
    'оrders',
    'orders\u200b',
    'orders:*\n',
    '{SUB}',
    '{sub',
    '{{sub}}',
    '{su{sub}b}',
    '{sub}*',
    '$disconnect',
    `${'a'.repeat(200)}a`,
    `${'a'.repeat(199)}:*`,
  ])('%j is none', (pattern) => {
    expect(patternProblem(pattern)).toBeTypeOf('string');
  });

  test.each(['a'.repeat(200), `${'a'.repeat(198)}:*`, '{sub}', '{sub}:*', 'user:{sub}', 'a:{sub}:{sub}:*', ':*'])(
    '%j is good',
    (pattern) => {
      expect(patternProblem(pattern)).toBeUndefined();
    },
  );

  test('that is wrong is not repeated', () => {
    expect(patternProblem('ffk_secret!')).not.toContain('ffk_secret');
    expect(patternProblem('ffk_secret*')).not.toContain('ffk_secret');
  });
});

describe('{sub}', () => {
  test('stands for the subject, as often as it stands there', () => {
    const patterns = new ChannelPatterns(['user:{sub}', 'pair:{sub}:{sub}:*'], 'ann.b-c_d@e.example');
    expect(patterns.allows('user:ann.b-c_d@e.example')).toBe(true);
    expect(patterns.allows('pair:ann.b-c_d@e.example:ann.b-c_d@e.example:1')).toBe(true);
    expect(patterns.allows('user:ann')).toBe(false);
    expect(patterns.allows('user:{sub}')).toBe(false);
  });

  test.each([
    ['nobody', undefined],
    ['an empty one', ''],
    ['a star', '*'],
    ['a colon and a star', 'a:*'],
    ['a colon', 'a:b'],
    ['{sub} itself', '{sub}'],
    ['a word with {sub}', 'x{sub}'],
    ['letters that only look alike', 'аnn'],
    ['an accent', 'änn'],
    ['a line break at the end', 'ann\n'],
    ['NUL', 'ann\0'],
    ['a space', 'ann b'],
    ['what replace would fill in', "$&$'"],
    ['a slash', '../ann'],
    ['129 characters', 'a'.repeat(129)],
    ['half a surrogate pair', '\ud800'],
  ])('allows nothing for a subject that is %s, and the other patterns hold', (_what, subject) => {
    const patterns = new ChannelPatterns(['{sub}', '{sub}:*', 'user:{sub}', 'user:{sub}:*', 'news', 'open:*'], subject);
    const asked = [
      '{sub}',
      '*',
      'a',
      'a:b',
      'ann',
      'ann:1',
      'user:',
      'user:*',
      'user:a',
      'user:a:b',
      'user:a:*',
      'user::x',
    ];
    expect(
      [...asked, `user:${subject}`, `user:${subject}:x`, `${subject}`].filter((each) => patterns.allows(each)),
    ).toEqual([]);
    expect(patterns.allows('news')).toBe(true);
    expect(patterns.allows('open:1')).toBe(true);
  });

  test('allows nothing where the name becomes longer than a channel’s may be', () => {
    const subject = 'a'.repeat(128);
    const patterns = new ChannelPatterns(['{sub}:{sub}', '{sub}:{sub}:*', `{sub}:${'b'.repeat(71)}`], subject);
    expect(patterns.allows(`${subject}:${subject}`)).toBe(false);
    expect(patterns.allows(`${subject}:${subject}:1`)).toBe(false);
    expect(patterns.allows(`${subject}:${'b'.repeat(71)}`)).toBe(true);
  });
});

/** Segment by segment, where the other goes by text. */
function oracle(pattern: string, channel: string, subject: string): boolean {
  if (pattern === '*') return true;
  if (pattern.includes('{sub}') && !(subject.length <= 128 && /^[\w.@-]+$/.test(subject) && !subject.includes('\n')))
    return false;
  const wanted = pattern.split(':').map((segment) => segment.split('{sub}').join(subject));
  const given = channel.split(':');
  if (wanted.join(':').length > MAX_CHANNEL_LENGTH) return false;
  if (wanted.at(-1) !== '*')
    return wanted.length === given.length && wanted.every((segment, i) => segment === given[i]);
  const fixed = wanted.slice(0, -1);
  const rest = given.slice(fixed.length);
  return fixed.every((segment, i) => segment === given[i]) && rest.length > 0 && rest.join(':') !== '';
}

describe('generated patterns', () => {
  const subjects = fc.constantFrom('a', 'b', 'ab', '', '*', 'a:b', ':', '{sub}', 'ä', 'a'.repeat(129), 'a'.repeat(100));
  const segments = fc.array(fc.constantFrom('', 'a', 'b', 'A', 'ab', '{sub}', 'x{sub}', '{sub}{sub}'), {
    minLength: 1,
    maxLength: 4,
  });
  const patterns = fc
    .tuple(segments, fc.constantFrom('', ':*'))
    .map(([parts, end]) => `${parts.join(':')}${end}`)
    .filter((pattern) => patternProblem(pattern) === undefined);
  const names = fc.array(fc.constantFrom('', 'a', 'b', 'A', 'ab', 'xa', 'aa', 'abab', 'a'.repeat(100)), {
    maxLength: 5,
  });

  test('allow just what they say, and together what one of them allows', () => {
    let allowed = 0;
    fc.assert(
      fc.property(fc.array(patterns, { maxLength: 4 }), names, subjects, (several, parts, subject) => {
        const channel = parts.join(':');
        fc.pre(channelProblem(channel) === undefined);
        const expected = several.some((pattern) => oracle(pattern, channel, subject));
        if (expected) allowed++;
        expect(new ChannelPatterns(several, subject).allows(channel)).toBe(expected);
      }),
      { numRuns: 5000 },
    );
    expect(allowed).toBeGreaterThan(50);
  });

  test('of one subject allow nothing of another’s between colons', () => {
    const subject = fc.stringMatching(/^[a-b.@_-]{1,4}$/);
    fc.assert(
      fc.property(subject, subject, (mine, other) => {
        fc.pre(mine !== other);
        const rights = new ChannelPatterns(['user:{sub}', 'user:{sub}:*', '{sub}', '{sub}:*'], mine);
        for (const channel of [`user:${other}`, `user:${other}:x`, other, `${other}:x`]) {
          expect(rights.allows(channel)).toBe(false);
        }
      }),
    );
  });

  test('of any text at all are refused, or allow no more than channels that begin as they do', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', ':', '*', '{', '}', 'sub', '{sub}', '%', '/', '\n', 'ä', '.'),
    });
    fc.assert(
      fc.property(text, names, (pattern, parts) => {
        fc.pre(pattern !== '*' && patternProblem(pattern) === undefined);
        const channel = parts.join(':');
        const beginning = pattern.replaceAll('{sub}', 'b').replace(/\*$/, '');
        if (allows(pattern, channel, 'b')) expect(channel.startsWith(beginning)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
