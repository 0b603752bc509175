import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Queue } from '../../src/queue.ts';

test('an empty queue has nothing', () => {
  const queue = new Queue<number>();
  expect([queue.length, queue.at(0), queue.newest, queue.shift(), queue.findFirst(() => true)]).toEqual([
    0,
    undefined,
    undefined,
    undefined,
    0,
  ]);
});

test('behaves as an array does, however much has passed through', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(), { freq: 2 }), { maxLength: 600 }), fc.nat(1_000), (steps, sought) => {
      const queue = new Queue<number>();
      const model: number[] = [];
      let next = 0;
      for (const step of steps) {
        if (step === null) expect(queue.shift()).toBe(model.shift());
        else {
          queue.push(next);
          model.push(next++);
        }
        expect(queue.length).toBe(model.length);
        expect(queue.newest).toBe(model.at(-1));
      }
      expect(queue.slice(0, queue.length)).toEqual(model);
      expect(queue.slice(1, 3)).toEqual(model.slice(1, 3));
      const first = model.findIndex((item) => item > sought);
      expect(queue.findFirst((item) => item > sought)).toBe(first === -1 ? model.length : first);
    }),
  );
});
