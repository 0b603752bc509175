import { GARBAGE, INJECTIONS, METHODS, NAMES, PREFACES, TARGETS, VERSIONS } from './hostile-values.ts';
import type { Random } from './random.ts';
import { anyRequest, encodeRequest, type Request, setHeader } from './request.ts';

/** Changes a request before it becomes bytes. */
type RequestMutation = (random: Random, request: Request) => void;

/** Mutations of requests as they are meant, by name. */
const REQUEST_MUTATIONS: Readonly<Record<string, RequestMutation>> = {
  'another method': (random, request) => {
    request.method = random.pick(METHODS);
  },
  'another version': (random, request) => {
    request.version = random.pick(VERSIONS);
  },
  'another target': (random, request) => {
    request.target = random.pick(TARGETS);
  },
  'an absolute target': (random, request) => {
    request.target = `${random.pick(['http://localhost', 'https://other.example:443', 'http://[::1]:80', 'http://a@b'])}${request.target}`;
  },
  'percent signs': (random, request) => {
    const at = random.below(request.target.length + 1);
    const more = random.pick([
      '%',
      '%%',
      '%2',
      '%zz',
      '%00',
      '%0a',
      '%u0041',
      '%c0%80',
      '%ed%a0%80',
      '%f4%90%80%80',
      '+',
      '%2B',
    ]);
    request.target = request.target.slice(0, at) + more + request.target.slice(at);
  },
  'a long query': (random, request) => {
    const parameter = random.pick(['&channel=a', '&x=1', '&', '&channel=%41', '=', '&__proto__=1']);
    request.target += (request.target.includes('?') ? '' : '?') + parameter.repeat(random.pick([10, 101, 3000]));
  },
  'a header injected by the target': (random, request) => {
    const injection = random.pick(INJECTIONS);
    request.target = random.pick([
      `/v1/sse?channel=${injection}`,
      `/v1/channels/${injection}/messages`,
      `/${injection}`,
      `/v1/sse?channel=a&after=${injection}`,
      `/v1/ws?channel=${injection}`,
    ]);
  },
  'a header injected by a header': (random, request) => {
    setHeader(request, random.pick(NAMES), random.pick(INJECTIONS));
  },
  'garbage in a header': (random, request) => {
    setHeader(request, random.pick(NAMES), random.pick(GARBAGE));
  },
  'garbage in several headers': (random, request) => {
    for (let left = random.between(2, 6); left > 0; left--)
      setHeader(request, random.pick(NAMES), random.pick(GARBAGE));
  },
  'a header twice': (random, request) => {
    const [name, value] = random.pick(request.headers);
    request.headers.push([
      random.chance(0.5) ? name : name.toUpperCase(),
      random.chance(0.5) ? value : random.pick(GARBAGE),
    ]);
  },
  'a header less': (random, request) => {
    request.headers.splice(random.below(request.headers.length), 1);
  },
  'a folded header': (random, request) => {
    const header = random.pick(request.headers);
    header[1] = random.pick([`a\r\n ${header[1]}`, `${header[1]}\r\n\t`, `\r\n ${header[1]}`, `${header[1]}\n more`]);
  },
  'a name that is none': (random, request) => {
    request.headers.push([
      random.pick(['', ' ', 'a b', 'a\t', '(x)', 'é', '\x00', 'a\nb', '"a"', 'x'.repeat(2000)]),
      'x',
    ]);
  },
  'a header before all others': (random, request) => {
    request.headers.unshift([random.pick([' Host', '\tX', '', 'Host ']), 'localhost']);
  },
  'many headers': (random, request) => {
    const count = random.pick([50, 101, 1000, 3000]);
    for (let i = 0; i < count; i++) request.headers.push([`x-${random.chance(0.5) ? i : ''}`, 'x']);
  },
  'a long header': (random, request) => {
    request.headers.push([
      random.pick(NAMES),
      random.pick('abc,;"\x80'.split('')).repeat(random.pick([8000, 16_000, 33_000, 120_000])),
    ]);
  },
  'an upgrade': (random, request) => {
    setHeader(request, 'Connection', random.pick(['Upgrade', 'upgrade, keep-alive', 'close, Upgrade']));
    setHeader(request, 'Upgrade', random.pick(['websocket', 'h2c', 'WebSocket, h2c', 'TLS/1.0', '']));
  },
  'another body': (random, request) => {
    request.body = random.pick([
      Buffer.alloc(0),
      random.bytes(random.between(1, 100)),
      Buffer.from('{"data":'),
      Buffer.from('[]'),
      Buffer.from('\ufeff{"data":1}'),
      Buffer.alloc(40_000, '['),
    ]);
    if (random.chance(0.7)) setHeader(request, 'Content-Length', String(request.body.length));
  },
  'a body where there is none': (random, request) => {
    request.body = random.bytes(random.between(1, 50));
    setHeader(
      request,
      'Content-Length',
      String(random.pick([request.body.length, request.body.length + 5, 1, 0, 100_000_000])),
    );
  },
  'an expectation': (random, request) => {
    setHeader(request, 'Expect', random.pick(['100-continue', '200-ok', '100-continue, x', '']));
  },
};

/** Changes a request that has become bytes. */
type ByteMutation = (random: Random, bytes: Buffer) => Buffer;

const BYTE_MUTATIONS: Readonly<Record<string, ByteMutation>> = {
  'bits flipped': (random, bytes) => {
    for (let left = random.between(1, 5); left > 0; left--) {
      const at = random.below(Math.min(bytes.length, 1000));
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    }
    return bytes;
  },
  'bytes put in': (random, bytes) => {
    const more = random.pick([
      random.bytes(random.between(1, 4)),
      Buffer.from('\r'),
      Buffer.from('\n'),
      Buffer.from('\r\n'),
      Buffer.from('\0'),
      Buffer.from(':'),
      Buffer.from(' '),
      Buffer.from('\r\n\r\n'),
    ]);
    const at = random.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  'bytes left out': (random, bytes) => {
    const at = random.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random.between(1, 6))]);
  },
  'bare line feeds': (_random, bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  'bare carriage returns': (_random, bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\r'), 'latin1'),
  'a line feed less': (random, bytes) => {
    const lines = bytes.toString('latin1').split('\r\n');
    const at = random.below(lines.length - 1 || 1);
    lines.splice(at, 2, `${lines[at]}${random.pick(['\r', '\n', ''])}${lines[at + 1] ?? ''}`);
    return Buffer.from(lines.join('\r\n'), 'latin1');
  },
  'something else before it': (random, bytes) => Buffer.concat([random.pick(PREFACES), bytes]),
  'something else': (random) => Buffer.from(random.pick(PREFACES)),
  garbage: (random) => random.bytes(random.between(1, 300)),
};

const ALL = [...Object.keys(REQUEST_MUTATIONS), ...Object.keys(BYTE_MUTATIONS)];

/** What is really sent, and what was done to it. */
export interface MutatedHead {
  readonly bytes: Buffer;
  readonly mutations: readonly string[];
}

/** One or two mutations of a request. */
export function mutateRequest(random: Random, request: Request): MutatedHead {
  const mutations = Array.from({ length: random.pick([1, 1, 1, 2]) }, () => random.pick(ALL));
  for (const name of mutations) if (request.headers.length > 0) REQUEST_MUTATIONS[name]?.(random, request);
  let bytes = encodeRequest(request);
  for (const name of mutations) if (bytes.length > 0) bytes = BYTE_MUTATIONS[name]?.(random, bytes) ?? bytes;
  return { bytes, mutations };
}

/** Several requests in one go, of which some are changed, but none so that it would surely be the last. */
export function pipeline(random: Random): MutatedHead {
  const mutations = ['a pipeline'];
  const requests = Array.from({ length: random.between(2, 5) }, () => {
    const request = anyRequest(random);
    if (random.chance(0.5)) return encodeRequest(request);
    const name = random.pick(Object.keys(REQUEST_MUTATIONS));
    mutations.push(name);
    REQUEST_MUTATIONS[name]?.(random, request);
    return encodeRequest(request);
  });
  return { bytes: Buffer.concat(requests), mutations };
}
