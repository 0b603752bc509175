import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { readLines } from './lines.ts';

/**
 * A named pipe to read a program's output from. What Node gives a child as standard output is a socket, and a socket
 * cannot be opened again by the name /dev/stdout, which is what NGINX does with its access log; a named pipe can.
 */
export class ReopenablePipe {
  readonly #path: string;
  readonly #reader: Socket;

  constructor(path: string, onLine: (line: string) => void) {
    execFileSync('mkfifo', ['-m', '600', path]);
    this.#path = path;
    // Opened for writing too, so that opening does not wait for a writer and the end of one writer is not the end.
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#reader = new Socket({ fd, readable: true, writable: false });
    readLines(this.#reader, onLine);
  }

  /** A file descriptor to hand to a child. The caller closes it. */
  open(): { readonly fd: number; close(): void } {
    const fd = openSync(this.#path, constants.O_WRONLY);
    return { fd, close: () => closeSync(fd) };
  }

  close(): void {
    this.#reader.destroy();
  }
}
