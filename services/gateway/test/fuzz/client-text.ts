import type { Random } from './random.ts';

/** Channels that the fuzzer may use. Nobody else follows them. */
export const CHANNELS = ['fuzz:0', 'fuzz:1', 'fuzz:2', 'other', 'a.b-c_d@e'];

/** JSON values, as text: all kinds, and those on which parsers have failed before. */
const VALUES = [
  '1',
  '-0.0e-0',
  '1e999',
  '123456789012345678901234567890',
  'true',
  'null',
  '""',
  '"\\ud800"',
  '"\\u0000\\n\\r\\u2028"',
  '"é🎺"',
  '[]',
  '{}',
  '{"__proto__":{"a":1},"constructor":2,"a":[{"b":[]}]}',
  '[[[[[[[[[[1]]]]]]]]]]',
  ' { "spaced" : [ 1 , 2 ] } ',
  '{"a":1,"a":2}',
];

/** Texts that are no client message. */
const OTHERS = [
  '',
  ' ',
  'ping',
  'null',
  '[]',
  '[{"type":"ping"}]',
  '"ping"',
  '{}',
  '{"type":1}',
  '{"type":"auth","token":"x"}',
  '{"type":"nonsense"}',
  '{"type":"__proto__"}',
  '{"type":"constructor"}',
  '{"type":"ping","type":"publish"}',
  '{"type":"ping","ref":{}}',
  '{"type":"ping","unknown":1}',
  '{"type":"ping"',
  '{"type":"ping"}}',
  '{"type":"ping",}',
  "{'type':'ping'}",
  '\ufeff{"type":"ping"}',
  '{"type":"subscribe"}',
  '{"type":"subscribe","channel":"not allowed"}',
  '{"type":"publish","channel":"other"}',
  '{"type":"publish","channel":"other","data":1,"event":"fanfare:bye"}',
  '{"type":"publish","channel":"other","data":1,"event":"a\\nb"}',
];

const CURSORS = [
  '0-0',
  '1763600000000-0',
  '99999999999999-0',
  '-',
  '1',
  '0:1-1,1:2-2',
  '18446744073709551615-1',
  'é',
  'x'.repeat(300),
];

/** A text message of a client of the node: most of them good, many for a short list of channels, some hostile. */
export function clientText(random: Random): string {
  if (random.chance(0.15)) return random.pick(OTHERS);
  if (random.chance(0.02)) return '['.repeat(random.between(1, 18_000));
  const members = [
    ...body(random),
    ...(random.chance(0.5)
      ? [`"ref":${random.pick(['1', '"a"', '"é\\n"', '-1.5e3', JSON.stringify('x'.repeat(120))])}`]
      : []),
  ];
  if (random.chance(0.1)) members.reverse();
  return `{${members.join(',')}}`;
}

function body(random: Random): string[] {
  const channel = `"channel":${JSON.stringify(random.chance(0.95) ? random.pick(CHANNELS) : random.pick(['', 'a b', 'x'.repeat(201), '..', 'é']))}`;
  switch (random.below(5)) {
    case 0:
      return ['"type":"ping"'];
    case 1:
      return ['"type":"unsubscribe"', channel];
    case 2:
      return ['"type":"subscribe"', channel, ...start(random)];
    default:
      return ['"type":"publish"', channel, `"data":${data(random)}`, ...options(random)];
  }
}

function start(random: Random): string[] {
  if (random.chance(0.6)) return [];
  if (random.chance(0.5)) return [`"after":${JSON.stringify(random.pick(CURSORS))}`];
  return [`"last":${random.pick(['1', '10', '1000', '0', '1001', '1.5', '"1"', '1e2'])}`];
}

function options(random: Random): string[] {
  const found: string[] = [];
  if (random.chance(0.2)) found.push(`"event":${JSON.stringify(random.pick(['created', 'é', '', 'x'.repeat(201)]))}`);
  if (random.chance(0.2))
    found.push(`"idempotencyKey":${JSON.stringify(random.pick(['a', 'b', '', 'c d', 'x'.repeat(300)]))}`);
  return found;
}

function data(random: Random): string {
  if (random.chance(0.03)) return JSON.stringify('x'.repeat(random.between(1000, 19_000)));
  return random.pick(VALUES);
}
