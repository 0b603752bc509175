import { expect, test } from 'vitest';
import { Groups } from '../../../../src/auth/sessions/groups.ts';

test('members come and go, and a key goes with its last one', () => {
  const groups = new Groups<string, { readonly name: string }>();
  const [a, b, c] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  expect([groups.count('k'), [...groups.members('k')], groups.size]).toEqual([0, [], 0]);
  groups.add('k', a);
  groups.add('k', a);
  expect([groups.count('k'), [...groups.members('k')]]).toEqual([1, [a]]);
  groups.remove('k', b);
  groups.remove('other', a);
  groups.add('k', b);
  groups.add('k', c);
  groups.add('l', c);
  expect([groups.count('k'), [...groups.members('k')], [...groups.keys()]]).toEqual([3, [a, b, c], ['k', 'l']]);
  groups.remove('k', a);
  groups.remove('k', b);
  expect([groups.count('k'), [...groups.members('k')], groups.size]).toEqual([1, [c], 2]);
  groups.remove('k', c);
  groups.remove('l', c);
  expect([groups.count('k'), groups.size]).toEqual([0, 0]);
});

test('members may be removed while they are looked at', () => {
  const groups = new Groups<string, object>();
  for (let i = 0; i < 5; i++) groups.add('k', { i });
  let seen = 0;
  for (const member of groups.members('k')) {
    seen++;
    groups.remove('k', member);
  }
  expect([seen, groups.size]).toEqual([5, 0]);
});
