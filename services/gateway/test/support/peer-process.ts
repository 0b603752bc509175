import { get } from 'node:http';
import process from 'node:process';
import { createInterface } from 'node:readline';

// What runs at the far end of a wire (vanishing-peer.ts): it says who it is, opens an event stream or a WebSocket for each
// address that it is told, line by line, and takes what comes; the runtime answers pings. It ends with its input.

console.log(process.pid);
const webSockets: WebSocket[] = [];
for await (const address of createInterface({ input: process.stdin })) {
  if (address.startsWith('ws:')) webSockets.push(new WebSocket(address));
  else get(address, { agent: false }, (response) => response.resume());
}
process.exit();
