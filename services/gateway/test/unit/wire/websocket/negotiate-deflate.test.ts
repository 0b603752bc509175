import { describe, expect, test } from 'vitest';
import { parseExtensions } from '../../../../src/wire/websocket/extensions.ts';
import { negotiateDeflate } from '../../../../src/wire/websocket/negotiate-deflate.ts';

const ANSWER = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

/** The answer to an offer of permessage-deflate with these parameters. */
function answerTo(parameters: string): string | undefined {
  return answerToHeader(`permessage-deflate${parameters}`);
}

function answerToHeader(header: string): string | undefined {
  const offers = parseExtensions(header);
  if (offers === undefined) throw new Error(`${header} is malformed`);
  return negotiateDeflate(offers);
}

describe('an offer of permessage-deflate (RFC 7692 7.1)', () => {
  test.each([
    '',
    '; client_max_window_bits', // Chromium, Node and ws
    '; client_max_window_bits=8',
    '; client_max_window_bits="15"',
    '; server_no_context_takeover',
    '; client_no_context_takeover',
    '; client_max_window_bits=10; client_no_context_takeover; server_no_context_takeover',
  ])('with the parameters "%s" is accepted, and neither side keeps its window', (parameters) => {
    expect(answerTo(parameters)).toBe(ANSWER);
  });

  test('that limits our window is accepted when that suffices for what everyone gets, and answered with what we use', () => {
    for (const bits of [12, 13, 14, 15])
      expect(answerTo(`; server_max_window_bits=${bits}`), `${bits}`).toBe(`${ANSWER}; server_max_window_bits=12`);
    // as Python's websockets offers it
    expect(answerTo('; server_max_window_bits=12; client_max_window_bits=12')).toBe(
      `${ANSWER}; server_max_window_bits=12`,
    );
  });

  test('that limits our window to less is declined', () => {
    for (const bits of [8, 9, 10, 11]) expect(answerTo(`; server_max_window_bits=${bits}`), `${bits}`).toBeUndefined();
  });

  test.each(['7', '16', '0', '08', '012', '1e1', '-9', '+9', '9.0', 'a', '100'])(
    'that limits a window to "%s" bits is declined',
    (bits) => {
      expect(answerTo(`; client_max_window_bits=${bits}`)).toBeUndefined();
      expect(answerTo(`; server_max_window_bits=${bits}`)).toBeUndefined();
    },
  );

  test('that limits our window and does not say to what is declined', () => {
    expect(answerTo('; server_max_window_bits')).toBeUndefined();
  });

  test('that gives a value to a parameter which has none is declined', () => {
    for (const side of ['server', 'client'])
      for (const value of ['1', 'true', '10'])
        expect(answerTo(`; ${side}_no_context_takeover=${value}`)).toBeUndefined();
  });

  test.each(['server_no_context_takeover', 'client_no_context_takeover', 'client_max_window_bits'])(
    'that has %s twice is declined',
    (name) => {
      expect(answerTo(`; ${name}; ${name}`)).toBeUndefined();
    },
  );

  test('that has a window twice is declined, also when both are the same', () => {
    expect(answerTo('; server_max_window_bits=12; server_max_window_bits=12')).toBeUndefined();
    expect(answerTo('; client_max_window_bits=12; client_max_window_bits')).toBeUndefined();
  });

  test('that has an unknown parameter is declined', () => {
    for (const name of ['foo', 'foo=1', 'no_context_takeover', 'toString', 'x-webkit'])
      expect(answerTo(`; ${name}`), name).toBeUndefined();
  });
});

describe('several offers (RFC 7692 5)', () => {
  test('the first that can be met is answered', () => {
    expect(answerToHeader('permessage-deflate; server_max_window_bits=10, permessage-deflate')).toBe(ANSWER);
    expect(answerToHeader('permessage-deflate, permessage-deflate; server_max_window_bits=12')).toBe(ANSWER);
    expect(
      answerToHeader('permessage-deflate; foo, permessage-deflate; server_max_window_bits=13, permessage-deflate'),
    ).toBe(`${ANSWER}; server_max_window_bits=12`);
  });

  test('other extensions are passed over', () => {
    expect(answerToHeader('mux; max-channels=4, permessage-deflate, deflate-frame')).toBe(ANSWER);
    expect(answerToHeader('x-webkit-deflate-frame, permessage-bzip2; server_no_context_takeover')).toBeUndefined();
    expect(negotiateDeflate([])).toBeUndefined();
  });
});
