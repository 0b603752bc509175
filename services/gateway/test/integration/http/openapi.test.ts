import { afterAll, beforeAll, expect, test } from 'vitest';
import { ERRORS } from '../../../src/errors.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/http-exchange.ts';

interface OpenApi {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, { operationId?: string; responses?: object }>>;
  readonly components: { readonly schemas: Record<string, { enum?: string[] }> };
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
    '/v1/messages',
    '/v1/sse',
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
