import { STATUS_CODES } from 'node:http';
import { describe, expect, test } from 'vitest';
import { CLOSES, ERRORS, type ErrorCode, FanfareError } from '../../src/errors.ts';
import { isCloseCode } from '../../src/wire/websocket/close-code.ts';

describe('the error codes', () => {
  test.each(Object.entries(ERRORS))('%s has an error status and a title of its own', (code, { status, title }) => {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(STATUS_CODES[status]).toBeDefined();
    expect(Object.values(ERRORS).filter((other) => other.title === title)).toHaveLength(1);
  });

  test('what passes by itself says when, and nothing else does', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const { kind } = new FanfareError(code, '');
      expect(kind.retryAfterSeconds !== undefined, code).toBe(kind.status === 503 || kind.status === 429);
      if (kind.retryAfterSeconds !== undefined) expect(kind.retryAfterSeconds).toBeGreaterThanOrEqual(1);
    }
  });

  test('an error carries its code, its kind and its cause', () => {
    const cause = new Error('ECONNREFUSED');
    const error = new FanfareError('log_unavailable', 'the log is away', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'FanfareError', code: 'log_unavailable', message: 'the log is away', cause });
    expect(error.kind).toBe(ERRORS.log_unavailable);
  });
});

describe('the close codes', () => {
  test.each(Object.entries(CLOSES))('%s is one that a close frame may hold', (reason, { code }) => {
    expect(reason).toMatch(/^[a-z0-9]+(_[a-z0-9]+)*$/);
    expect(isCloseCode(code)).toBe(true);
  });

  test('are those of the contract', () => {
    expect(CLOSES).toMatchObject({
      protocol_error: { code: 1002, comeBack: false },
      unsupported_data: { code: 1003, comeBack: false },
      invalid_payload: { code: 1007, comeBack: false },
      too_large: { code: 1009, comeBack: false },
      internal: { code: 1011 },
      draining: { code: 1012, comeBack: true },
      too_slow: { code: 4408, comeBack: true },
      missed_pong: { code: 4409, comeBack: true },
    });
  });
});
