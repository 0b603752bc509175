/**
 * @typedef {import('./status.js').Start} Start
 * @typedef {'curl' | 'eventsource' | 'websocket' | 'publish'} SnippetName
 *
 * @typedef {object} Secured what needs a token or a key; the code names where it comes from, and never holds one
 * @property {boolean} listen
 * @property {boolean} publish
 */

/**
 * Code that does what the page does now, to be copied.
 *
 * @param {string} origin such as `http://localhost:8080`
 * @param {readonly string[]} chosen
 * @param {Start} start
 * @param {Secured} secured
 * @returns {Record<SnippetName, string>}
 */
export function snippets(origin, chosen, start, secured) {
  const channels = chosen.length > 0 ? chosen : ['orders'];
  const query = new URLSearchParams(channels.map((name) => ['channel', name]));
  if (start.mode === 'last') query.set('last', String(start.last));
  if (start.mode === 'after') query.set('after', start.after);
  const readable = query.toString().replaceAll('%3A', ':').replaceAll('%40', '@');
  const stream = `${origin}/v1/sse?${readable}`;
  const publish = `${origin}/v1/channels/${encodeURIComponent(channels[0] ?? '').replaceAll('%3A', ':')}/messages`;
  return {
    curl: secured.listen ? `curl -N ${BEARER} \\\n  ${shell(stream)}` : `curl -N ${shell(stream)}`,
    publish: [
      `curl -X POST ${shell(publish)} \\`,
      ...(secured.publish ? [`  ${BEARER} \\`] : []),
      `  -H 'content-type: application/json' \\`,
      `  -d '{"event":"order.updated","data":{"orderId":42}}'`,
    ].join('\n'),
    eventsource: secured.listen
      ? eventSourceWithTicket(`${stream}&format=envelope`, `${origin}/v1/tickets`)
      : eventSource(JSON.stringify(`${stream}&format=envelope`)),
    websocket: webSocket(`${origin.replace(/^http/, 'ws')}/v1/ws`, channels, start, secured.listen),
  };
}

/** Of a shell, where TOKEN is set. */
const BEARER = '-H "authorization: Bearer $TOKEN"';

/**
 * @param {string} url
 * @param {string} tickets
 */
function eventSourceWithTicket(url, tickets) {
  return `// The page's token, from your backend, gets a ticket for one stream.
const answer = await fetch(${JSON.stringify(tickets)}, {
  method: 'POST', headers: { authorization: \`Bearer \${token}\` } });
const { ticket } = await answer.json();

${eventSource(`${JSON.stringify(`${url}&ticket=`)} + ticket`)}
source.addEventListener('fanfare:bye', ({ data }) => {
  if (JSON.parse(data).reason === 'token_expired') source.close(); // begin again, with a new token
});`;
}

/** @param {string} url JavaScript */
function eventSource(url) {
  return `// Reconnects by itself, and resumes with Last-Event-ID.
const source = new EventSource(
  ${url});

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
 * @param {boolean} secured
 */
function webSocket(url, channels, { mode, last, after }, secured) {
  const first = mode === 'last' ? `last: ${last}` : mode === 'after' ? `after: ${JSON.stringify(after)}` : '';
  const from =
    first === ''
      ? '{ after: cursors.get(channel) }'
      : `cursors.has(channel) ? { after: cursors.get(channel) } : { ${first} }`;
  return `const cursors = new Map(); // channel → where to resume
function connect() {
  const socket = new WebSocket(${JSON.stringify(url)});
  socket.onopen = () => {${secured ? "\n    socket.send(JSON.stringify({ type: 'auth', token })); // from your backend" : ''}
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
