import type { Socket } from 'node:net';

/** How long a peer has, whatever it does, to take the last bytes and close its side before the socket is destroyed. */
export const CLOSING_MILLISECONDS = 5000;

/** Writes the last bytes to a socket that nobody else listens to any more, and closes it. What the peer still says is dropped. */
export function endSocket(socket: Socket, lastBytes: string | Buffer): void {
  const timer = setTimeout(() => socket.destroy(), CLOSING_MILLISECONDS);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => clearTimeout(timer));
  socket.resume();
  socket.end(lastBytes);
}
