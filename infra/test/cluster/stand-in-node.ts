import { createServer, type Server } from 'node:http';

/**
 * The least that the cluster runner asks of a node, to test the runner by itself: both ports, readiness, a stream that
 * stays open, and a drain. FANFARE_STAND_IN: `fails` (ends at once with a message), `hangs` (does not leave when asked).
 */
const { ADMIN_PORT, PORT, FANFARE_NODE_NAME: name, FANFARE_STAND_IN: behaviour } = process.env;
if (behaviour === 'fails') {
  console.error('the configuration has a mistake: FANFARE_STAND_IN');
  process.exit(1);
}

const open = createServer((request, response) => {
  if (request.url?.startsWith('/v1/sse')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(`data: ${name}\n\n`);
    return;
  }
  request.resume().on('end', () => response.end(JSON.stringify({ name, env: process.env })));
});
const admin = createServer((_request, response) => response.end('ok'));

const listen = (server: Server, port: string | undefined) =>
  new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
await Promise.all([listen(open, PORT), listen(admin, ADMIN_PORT)]);
console.log(`${name} listens`);

process.on('SIGTERM', () => {
  console.log(`${name} drains`);
  if (behaviour === 'hangs') return;
  for (const server of [open, admin]) {
    server.close();
    server.closeAllConnections();
  }
});
