import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { limitUnacknowledged } from '../../src/listener-timeout.ts';

const SOURCE = fileURLToPath(new URL('../../src/listener-timeout.ts', import.meta.url));
const onLinux = describe.runIf(process.platform === 'linux');

let server: Server;

afterEach(() => {
  server.close();
});

async function listening(where: { port: number; host: string } | { path: string }): Promise<Server> {
  server = createServer();
  server.listen(where);
  await once(server, 'listening');
  return server;
}

/** TCP_USER_TIMEOUT of a connection that the server accepts now, in milliseconds. */
async function timeoutOfAccepted(): Promise<number | undefined> {
  const accepted = once(server, 'connection') as Promise<[Socket & { readonly _handle?: { readonly fd: number } }]>;
  const client = connect((server.address() as AddressInfo).port, (server.address() as AddressInfo).address);
  const [socket] = await accepted;
  try {
    using library = process.getBuiltinModule('node:ffi').dlopen(null, {
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
    });
    const value = new Int32Array(1);
    const length = new Int32Array([value.byteLength]);
    expect(library.functions.getsockopt(socket._handle?.fd ?? -1, 6, 18, value, length)).toBe(0);
    return value[0];
  } finally {
    client.destroy();
    socket.destroy();
  }
}

onLinux('a listener’s limit on what is not acknowledged', () => {
  test('is inherited by the connections that it accepts', async () => {
    await listening({ port: 0, host: '127.0.0.1' });
    expect(limitUnacknowledged(server, 35.5)).toBe(true);
    expect(await timeoutOfAccepted()).toBe(35_500);
  });

  test('is the kernel’s own when nothing is said', async () => {
    await listening({ port: 0, host: '127.0.0.1' });
    expect(await timeoutOfAccepted()).toBe(0);
  });

  test('can be set again', async () => {
    await listening({ port: 0, host: '127.0.0.1' });
    expect(limitUnacknowledged(server, 1)).toBe(true);
    expect(limitUnacknowledged(server, 2)).toBe(true);
    expect(await timeoutOfAccepted()).toBe(2000);
  });

  test('cannot be set where there is no TCP', async () => {
    const path = join(tmpdir(), `fanfare-${process.pid}-${crypto.randomUUID()}.sock`);
    try {
      await listening({ path });
      expect(limitUnacknowledged(server, 1)).toBe(false);
    } finally {
      rmSync(path, { force: true });
    }
  });
});

describe('nothing can be set', () => {
  test('on a server that does not listen', async () => {
    server = createServer();
    expect(limitUnacknowledged(server, 1)).toBe(false);
  });
});

test('setting it prints nothing, and warnings that come later are printed', async () => {
  const script = `
    import { createServer } from 'node:net';
    import { limitUnacknowledged } from ${JSON.stringify(SOURCE)};
    const server = createServer().listen(0, '127.0.0.1', () => {
      limitUnacknowledged(server, 1);
      server.close();
      process.emitWarning('heard');
    });`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/Warning: heard/);
  expect(stderr).not.toMatch(/Experimental/);
});
