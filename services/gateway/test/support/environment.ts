import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { ConfigError, readConfig } from '../../src/config.ts';

/** The mistakes that are told about an environment, one a line. */
export function mistakes(env: Record<string, string>): string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.replace(/^ {2}- /, ''));
  }
  return [];
}

/** An empty folder; its path. It ends with the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'fanfare-config-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** A file with this text; its path. It ends with the test. */
export function file(name: string, text: string): string {
  const path = join(folder(), name);
  writeFileSync(path, text);
  return path;
}
