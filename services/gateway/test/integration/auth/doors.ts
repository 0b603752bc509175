import type { Gateway } from '../../support/gateway.ts';
import { clientFrame, RawWebSocket, TEXT } from '../../support/raw-websocket.ts';
import { until } from '../../support/until.ts';
import { type Asked, ask, bearer, post } from './ask.ts';

/** The cookie in which nodes take a token when these doors are tried. */
export const COOKIE = 'session';

/** What a door said. */
export interface Answer {
  /** 2xx for whoever was let in; 4401 and the like where a WebSocket was closed. */
  readonly status: number;
  /** The error's code, where it said one. */
  readonly code: string | undefined;
  readonly challenge: string | undefined;
  /** All that it said. */
  readonly text: string;
}

/** A way in which a token can come. */
export interface Door {
  readonly name: string;
  /** How somebody is refused whose token is not good. */
  readonly refusal: 401 | 4401;
  /** Whether a publisher's key may come there too. */
  readonly takesKeys: boolean;
  try(gateway: Gateway, channel: string, token: string): Promise<Answer>;
}

const CODE = /"code":"(\w+)"/;
const messages = (channel: string): string => `/v1/channels/${channel}/messages`;
const attack = { data: 'attack' };

function answerOf({ status, headers, text }: Asked): Answer {
  return {
    status,
    code: CODE.exec(text)?.[1],
    challenge: headers['www-authenticate'],
    text: JSON.stringify(headers) + text,
  };
}

/** What a WebSocket came to: the close code, or 200 when it let somebody in. */
async function webSocket(socket: RawWebSocket): Promise<Answer> {
  const isIn = (): boolean => /"type":"(authenticated|subscribed)"/.test(socket.text);
  const closeCode = (): number | undefined => {
    const close = socket.frames.find(({ opcode }) => opcode === 0x8);
    return close?.payload.readUInt16BE(0);
  };
  await until(() => isIn() || closeCode() !== undefined || socket.ended, 'a WebSocket to come to something');
  socket.close();
  const status = closeCode() ?? (isIn() ? 200 : Number(socket.text.slice(9, 12)));
  return {
    status,
    code: CODE.exec(socket.text)?.[1],
    challenge: /^www-authenticate: (.*)\r$/m.exec(socket.text)?.[1],
    text: socket.text,
  };
}

/** A way in by HTTP, with header fields that hold the token. */
function http(
  name: string,
  takesKeys: boolean,
  request: (gateway: Gateway, channel: string, headers: Record<string, string>) => Promise<Asked>,
  fields: (gateway: Gateway, token: string) => Record<string, string> = (_, token) => bearer(token),
): Door {
  return {
    name,
    refusal: 401,
    takesKeys,
    try: async (gateway, channel, token) => answerOf(await request(gateway, channel, fields(gateway, token))),
  };
}

/** A page of the node's own. */
const cookie = ({ url }: Gateway, token: string): Record<string, string> => ({
  cookie: `other=1; ${COOKIE}=${token}`,
  origin: url,
});

/** All of them. */
export const DOORS: readonly Door[] = [
  http('a publish', true, ({ url }, channel, headers) => post(url, messages(channel), attack, headers)),
  http('a batch', true, ({ url }, channel, headers) =>
    post(url, '/v1/messages', { messages: [{ channel, ...attack }] }, headers),
  ),
  http('the history', false, ({ url }, channel, headers) => ask(url, messages(channel), { headers })),
  http('a long poll', false, ({ url }, channel, headers) => ask(url, `${messages(channel)}?wait=1`, { headers })),
  http('an event stream', false, ({ url }, channel, headers) =>
    ask(url, `/v1/sse?channel=${channel}&last=10`, { headers }),
  ),
  http('HEAD of an event stream', false, ({ url }, channel, headers) =>
    ask(url, `/v1/sse?channel=${channel}`, { method: 'HEAD', headers }),
  ),
  http('a ticket', false, ({ url }, _channel, headers) => ask(url, '/v1/tickets', { method: 'POST', headers })),
  http(
    'a publish with the cookie',
    true,
    ({ url }, channel, headers) => post(url, messages(channel), attack, headers),
    cookie,
  ),
  http(
    'the history with the cookie',
    false,
    ({ url }, channel, headers) => ask(url, messages(channel), { headers }),
    cookie,
  ),
  http(
    'an event stream with the cookie',
    false,
    ({ url }, channel, headers) => ask(url, `/v1/sse?channel=${channel}&last=10`, { headers }),
    cookie,
  ),
  http(
    'a ticket with the cookie',
    false,
    ({ url }, _channel, headers) => ask(url, '/v1/tickets', { method: 'POST', headers }),
    cookie,
  ),
  {
    name: 'a WebSocket’s handshake',
    refusal: 401,
    takesKeys: false,
    try: ({ port }, channel, token) =>
      webSocket(
        new RawWebSocket(port, `/v1/ws?channel=${channel}`, Buffer.alloc(0), { Authorization: `Bearer ${token}` }),
      ),
  },
  {
    name: 'a WebSocket’s handshake with the cookie',
    refusal: 4401,
    takesKeys: false,
    try: (gateway, channel, token) => {
      const { cookie: Cookie = '', origin: Origin = '' } = cookie(gateway, token);
      const Host = `127.0.0.1:${gateway.port}`;
      return webSocket(
        new RawWebSocket(gateway.port, `/v1/ws?channel=${channel}`, Buffer.alloc(0), { Host, Cookie, Origin }),
      );
    },
  },
  {
    name: 'a WebSocket’s first message',
    refusal: 4401,
    takesKeys: true,
    try: ({ port }, channel, token) =>
      webSocket(
        new RawWebSocket(port, `/v1/ws?channel=${channel}`, clientFrame(TEXT, JSON.stringify({ type: 'auth', token }))),
      ),
  },
];

/** Those where a token stands in the Authorization header of a request. */
export const AUTHORIZATION_DOORS = DOORS.filter(({ name, refusal }) => refusal === 401 && !name.includes('cookie'));

/** Whatever is true of a door that did not let somebody in for his token. Empty: it did as it should. */
export function wrongAbout({ name, refusal }: Door, { status, code, challenge, text }: Answer): string[] {
  const wrong: string[] = [];
  if (status !== refusal) wrong.push(`${name}: ${status} and not ${refusal}: ${text}`);
  if (code !== 'unauthenticated' && !name.startsWith('HEAD')) wrong.push(`${name}: the code is ${code}`);
  if (refusal === 401 && challenge !== 'Bearer') wrong.push(`${name}: WWW-Authenticate is ${challenge}`);
  return wrong;
}
