import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERRORS } from '../../../src/errors.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/http-exchange.ts';
import { secretSigner } from '../../support/tokens.ts';

interface Operation {
  readonly operationId?: string;
  readonly responses?: object;
  readonly security?: readonly Record<string, unknown>[];
}

interface OpenApi {
  readonly openapi: string;
  readonly security: readonly Record<string, unknown>[];
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: {
    readonly schemas: Record<string, { enum?: string[] }>;
    readonly securitySchemes: Record<string, object>;
  };
}

let gateway: Gateway;
let api: OpenApi;
beforeAll(async () => {
  gateway = await startGateway();
  api = (await exchange(gateway.url, '/v1/openapi.json')).json as unknown as OpenApi;
});
afterAll(() => gateway?.kill());

test('the description is served as JSON, to GET and HEAD', async () => {
  const answer = await exchange(gateway.url, '/v1/openapi.json');
  expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json; charset=utf-8']);
  expect(api.openapi).toBe('3.1.0');
  const headOnly = await exchange(gateway.url, '/v1/openapi.json', { method: 'HEAD' });
  expect([headOnly.status, headOnly.text]).toEqual([200, '']);
});

test('every path of the protocol is described', () => {
  expect(Object.keys(api.paths).sort()).toEqual([
    '/v1/channels/{channel}/messages',
    '/v1/disconnect',
    '/v1/messages',
    '/v1/sse',
    '/v1/tickets',
    '/v1/ws',
  ]);
});

test('every described operation exists, and every other method on its path does not', async () => {
  for (const [path, operations] of Object.entries(api.paths))
    for (const method of ['get', 'post', 'put', 'delete', 'patch']) {
      const answer = await exchange(gateway.url, path.replace('{channel}', 'described'), {
        method: method.toUpperCase(),
      });
      const { code } = answer.status === 200 ? { code: 'none' } : answer.json;
      expect(code).not.toBe('not_found');
      expect(code === 'method_not_allowed', `${method} ${path}`).toBe(operations[method] === undefined);
    }
});

test('every reference leads somewhere, and every operation has a name of its own', () => {
  const references = JSON.stringify(api).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g);
  for (const [, name] of references) expect(Object.keys(api.components.schemas)).toContain(name);
  const names = Object.values(api.paths).flatMap((operations) => Object.values(operations).map((o) => o.operationId));
  expect(new Set(names).size).toBe(names.length);
});

test('the error codes are those that are documented', () => {
  expect(api.components.schemas.ErrorCode?.enum?.toSorted()).toEqual(Object.keys(ERRORS).toSorted());
});

test('every way to say who asks is described, and none that is not used', () => {
  const operations = Object.values(api.paths).flatMap((methods) => Object.values(methods));
  const required = [api.security, ...operations.map(({ security = [] }) => security)].flat();
  expect([...new Set(required.flatMap(Object.keys))].sort()).toEqual(
    Object.keys(api.components.securitySchemes).sort(),
  );
});

test('whoever brings nothing to a closed node is answered as described', async () => {
  const closed = await startGateway({ FANFARE_AUTH: 'jwt', FANFARE_JWT_SECRET: secretSigner().secret });
  try {
    const path = '/v1/channels/described/messages';
    const described = '/v1/channels/{channel}/messages';
    for (const [asked, method, where, json] of [
      [path, 'POST', described, { data: 1 }],
      [path, 'GET', described, undefined],
      ['/v1/tickets', 'POST', '/v1/tickets', undefined],
      ['/v1/disconnect', 'POST', '/v1/disconnect', { subject: 'ann' }],
      ['/v1/sse?channel=described', 'GET', '/v1/sse', undefined],
    ] as const) {
      const answer = await exchange(closed.url, asked, {
        method,
        ...(json === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(json) }),
      });
      expect([answer.status, answer.json.code, answer.headers['www-authenticate']], `${method} ${asked}`).toEqual([
        401,
        'unauthenticated',
        'Bearer',
      ]);
      const { responses = {} } = api.paths[where]?.[method.toLowerCase()] ?? {};
      expect(Object.keys(responses), `${method} ${asked}`).toContain('401');
    }
  } finally {
    await closed.kill();
  }
});
