/**
 * @typedef {import('./status.js').Start} Start
 * @typedef {'curl' | 'eventsource' | 'websocket' | 'publish'} SnippetName
 */

/**
 * Code that does what the page does now, to be copied.
 *
 * @param {string} origin such as `http://localhost:8080`
 * @param {readonly string[]} chosen
 * @param {Start} start
 * @returns {Record<SnippetName, string>}
 */
export function snippets(origin, chosen, start) {
  const channels = chosen.length > 0 ? chosen : ['orders'];
  const query = new URLSearchParams(channels.map((name) => ['channel', name]));
  if (start.mode === 'last') query.set('last', String(start.last));
  if (start.mode === 'after') query.set('after', start.after);
  const readable = query.toString().replaceAll('%3A', ':').replaceAll('%40', '@');
  const stream = `${origin}/v1/sse?${readable}`;
  const publish = `${origin}/v1/channels/${encodeURIComponent(channels[0] ?? '').replaceAll('%3A', ':')}/messages`;
  return {
    curl: `curl -N ${shell(stream)}`,
    publish: [
      `curl -X POST ${shell(publish)} \\`,
      `  -H 'content-type: application/json' \\`,
      `  -d '{"event":"order.updated","data":{"orderId":42}}'`,
    ].join('\n'),
    eventsource: eventSource(`${stream}&format=envelope`),
    websocket: webSocket(`${origin.replace(/^http/, 'ws')}/v1/ws`, channels, start),
  };
}

/** @param {string} url */
function eventSource(url) {
  return `// Reconnects by itself, and resumes with Last-Event-ID.
const source = new EventSource(
  ${JSON.stringify(url)});

// With format=envelope every message comes here, whatever its event is called.
source.onmessage = ({ data }) => {
  const message = JSON.parse(data); // { id, channel, event?, data }
  console.log(message.channel, message.event, message.data);
};
source.addEventListener('fanfare:gap', ({ data }) => {
  console.warn('messages were lost', JSON.parse(data)); // load anew
});`;
}

/**
 * @param {string} url
 * @param {readonly string[]} channels
 * @param {Start} start
 */
function webSocket(url, channels, { mode, last, after }) {
  const first = mode === 'last' ? `last: ${last}` : mode === 'after' ? `after: ${JSON.stringify(after)}` : '';
  const from =
    first === ''
      ? '{ after: cursors.get(channel) }'
      : `cursors.has(channel) ? { after: cursors.get(channel) } : { ${first} }`;
  return `const cursors = new Map(); // channel → where to resume
function connect() {
  const socket = new WebSocket(${JSON.stringify(url)});
  socket.onopen = () => {
    for (const channel of ${JSON.stringify(channels)}) {
      const from = ${from};
      socket.send(JSON.stringify({ type: 'subscribe', channel, ...from }));
    }
  };
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === 'gap') console.warn('messages were lost', frame);
    if (frame.type === 'caught-up') cursors.set(frame.channel, frame.cursor);
    if (frame.type !== 'message') return;
    cursors.set(frame.channel, frame.id);
    console.log(frame.channel, frame.event, frame.data);
  };
  socket.onclose = () => setTimeout(connect, 500 + Math.random() * 2500);
}
connect();`;
}

/**
 * Quotes a text for a POSIX shell.
 *
 * @param {string} text
 */
function shell(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
