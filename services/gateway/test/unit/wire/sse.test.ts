import { createParser, type EventSourceMessage } from 'eventsource-parser';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventProblem, type Message } from '../../../src/message.ts';
import { encodeEnvelope, encodeEvent, encodeHeartbeat, encodePreamble, encodeRaw } from '../../../src/wire/sse.ts';
import { EventStreamParser } from '../../support/event-stream-parser.ts';

/** What a reader that was given a stream makes of it. */
interface Read {
  readonly events: { id: string; name: string; data: string }[];
  readonly lastEventId: string;
  readonly retryMilliseconds?: number;
}

function readByStandard(stream: string): Read {
  const parser = new EventStreamParser();
  parser.push(Buffer.from(stream));
  const { events, lastEventId, reconnectionMilliseconds } = parser;
  return {
    events: events.map((each) => ({ id: each.lastEventId, name: each.type, data: each.data })),
    lastEventId,
    ...(reconnectionMilliseconds === undefined ? {} : { retryMilliseconds: reconnectionMilliseconds }),
  };
}

/** The reader inside a well-known client, which gets the stream cut where `cuts` say. */
function readByPackage(stream: string, cuts: readonly number[]): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (event) => events.push(event),
    onError: (error) => {
      throw error;
    },
  });
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    parser.feed(stream.slice(at, Math.max(at, cut)));
    at = Math.max(at, cut);
  }
  parser.feed(stream.slice(at));
  return events;
}

const withLineFeeds = (text: string): string => text.replaceAll(/\r\n|\r/g, '\n');

const id = fc.tuple(fc.nat(), fc.nat()).map(([time, sequence]) => `${time}-${sequence}`);
const unit = fc.constantFrom(
  '\r',
  '\n',
  '\r\n',
  ' ',
  ':',
  'data',
  'id: 1',
  '\0',
  'x',
  'ü',
  '😀',
  '\ufeff',
  '\u2028',
  '\v',
);
const text = fc.array(unit, { maxLength: 12 }).map((units) => units.join(''));
const name = text.map((each) => each.replaceAll(/[\r\n\0]/g, '')).filter((each) => eventProblem(each) === undefined);
const event = fc.record({ id, name, data: text }, { requiredKeys: ['data'] });
const json = fc
  .tuple(fc.jsonValue(), fc.constantFrom('', ' ', '\r\n', '\t'), fc.constantFrom('', '\r', '\n\n'))
  .map(([value, indent, end]) => JSON.stringify(value, null, 1).replaceAll('\n', `\n${indent}`) + end);
const message: fc.Arbitrary<Message> = fc
  .record({ id, event: name, data: json }, { requiredKeys: ['id', 'data'] })
  .map((each) => ({ channel: 'orders:eu', ...each }));

describe('an event', () => {
  test('is read back with its id, its name and its data, whose line ends have become \\n', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(300)), (events, cuts) => {
        const stream = events.map(encodeEvent).join('');
        let lastId = '';
        const expected = events.map((each) => {
          lastId = each.id ?? lastId;
          return { id: lastId, name: each.name ?? 'message', data: withLineFeeds(each.data) };
        });
        // An event whose data is empty is dispatched by the package and by the standard's text alike: data is "\n" then.
        expect(readByStandard(stream).events).toEqual(expected);
        expect(readByPackage(stream, cuts)).toEqual(
          events.map((each) => ({ id: each.id, event: each.name, data: withLineFeeds(each.data) })),
        );
      }),
      { numRuns: 1000 },
    );
  });

  test('has its fields in the order of the contract', () => {
    expect(encodeEvent({ id: '1-0', name: 'order.updated', data: '{"orderId":42}' })).toBe(
      'id: 1-0\nevent: order.updated\ndata: {"orderId":42}\n\n',
    );
    expect(encodeEvent({ data: '' })).toBe('data: \n\n');
  });

  test('has a data field for each line, whichever way the lines end', () => {
    expect(encodeEvent({ data: 'a\nb\rc\r\nd\n\r\n' })).toBe('data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: \n\n');
  });

  test('keeps the spaces that its data and its name begin with', () => {
    const stream = encodeEvent({ name: '  e', data: '  x\n y' });
    expect(readByStandard(stream).events).toEqual([{ id: '', name: '  e', data: '  x\n y' }]);
  });

  test('cannot be broken out of by its data', () => {
    const stream = encodeEvent({ id: '1-0', data: '1\n\nid: 9-9\nevent: fanfare:bye\r\rretry: 1' });
    const read = readByStandard(stream);
    expect(read).toEqual({
      events: [{ id: '1-0', name: 'message', data: '1\n\nid: 9-9\nevent: fanfare:bye\n\nretry: 1' }],
      lastEventId: '1-0',
    });
  });
});

describe('a message', () => {
  test('in the raw format carries its JSON, which means the same with other line ends', () => {
    fc.assert(
      fc.property(message, (each) => {
        expect(readByStandard(encodeRaw(each)).events).toEqual([
          { id: each.id, name: each.event ?? 'message', data: withLineFeeds(each.data) },
        ]);
      }),
    );
  });

  test('in the envelope format is whole, and fires as a plain message', () => {
    fc.assert(
      fc.property(message, (each) => {
        const [read, ...more] = readByStandard(encodeEnvelope(each)).events;
        expect(more).toEqual([]);
        expect(read).toMatchObject({ id: each.id, name: 'message' });
        expect(JSON.parse(read?.data ?? '')).toEqual({ ...each, data: JSON.parse(each.data) });
      }),
    );
  });

  test('is carried as it was written in both', () => {
    const data = '{"b":9007199254740993,"a":1e400,"a":"\\ud800"}';
    const each = { id: '1-0', channel: 'a', event: 'e', data };
    expect(encodeRaw(each)).toBe(`id: 1-0\nevent: e\ndata: ${data}\n\n`);
    expect(encodeEnvelope(each)).toBe(`id: 1-0\ndata: {"id":"1-0","channel":"a","event":"e","data":${data}}\n\n`);
  });
});

describe('what is no event', () => {
  test('a heartbeat fires nothing and moves the cursor on, if there is one', () => {
    expect(encodeHeartbeat('2-0')).toBe(': heartbeat\nid: 2-0\n\n');
    expect(readByStandard(encodeRaw({ id: '1-0', channel: 'a', data: '1' }) + encodeHeartbeat('0:2-0,1:1-0'))).toEqual({
      events: [{ id: '1-0', name: 'message', data: '1' }],
      lastEventId: '0:2-0,1:1-0',
    });
    expect(readByStandard(encodeRaw({ id: '1-0', channel: 'a', data: '1' }) + encodeHeartbeat()).lastEventId).toBe(
      '1-0',
    );
  });

  test('the preamble says when to come back and where the stream starts', () => {
    expect(encodePreamble(3421, '1-0')).toBe(': fanfare\nretry: 3421\nid: 1-0\n\n');
    expect(readByStandard(encodePreamble(3421, '1-0'))).toEqual({
      events: [],
      lastEventId: '1-0',
      retryMilliseconds: 3421,
    });
    expect(encodePreamble(3421)).toBe(': fanfare\nretry: 3421\n\n');
  });
});
