/**
 * What a page of others can make a browser do to a node, with the cookies that the browser has for it. Each is a script that gets the node's
 * address and a channel, and returns what it has learned.
 */

const HELPERS = `
  const publish = base + '/v1/channels/' + channel + '/messages';
  const stream = base + '/v1/sse?channel=' + channel + '&last=10';
  const json = JSON.stringify({ data: 'attack' });
  const loaded = (element) => new Promise((resolve) => {
    element.onload = () => resolve('loaded');
    element.onerror = () => resolve('error');
  });
  const add = async (name, attributes) => {
    const element = Object.assign(document.createElement(name), attributes);
    const end = loaded(element);
    document.body.append(element);
    return [element, await end];
  };
  const textOf = (request) => request.then(
    async (response) => response.type + ' ' + response.status + ' ' + (await response.text()),
    (error) => String(error),
  );
  const simple = (type, body) =>
    textOf(fetch(publish, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: type === '' ? {} : { 'content-type': type }, body }));
  const form = (enctype, name, value) => {
    const frame = Object.assign(document.createElement('iframe'), { name: 'frame-' + channel });
    document.body.append(frame);
    const made = Object.assign(document.createElement('form'), { method: 'POST', action: publish, enctype, target: frame.name });
    made.append(Object.assign(document.createElement('input'), { name, value }));
    document.body.append(made);
    const end = loaded(frame);
    made.submit();
    return end.then(() => seenOf(frame));
  };
  const seenOf = (frame) => {
    try { return String(frame.contentDocument?.body.innerText); } catch (error) { return String(error); }
  };
`;

/** The text of a script for one attack, with its arguments. */
export function scriptOf(attack: string, base: string, channel: string): string {
  return `(async (base, channel) => { ${HELPERS} return ${attack}; })(${JSON.stringify(base)}, ${JSON.stringify(channel)})`;
}

export type Attacks = Readonly<Record<string, string>>;

/** Publishing, and making tickets, in ways that a browser sends without asking the node first (WHATWG Fetch, CORS-safelisted). */
export const SIMPLE_POSTS: Attacks = {
  'fetch of plain text': `await simple('text/plain', json)`,
  'fetch of a form': `await simple('application/x-www-form-urlencoded', json)`,
  'fetch of a multipart form': `await simple('multipart/form-data; boundary=x', json)`,
  'fetch of what has no type': `await simple('', new Blob([json]))`,
  'fetch whose type names JSON in a parameter': `await simple('text/plain; x=application/json', json)`,
  'fetch that wants to read the answer':
    "await textOf(fetch(publish, { method: 'POST', credentials: 'include', headers: { 'content-type': 'text/plain' }, body: json }))",
  'a beacon of plain text': 'String(navigator.sendBeacon(publish, json))',
  'a form that looks like JSON': `await form('text/plain', '{"data":"attack","x":"', '"}')`,
  'a form': `await form('application/x-www-form-urlencoded', 'data', 'attack')`,
  'making a ticket':
    "await textOf(fetch(base + '/v1/tickets?' + channel, { method: 'POST', mode: 'no-cors', credentials: 'include' }))",
  'a batch': `await textOf(fetch(base + '/v1/messages?' + channel, { method: 'POST', mode: 'no-cors', credentials: 'include', headers: { 'content-type': 'text/plain' }, body: JSON.stringify({ messages: [{ channel, data: 'attack' }] }) }))`,
};

/** Publishing in ways for which a browser asks the node first. */
export const PREFLIGHTED_POSTS: Attacks = {
  'fetch of JSON':
    "await textOf(fetch(publish, { method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: json }))",
  'a beacon of JSON': `String(navigator.sendBeacon(publish, new Blob([json], { type: 'application/json' })))`,
};

/** Reading with an Origin, by which the node knows whose page it is. */
export const READS: Attacks = {
  'fetch of the history': "await textOf(fetch(publish, { credentials: 'include' }))",
  'fetch of the stream': `await fetch(stream, { credentials: 'include' }).then(async ({ body }) => {
    let text = '';
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes('data: ')) break;
    }
    return text;
  }, String)`,
  'an EventSource': `await new Promise((resolve) => {
    const source = new EventSource(stream, { withCredentials: true });
    source.onmessage = ({ data }) => { source.close(); resolve(data); };
    source.onerror = () => { if (source.readyState === 2) resolve('closed'); };
  })`,
  'a WebSocket': `await new Promise((resolve) => {
    const socket = new WebSocket(stream.replace('http', 'ws').replace('/sse', '/ws'));
    let text = '';
    socket.onmessage = ({ data }) => { text += data; if (text.includes('"message"')) { socket.close(); resolve(text); } };
    socket.onclose = ({ code }) => resolve(text + code);
  })`,
};

/** Reading as elements do, without an Origin. */
export const EMBEDDINGS: Attacks = {
  'fetch of the history that is not to be read':
    "await textOf(fetch(publish, { mode: 'no-cors', credentials: 'include' }))",
  'an image of the history': "(await add('img', { src: publish }))[1]",
  'a script of the history': "(await add('script', { src: publish }))[1]",
  'a style sheet of the history': "(await add('link', { rel: 'stylesheet', href: publish }))[1]",
  'a frame with the history': "seenOf((await add('iframe', { src: publish }))[0])",
};

/** The same for the stream, which may not end by itself. */
export const STREAM_EMBEDDINGS: Attacks = {
  'an image of the stream': "String(void add('img', { src: stream }))",
  'a script of the stream': "String(void add('script', { src: stream }))",
  'a frame with the stream': "String(void add('iframe', { src: stream }))",
};

/** Publishing with the origin `null`, which a page gives to what it does not trust. */
export const SANDBOXED_POST = `await new Promise((resolve) => {
  const script = 'fetch(' + JSON.stringify(publish) + ', { method: "POST", mode: "no-cors", credentials: "include", body: "{}" }).finally(() => parent.postMessage("done", "*"))';
  addEventListener('message', ({ data }) => resolve(data), { once: true });
  void add('iframe', { sandbox: 'allow-scripts', srcdoc: '<script>' + script + '</' + 'script>' });
})`;
