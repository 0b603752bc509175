import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { dockerAnswers, hasImage, pullImage } from './docker.ts';
import { LastLines, readLines } from './lines.ts';

/** What `provide` needs to know of a machine and to do on it. */
export interface Machine {
  /** The path of a command, or undefined when there is none of that name. */
  find(command: string): string | undefined;
  readonly root: boolean;
  /** Somebody is there who reads and can answer. */
  readonly terminal: boolean;
  say(line: string): void;
  ask(question: string): Promise<boolean>;
  /** Runs a command to its end. What went wrong, or undefined. */
  run(words: readonly string[]): Promise<string | undefined>;
  dockerAnswers(): Promise<boolean>;
  hasImage(image: string): Promise<boolean>;
  /** Throws an Error. */
  pullImage(image: string): Promise<void>;
}

/** Servers live in directories that an ordinary user's PATH often leaves out. */
const MORE_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/opt/homebrew/bin', '/usr/local/bin', '/snap/bin'];

/** The machine that this runs on. Lines for people go through `say`. */
export function thisMachine(say: (line: string) => void = console.log, signal?: AbortSignal): Machine {
  const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  return {
    root: process.getuid?.() === 0,
    terminal,
    find,
    say,
    ask: (question) => ask(question, signal),
    run: (words) => run(words, terminal, signal),
    dockerAnswers,
    hasImage,
    pullImage,
  };
}

function find(command: string): string | undefined {
  if (command.includes('/')) return isExecutable(command) ? command : undefined;
  const directories = [...(process.env.PATH ?? '').split(delimiter), ...MORE_DIRECTORIES];
  return directories
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, command))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

async function ask(question: string, signal?: AbortSignal): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  // While a line is being read the terminal hands Ctrl-C over as a key.
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await terminal.question(question, signal === undefined ? {} : { signal });
    return /^\s*(y|yes|)\s*$/i.test(answer);
  } finally {
    terminal.close();
  }
}

async function run(words: readonly string[], terminal: boolean, signal?: AbortSignal): Promise<string | undefined> {
  const [file = '', ...args] = words;
  const last = new LastLines(1);
  const child = spawn(file, args, {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    // At a terminal sudo may ask for a password there.
    stdio: [terminal ? 'inherit' : 'ignore', 'ignore', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  if (child.stderr !== null) readLines(child.stderr, (line) => last.add(line));
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? undefined : last.toString() || `exit code ${code}`));
  });
}
