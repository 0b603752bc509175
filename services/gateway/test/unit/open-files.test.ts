import { describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { openFilesLimit } from '../../src/open-files.ts';

test('this process may have more files open than it has', () => {
  expect(openFilesLimit()).toBeGreaterThan(20);
});

describe('the limit on open files', () => {
  test('bounds the connections where nothing is said of them', () => {
    expect(readConfig({}, 1_000_000).maxConnections).toBe(50_000);
    expect(readConfig({}, 20_000).maxConnections).toBe(18_045);
    expect(readConfig({}, 1024).maxConnections).toBe(794);
  });

  test('stops the start when more connections are asked for than it allows', () => {
    expect(() => readConfig({ FANFARE_MAX_CONNECTIONS: '18045' }, 20_000)).not.toThrow();
    expect(() => readConfig({ FANFARE_MAX_CONNECTIONS: '18060' }, 20_000)).toThrow(
      /FANFARE_MAX_CONNECTIONS=18060 needs 20016 open files, and this process may have 20000/,
    );
  });
});
