import { readFileSync } from 'node:fs';
import type { RedisOptions } from 'ioredis';

type Argument = string | number;

/** What the scripts are called on a connection. Keys, arguments and replies: see the header of each file. */
export interface ScriptCommands {
  fanfareAppend(keys: number, ...keysAndArguments: Argument[]): Promise<[id: string, replayed: number]>;
  fanfareOpen(
    keys: number,
    ...keysAndArguments: Argument[]
  ): Promise<[floor: string, newest: string, oldest: string, oldestIsMarker: number]>;
  fanfarePut(keys: number, ...keysAndArguments: Argument[]): Promise<number>;
  fanfareClaim(
    keys: number,
    ...keysAndArguments: Argument[]
  ): Promise<[outcome: 'opened' | 'again' | 'taken' | 'unknown', value?: string]>;
  fanfareTake(keys: number, ...keysAndArguments: Argument[]): Promise<[granted: number, waitMs: number]>;
}

/** The scripts by the names of their commands, as ioredis takes them. */
export type Scripts = NonNullable<RedisOptions['scripts']>;

/**
 * Reads the scripts from beside this file. ioredis sends a script whole once per connection, then by its digest, and
 * whole again when Redis has forgotten it (NOSCRIPT).
 */
export function loadScripts(): Scripts {
  const common = read('floor.lua');
  const script = (name: string) => ({ lua: `${common}\n${read(name)}` });
  return {
    fanfareAppend: script('append.lua'),
    fanfareOpen: script('open.lua'),
    fanfarePut: { lua: read('put.lua') },
    fanfareClaim: { lua: read('claim.lua') },
    fanfareTake: { lua: read('take.lua') },
  };
}

function read(name: string): string {
  return readFileSync(new URL(`./scripts/${name}`, import.meta.url), 'utf8');
}
