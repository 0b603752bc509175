import { describe, expect, test } from 'vitest';
import { corsHeaders, isPreflight, preflightHeaders } from '../../../src/http/cors.ts';

const ORIGIN = 'https://a.example';

describe('the answer to a request', () => {
  test('names a listed origin and takes credentials from it', () => {
    expect(corsHeaders('allowed', ORIGIN)).toEqual({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'Idempotent-Replayed, Retry-After',
      vary: 'Origin',
    });
  });

  test('is open to anyone, without credentials, where everyone may', () => {
    expect(corsHeaders('any', ORIGIN)).toEqual({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'Idempotent-Replayed, Retry-After',
      vary: 'Origin',
    });
  });

  test.each(['none', 'same', 'refused'] as const)('allows nothing to %s, and says that it depends', (judgement) => {
    expect(corsHeaders(judgement, judgement === 'none' ? undefined : ORIGIN)).toEqual({ vary: 'Origin' });
  });
});

describe('the answer to a preflight', () => {
  test('permits a listed origin what the API takes', () => {
    expect(preflightHeaders('allowed', ORIGIN)).toEqual({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, HEAD, POST',
      'access-control-allow-headers': 'authorization, content-type, idempotency-key, last-event-id, cache-control',
      'access-control-max-age': '7200',
      vary: 'Origin',
    });
  });

  test('permits anyone the same without credentials, where everyone may', () => {
    const headers = preflightHeaders('any', ORIGIN);
    expect(headers['access-control-allow-origin']).toBe('*');
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
    expect(headers['access-control-allow-headers']).toContain('authorization');
  });

  test.each(['none', 'same', 'refused'] as const)('permits nothing to %s', (judgement) => {
    expect(preflightHeaders(judgement, ORIGIN)).toEqual({ vary: 'Origin' });
  });
});

describe('a preflight', () => {
  const headers = { origin: ORIGIN, 'access-control-request-method': 'POST' };

  test('is OPTIONS with an origin and the method that is to come', () => {
    expect(isPreflight({ method: 'OPTIONS', headers })).toBe(true);
  });

  test('is nothing less', () => {
    expect(isPreflight({ method: 'GET', headers })).toBe(false);
    expect(isPreflight({ method: 'OPTIONS', headers: { origin: ORIGIN } })).toBe(false);
    expect(isPreflight({ method: 'OPTIONS', headers: { 'access-control-request-method': 'POST' } })).toBe(false);
  });
});
