import { expect, test } from 'vitest';
import { CHROMIUM, NGINX, PYTHON, provide, REDIS } from '../../cluster/install.ts';
import type { Machine } from '../../cluster/machine.ts';
import { ClusterError } from '../../cluster/part.ts';

/** A machine that exists on paper only: what it has, and what is done to it. */
class PaperMachine implements Machine {
  readonly commands: Map<string, string>;
  root = true;
  terminal = false;
  answer = true;
  docker = false;
  images: string[] = [];
  pullProblem: string | undefined;
  /** What an installation brings, or why it fails. */
  installs: Record<string, string> = {};
  installProblem: string | undefined;
  readonly modules = new Set<string>();
  readonly said: string[] = [];
  readonly asked: string[] = [];
  readonly ran: string[] = [];

  constructor(...commands: string[]) {
    this.commands = new Map(commands.map((command) => [command, `/usr/bin/${command}`]));
  }
  find(command: string) {
    return this.commands.get(command);
  }
  say(line: string) {
    this.said.push(line);
  }
  async ask(question: string) {
    this.asked.push(question);
    return this.answer;
  }
  async run(words: readonly string[]) {
    this.ran.push(words.join(' '));
    if (words.includes('-c')) return this.modules.has('websockets') ? undefined : 'No module named websockets';
    if (words.at(-1) === 'python3-websockets') this.modules.add('websockets');
    const command = this.installs[words.at(-1) ?? ''];
    if (command !== undefined) this.commands.set(command, `/usr/bin/${command}`);
    return this.installProblem;
  }
  async dockerAnswers() {
    return this.docker;
  }
  async hasImage(image: string) {
    return this.images.includes(image);
  }
  async pullImage(image: string) {
    if (this.pullProblem !== undefined) throw new Error(this.pullProblem);
    this.images.push(image);
  }
}

test("the machine's own program comes first, and nothing is asked or done", async () => {
  const machine = new PaperMachine('redis-server', 'apt-get');
  expect(await provide(REDIS, machine)).toEqual({
    tier: 'machine',
    path: '/usr/bin/redis-server',
    origin: '/usr/bin/redis-server of this machine',
  });
  expect([...machine.ran, ...machine.asked, ...machine.said]).toEqual([]);
});

test('where nobody can be asked, what is missing is installed as root, and that is said', async () => {
  const machine = new PaperMachine('apt-get');
  machine.installs = { nginx: 'nginx' };
  expect(await provide(NGINX, machine)).toMatchObject({ tier: 'machine', path: '/usr/bin/nginx' });
  expect(machine.ran).toEqual([
    'apt-get -qq -o DPkg::Lock::Timeout=120 update',
    'apt-get -qq -o DPkg::Lock::Timeout=120 install --yes --no-install-recommends nginx',
  ]);
  expect(machine.asked).toEqual([]);
  expect(machine.said.join()).toContain('nginx is not on this machine: installing it');
});

test('at a terminal it is asked first, and sudo may ask for a password', async () => {
  const machine = new PaperMachine('apt-get', 'sudo');
  machine.root = false;
  machine.terminal = true;
  machine.installs = { 'redis-server': 'redis-server' };
  expect(await provide(REDIS, machine)).toMatchObject({ tier: 'machine' });
  expect(machine.asked).toHaveLength(1);
  expect(machine.asked[0]).toContain('sudo apt-get');
  expect(machine.ran.every((command) => command.startsWith('sudo apt-get'))).toBe(true);
});

test('sudo must not wait for a password where nobody can type one', async () => {
  const machine = new PaperMachine('apt-get', 'sudo');
  machine.root = false;
  machine.installs = { 'redis-server': 'redis-server' };
  await provide(REDIS, machine);
  expect(machine.ran.every((command) => command.startsWith('sudo -n apt-get'))).toBe(true);
});

test('a no is a no: nothing is installed, and Docker is next', async () => {
  const machine = new PaperMachine('apt-get');
  machine.terminal = true;
  machine.answer = false;
  machine.docker = true;
  expect(await provide(REDIS, machine)).toEqual({
    tier: 'docker',
    image: 'redis:7-bookworm',
    origin: 'redis:7-bookworm in Docker',
  });
  expect(machine.ran).toEqual([]);
});

test('brew installs where there is no apt-get', async () => {
  const machine = new PaperMachine('brew');
  machine.root = false;
  machine.installs = { redis: 'redis-server' };
  expect(await provide(REDIS, machine)).toMatchObject({ tier: 'machine', path: '/usr/bin/redis-server' });
  expect(machine.ran).toEqual(['brew install --quiet redis']);
});

test('Docker is used with an image that is there already, without fetching it', async () => {
  const machine = new PaperMachine();
  machine.docker = true;
  machine.images = ['nginx:stable'];
  machine.pullProblem = 'no network';
  expect(await provide(NGINX, machine)).toMatchObject({ tier: 'docker', image: 'nginx:stable' });
});

test.each([
  [
    'there is nothing at all',
    new PaperMachine(),
    REDIS,
    'cannot have redis-server: it is not on this machine, there is neither apt-get (as root or with sudo) nor brew to install it with, no Docker engine answers',
  ],
  [
    'the installation fails',
    Object.assign(new PaperMachine('apt-get'), { installProblem: 'E: Unable to locate package nginx' }),
    NGINX,
    'cannot have nginx: it is not on this machine, apt-get could not install it (E: Unable to locate package nginx), no Docker engine answers',
  ],
  [
    'the image cannot be fetched',
    Object.assign(new PaperMachine(), { docker: true, pullProblem: 'no route to host' }),
    REDIS,
    'cannot have redis-server: it is not on this machine, there is neither apt-get (as root or with sudo) nor brew to install it with, Docker could not fetch redis:7-bookworm (no route to host)',
  ],
  [
    'it is a browser, which Docker does not help with',
    Object.assign(new PaperMachine(), { docker: true }),
    CHROMIUM,
    'cannot have chromium: it is not on this machine, there is neither apt-get (as root or with sudo) nor brew to install it with',
  ],
])('where %s, one line says what was tried', async (_name, machine, program, message) => {
  await expect(provide(program, machine)).rejects.toThrow(new ClusterError(message));
});

test('a program that lacks what is needed of it is not the one: what it lacks is installed', async () => {
  const machine = new PaperMachine('python3', 'apt-get');
  expect(await provide(PYTHON, machine)).toMatchObject({ tier: 'machine', path: '/usr/bin/python3' });
  expect(machine.ran.filter((command) => command.includes('install'))).toHaveLength(1);
  machine.ran.length = 0;
  await provide(PYTHON, machine);
  expect(machine.ran).toEqual(['/usr/bin/python3 -c import websockets']);
});
