import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SOURCE = fileURLToPath(new URL('../../src', import.meta.url));

/** Which room a file belongs to. */
function roomOf(file: string): string {
  if (file.startsWith('transports/')) return file.split('/').length > 2 ? file.split('/', 2).join('/') : 'transports';
  if (file === 'metrics/metrics.ts') return 'metrics interface';
  if (file.includes('/')) return file.split('/', 1)[0] ?? '';
  return ROOT_FILES[file] ?? file;
}

const ROOT_FILES: Record<string, string> = {
  'message.ts': 'message',
  'cursor.ts': 'message',
  'json-source.ts': 'message',
  'queue.ts': 'message',
  'errors.ts': 'errors',
  'problem.ts': 'errors',
  'closing.ts': 'errors',
  'logger.ts': 'logger',
};

/** The rooms and what each may import of ours, besides itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  message: [],
  errors: [],
  'metrics interface': [],
  logger: [],
  request: ['message', 'errors'],
  auth: ['message', 'errors'],
  metrics: ['metrics interface'],
  wire: ['message', 'errors'],
  log: ['message', 'errors', 'metrics interface', 'logger', 'redis-address.ts', 'retention.ts'],
  hub: ['message', 'wire', 'errors', 'metrics interface', 'logger'],
  transports: ['hub', 'wire', 'auth', 'message', 'errors', 'request', 'metrics interface', 'logger'],
  'transports/sse': [
    'transports',
    'hub',
    'wire',
    'auth',
    'message',
    'errors',
    'request',
    'metrics interface',
    'logger',
  ],
  'transports/websocket': [
    'transports',
    'hub',
    'wire',
    'auth',
    'message',
    'errors',
    'request',
    'metrics interface',
    'logger',
  ],
  http: ['auth', 'message', 'errors', 'request', 'metrics interface', 'logger'],
  'config.ts': ['config-auth.ts', 'environment.ts', 'message', 'request', 'redis-address.ts', 'retention.ts'],
  'config-auth.ts': ['auth', 'environment.ts'],
  'environment.ts': [],
  'redis-address.ts': [],
  'retention.ts': ['message'],
  'listener-options.ts': [],
  'open-files.ts': [],
  'guard.ts': ['*'],
  'node.ts': ['*'],
  'main.ts': ['config.ts', 'node.ts', 'open-files.ts', 'logger'],
};

/** Packages that only one room may know. */
const PACKAGES: Record<string, readonly string[]> = {
  ioredis: ['log'],
  'prom-client': ['metrics'],
  fastify: ['http'],
  jose: ['auth'],
  pino: ['main.ts'],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

const files = globSync('**/*.ts', { cwd: SOURCE });

function importsOf(file: string): string[] {
  const text = readFileSync(join(SOURCE, file), 'utf8');
  return [...text.matchAll(/^(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]/gm)].map(
    (match) => match[1] ?? '',
  );
}

const imports: Import[] = files.flatMap((from) =>
  importsOf(from)
    .filter((target) => target.startsWith('.'))
    .map((target) => ({ from, to: relative(SOURCE, join(SOURCE, dirname(from), target)) })),
);

describe('the house', () => {
  test('has files and imports to check', () => {
    expect(files.length).toBeGreaterThan(20);
    expect(imports.length).toBeGreaterThan(40);
  });

  test('every room imports only what the table allows', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [room, target] = [roomOf(from), roomOf(to)];
      const allowed = MAY_IMPORT[room];
      return room !== target && !allowed?.includes('*') && !allowed?.includes(target);
    });
    expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  });

  test('packages are known only to the room that is there for them', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => PACKAGES[target] !== undefined && !PACKAGES[target].includes(roomOf(file)))
        .map((target) => `${file} → ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('process.env is read by main.ts only, which hands it to config.ts', () => {
    const readers = files.filter((file) => readFileSync(join(SOURCE, file), 'utf8').includes('process.env'));
    expect(readers).toEqual(['main.ts']);
  });

  test('no import leads back to where it came from', () => {
    const targets = new Map<string, string[]>();
    for (const { from, to } of imports) targets.set(from, [...(targets.get(from) ?? []), to]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (done.has(file) || path.includes(file)) return;
      for (const target of targets.get(file) ?? []) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });
});
