import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PEER = fileURLToPath(new URL('./peer-process.ts', import.meta.url));

/** A client at the other end of a wire, which can be cut. */
export interface VanishingPeer {
  /** This machine's address on the wire. */
  readonly address: string;
  /** Has the client open an event stream (`http:`) or a WebSocket (`ws:`), and hold it. */
  open(url: string): void;
  /** Cuts the wire: from now on nothing comes through either way, and neither side is told. */
  vanish(): Promise<void>;
  /** Ends the client, and takes its network away. */
  remove(): Promise<void>;
}

/**
 * Starts a client in a network namespace of its own, joined to this machine by a pair of virtual Ethernet devices. Needs
 * Linux, `ip` (iproute2), `unshare` and `nsenter` (util-linux), and root or sudo without a password. Nothing stays behind for
 * long, however the test ends: the namespace lives as long as the client, and the client as long as its input.
 */
export async function startVanishingPeer(): Promise<VanishingPeer> {
  // Names and addresses that no other run has: from the range for tests between networks (RFC 2544), a /30 at random.
  const [a = 0, b = 0, ...rest] = randomBytes(6);
  const near = `ff${randomBytes(5).toString('hex')}`;
  const mac = ['02', ...[a, b, ...rest].slice(0, 5).map((byte) => byte.toString(16).padStart(2, '0'))].join(':');
  const [address, farAddress] = [1, 2].map((host) => `198.${18 + (a & 1)}.${b}.${((rest[0] ?? 0) & 0xfc) + host}`);

  const child = spawn(...asRoot('unshare', '--net', process.execPath, PEER), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  try {
    const [pid] = (await Promise.race([
      once(createInterface({ input: child.stdout }), 'line'),
      ended.then(([code]) => Promise.reject(new Error(`the peer ended with ${code}`))),
    ])) as [string];
    const there = ['nsenter', `--net=/proc/${pid}/ns/net`] as const;
    await run('ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', 'wire', 'address', mac, 'netns', pid);
    await run('ip', 'address', 'add', `${address}/30`, 'dev', near);
    await run('ip', 'link', 'set', near, 'up');
    await run(...there, 'ip', 'address', 'add', `${farAddress}/30`, 'dev', 'wire');
    await run(...there, 'ip', 'link', 'set', 'wire', 'up');
    // As if there were a router in between: this machine does not learn that nobody is there any more.
    await run('ip', 'neighbour', 'replace', `${farAddress}`, 'lladdr', mac, 'dev', near, 'nud', 'permanent');
    return {
      address: `${address}`,
      open: (url) => child.stdin.write(`${url}\n`),
      vanish: () => run(...there, 'ip', 'link', 'set', 'wire', 'down'),
      async remove() {
        child.stdin.end();
        await ended;
        // Connections that cannot say goodbye hold the namespace for minutes.
        await run('ip', 'link', 'delete', near);
      },
    };
  } catch (error) {
    child.stdin.end();
    throw error;
  }
}

async function run(...command: readonly [string, ...string[]]): Promise<void> {
  const [program, words] = asRoot(...command);
  await promisify(execFile)(program, words);
}

function asRoot(program: string, ...words: readonly string[]): [string, string[]] {
  return process.getuid?.() === 0 ? [program, [...words]] : ['sudo', ['-n', program, ...words]];
}
