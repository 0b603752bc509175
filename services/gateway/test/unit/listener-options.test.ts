import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { setListenerOptions } from '../../src/listener-options.ts';

const SOURCE = fileURLToPath(new URL('../../src/listener-options.ts', import.meta.url));
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

const TCP_USER_TIMEOUT = 18;
const TCP_NOTSENT_LOWAT = 25;

/** An option of a connection that the server accepts now. */
async function ofAccepted(option: number): Promise<number | undefined> {
  const accepted = once(server, 'connection') as Promise<[Socket & { readonly _handle?: { readonly fd: number } }]>;
  const client = connect((server.address() as AddressInfo).port, (server.address() as AddressInfo).address);
  const [socket] = await accepted;
  try {
    using library = process.getBuiltinModule('node:ffi').dlopen(null, {
      getsockopt: { arguments: ['i32', 'i32', 'i32', 'buffer', 'buffer'], return: 'i32' },
    });
    const value = new Int32Array(1);
    const length = new Int32Array([value.byteLength]);
    expect(library.functions.getsockopt(socket._handle?.fd ?? -1, 6, option, value, length)).toBe(0);
    return value[0];
  } finally {
    client.destroy();
    socket.destroy();
  }
}

onLinux('what is set on a listener', () => {
  test('is inherited by the connections that it accepts', async () => {
    await listening({ port: 0, host: '127.0.0.1' });
    expect(setListenerOptions(server, 35.5)).toBe(true);
    expect(await ofAccepted(TCP_USER_TIMEOUT)).toBe(35_500);
    expect(await ofAccepted(TCP_NOTSENT_LOWAT)).toBe(128 * 1024);
  });

  test('is the kernel’s own when nothing is said', async () => {
    await listening({ port: 0, host: '127.0.0.1' });
    expect(await ofAccepted(TCP_USER_TIMEOUT)).toBe(0);
  });

  test('can be set again', async () => {
    await listening({ port: 0, host: '127.0.0.1' });
    expect(setListenerOptions(server, 1)).toBe(true);
    expect(setListenerOptions(server, 2)).toBe(true);
    expect(await ofAccepted(TCP_USER_TIMEOUT)).toBe(2000);
  });

  test('cannot be set where there is no TCP', async () => {
    const path = join(tmpdir(), `fanfare-${process.pid}-${crypto.randomUUID()}.sock`);
    try {
      await listening({ path });
      expect(setListenerOptions(server, 1)).toBe(false);
    } finally {
      rmSync(path, { force: true });
    }
  });
});

describe('nothing can be set', () => {
  test('on a server that does not listen', async () => {
    server = createServer();
    expect(setListenerOptions(server, 1)).toBe(false);
  });
});

test('setting it prints nothing, and warnings that come later are printed', async () => {
  const script = `
    import { createServer } from 'node:net';
    import { setListenerOptions } from ${JSON.stringify(SOURCE)};
    const server = createServer().listen(0, '127.0.0.1', () => {
      setListenerOptions(server, 1);
      server.close();
      process.emitWarning('heard');
    });`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/Warning: heard/);
  expect(stderr).not.toMatch(/Experimental/);
});
