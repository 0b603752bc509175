import { readFileSync } from 'node:fs';

/** What is wrong with a value, or undefined when it is good. `place`: which one of a list it is, from 1. */
export type Check = (value: string, place: number) => string | undefined;

/** What Kubernetes sets in every pod beside a Service that is called `fanfare`. */
const SERVICE_LINK = /^FANFARE_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)$/;

/**
 * The environment while it is being read: what was asked for, and what was wrong. `NAME_FILE` reads `NAME` from a file. Of what is
 * `sensitive` it repeats neither the value nor the file's path, as a secret may stand in either by mistake; nor may the checks of such a name.
 */
export class Environment {
  readonly problems: string[] = [];
  readonly #env: NodeJS.ProcessEnv;
  readonly #sensitive: (name: string) => boolean;
  readonly #known = new Set<string>();

  constructor(env: NodeJS.ProcessEnv, sensitive: (name: string) => boolean) {
    this.#env = env;
    this.#sensitive = sensitive;
  }

  problem(text: string): void {
    this.problems.push(text);
  }

  /** Whether the variable is there, by itself or as a file, which is not read. */
  isSet(name: string): boolean {
    this.#known.add(name).add(`${name}_FILE`);
    return this.#plain(name) !== undefined || this.#plain(`${name}_FILE`) !== undefined;
  }

  text(name: string, fallback: string, check: Check): string {
    const value = this.#value(name) ?? fallback;
    const problem = check(value, 1);
    if (problem !== undefined) this.problem(`${name}: ${problem}`);
    return value;
  }

  /** Values that stand apart by commas or spaces. */
  list(name: string, check: Check): readonly string[] {
    const values = (this.#value(name) ?? '').split(/[\s,]+/).filter((value) => value !== '');
    for (const [i, value] of values.entries()) {
      const problem = check(value, i + 1);
      if (problem !== undefined) this.problem(`${name}: ${problem}`);
    }
    return values;
  }

  integer(name: string, fallback: number, least: number, most: number): number {
    return this.#number(name, fallback, least, most, /^\d{1,15}$/, 'a whole number');
  }

  seconds(name: string, fallback: number, least: number, most: number): number {
    return this.#number(name, fallback, least, most, /^\d{1,9}(\.\d{1,3})?$/, 'a number of seconds');
  }

  refuseUnknown(): void {
    for (const name of Object.keys(this.#env))
      if (name.startsWith('FANFARE_') && !this.#known.has(name) && !SERVICE_LINK.test(name))
        this.problem(`${name} is not a setting of this version`);
  }

  #number(name: string, fallback: number, least: number, most: number, form: RegExp, kind: string): number {
    const value = this.#value(name);
    if (value === undefined) return fallback;
    const number = form.test(value) ? Number(value) : Number.NaN;
    if (number >= least && number <= most) return number;
    const instead = this.#sensitive(name) ? '' : `, not ${JSON.stringify(value)}`;
    this.problem(`${name} must be ${kind} from ${least} to ${most}${instead}`);
    return fallback;
  }

  /** The variable's value, trimmed; an empty one counts as unset. */
  #value(name: string): string | undefined {
    const fileName = `${name}_FILE`;
    this.#known.add(name).add(fileName);
    const direct = this.#plain(name);
    const file = this.#plain(fileName);
    if (file === undefined) return direct;
    if (direct !== undefined) this.problem(`${name} and ${fileName} are both set; keep one`);
    const path = this.#sensitive(name) ? 'the file' : JSON.stringify(file);
    try {
      const content = readFileSync(file, 'utf8').trim();
      if (content === '') this.problem(`${fileName}: ${path} is empty`);
      return content || direct;
    } catch (error) {
      this.problem(`${fileName}: cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
      return direct;
    }
  }

  #plain(name: string): string | undefined {
    return this.#env[name]?.trim() || undefined;
  }
}

/** One of these words. */
export function oneOf(values: readonly string[]): Check {
  return (value) =>
    values.includes(value)
      ? undefined
      : `must be ${values
          .filter((candidate) => candidate !== '')
          .map((candidate) => `"${candidate}"`)
          .join(' or ')}, not ${JSON.stringify(value)}`;
}
