import { type Machine, thisMachine } from './machine.ts';
import { ClusterError } from './part.ts';

/** A program that Fanfare needs and does not bring itself. */
export interface Program {
  readonly name: string;
  /** The names under which it may be installed, the best first. A name with a slash is a path. */
  readonly commands: readonly string[];
  readonly aptPackage: string;
  readonly brewPackage: string;
  /** Arguments with which it succeeds when it has all that is needed of it. */
  readonly check?: readonly string[];
  /** The image to use where the program cannot be installed; without one there is no such way out. */
  readonly image?: string;
}

/** Where a program comes from. `origin` says it in words. */
export type Provided = { readonly origin: string } & (
  | { readonly tier: 'machine'; readonly path: string }
  | { readonly tier: 'docker'; readonly image: string }
);

export const REDIS: Program = {
  name: 'redis-server',
  commands: ['redis-server'],
  aptPackage: 'redis-server',
  brewPackage: 'redis',
  image: 'redis:7-bookworm',
};

export const NGINX: Program = {
  name: 'nginx',
  commands: ['nginx'],
  aptPackage: 'nginx',
  brewPackage: 'nginx',
  image: 'nginx:stable',
};

export const CHROMIUM: Program = {
  name: 'chromium',
  commands: [
    'chromium',
    'chromium-browser',
    'google-chrome',
    'google-chrome-stable',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ],
  aptPackage: 'chromium',
  brewPackage: 'chromium',
};

/** Python as a client: its `websockets` is a WebSocket library that owes nothing to Node. */
export const PYTHON: Program = {
  name: 'python3 with websockets',
  commands: ['/usr/bin/python3', 'python3'],
  aptPackage: 'python3-websockets',
  brewPackage: 'python3',
  check: ['-c', 'import websockets'],
};

export const CURL: Program = { name: 'curl', commands: ['curl'], aptPackage: 'curl', brewPackage: 'curl' };

/** For the README's commands, which a test types as they stand. */
export const OPENSSL: Program = {
  name: 'openssl',
  commands: ['openssl'],
  aptPackage: 'openssl',
  brewPackage: 'openssl',
};

/** For tests that put a client on a network of its own and take that down: Linux only. */
export const IP: Program = { name: 'ip', commands: ['ip'], aptPackage: 'iproute2', brewPackage: 'iproute2mac' };

/** For tests that set the clock of Redis: its library goes between a process and the C library. Linux only. */
export const FAKETIME: Program = {
  name: 'faketime',
  commands: ['faketime'],
  aptPackage: 'faketime',
  brewPackage: 'libfaketime',
};

/**
 * Finds a program on this machine; else installs it (at a terminal it asks first); else takes it from Docker.
 * Throws ClusterError with one line that says what was tried.
 */
export async function provide(program: Program, machine: Machine = thisMachine()): Promise<Provided> {
  const found = await findProgram(program, machine);
  if (found !== undefined) return { tier: 'machine', path: found, origin: `${found} of this machine` };

  const tried = ['it is not on this machine'];
  const installer = installerOf(program, machine);
  if (installer === undefined)
    tried.push('there is neither apt-get (as root or with sudo) nor brew to install it with');
  else if (!(await agreed(program, installer, machine))) tried.push('it was not to be installed');
  else {
    const problem = await install(installer, machine);
    const path = await findProgram(program, machine);
    if (path !== undefined) return { tier: 'machine', path, origin: `${path}, just installed with ${installer.tool}` };
    tried.push(`${installer.tool} could not install it${problem === undefined ? '' : ` (${problem})`}`);
  }

  const { image } = program;
  if (image === undefined) throw new ClusterError(`cannot have ${program.name}: ${tried.join(', ')}`);
  if (await machine.dockerAnswers()) {
    try {
      if (!(await machine.hasImage(image))) {
        machine.say(`${program.name}: fetching ${image}`);
        await machine.pullImage(image);
      }
      return { tier: 'docker', image, origin: `${image} in Docker` };
    } catch (error) {
      tried.push(`Docker could not fetch ${image} (${(error as Error).message})`);
    }
  } else tried.push('no Docker engine answers');
  throw new ClusterError(`cannot have ${program.name}: ${tried.join(', ')}`);
}

/** Where a program is on this machine, or undefined. */
async function findProgram({ commands, check }: Program, machine: Machine): Promise<string | undefined> {
  for (const command of commands) {
    const path = machine.find(command);
    if (path !== undefined && (check === undefined || (await machine.run([path, ...check])) === undefined)) return path;
  }
  return undefined;
}

interface Installer {
  readonly tool: 'apt-get' | 'brew';
  readonly steps: readonly (readonly string[])[];
}

function installerOf(program: Program, machine: Machine): Installer | undefined {
  if (machine.find('apt-get') !== undefined && (machine.root || machine.find('sudo') !== undefined)) {
    // With nobody there to type a password sudo must not ask for one.
    const asRoot = machine.root ? [] : machine.terminal ? ['sudo'] : ['sudo', '-n'];
    // Another installation may be under way: wait for it.
    const aptGet = [...asRoot, 'apt-get', '-qq', '-o', 'DPkg::Lock::Timeout=120'];
    const install = [...aptGet, 'install', '--yes', '--no-install-recommends', program.aptPackage];
    return { tool: 'apt-get', steps: [[...aptGet, 'update'], install] };
  }
  if (machine.find('brew') !== undefined && !machine.root)
    return { tool: 'brew', steps: [['brew', 'install', '--quiet', program.brewPackage]] };
  return undefined;
}

async function agreed(program: Program, installer: Installer, machine: Machine): Promise<boolean> {
  const command = installer.steps.at(-1)?.join(' ') ?? '';
  if (machine.terminal)
    return machine.ask(`${program.name} is not on this machine. Install it now? (${command}) [Y/n] `);
  machine.say(`${program.name} is not on this machine: installing it (${command})`);
  return true;
}

/** What went wrong, or undefined. */
async function install(installer: Installer, machine: Machine): Promise<string | undefined> {
  let problem: string | undefined;
  // A failed update (one source out of reach) does not have to mean that the install fails.
  for (const step of installer.steps) problem = await machine.run(step);
  return problem;
}
