import { setTimeout } from 'node:timers/promises';

/** Waits for a condition; after `seconds` it fails with what it was waiting for. */
export async function until(condition: () => boolean | Promise<boolean>, what: string, seconds = 20): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await setTimeout(10);
  }
}
