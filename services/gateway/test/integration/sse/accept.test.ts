import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, metric, startGateway } from '../../support/gateway.ts';
import { exchange, expectProblem } from '../../support/http-exchange.ts';
import { SseClient } from '../../support/sse-client.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway?.kill());

const PATH = '/v1/sse?channel=a';

test.for([
  ['text/event-stream'],
  ['Text/Event-Stream'],
  ['text/event-stream; charset=utf-8'],
  ['*/*'],
  ['text/*'],
  ['application/json, text/event-stream;q=0.1'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'],
  ['text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2'],
  ['nonsense'],
  [''],
  [undefined],
])('a client gets a stream whose Accept is %j', async ([accept]) => {
  const headers = accept === undefined ? {} : { accept };
  const client = await new SseClient(gateway.url + PATH, headers).open();
  expect([client.status, client.headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
  expect(client.text).toContain(': fanfare\n');
  client.close();
});

test.for([
  ['text/html'],
  ['application/json'],
  ['application/*'],
  ['text/event-stream;q=0'],
  ['*/*, text/event-stream;q=0'],
  ['text/event-stream;q=0.0, text/*'],
  ['text/html, application/json;q=0.9, image/*'],
  ['text/event-streams'],
])('a client is told what there is whose Accept excludes it: %j', async ([accept]) => {
  const ofHead = await exchange(gateway.url, PATH, { method: 'HEAD', headers: { accept: accept ?? '' } });
  expect([ofHead.status, ofHead.text]).toEqual([406, '']);
  const answer = await exchange(gateway.url, PATH, { headers: { accept: accept ?? '' } });
  expect(expectProblem(answer, 'not_acceptable')).toContain('text/event-stream');
});

test('several Accept headers are one list', async () => {
  const accepting = (accept: string[]) => exchange(gateway.url, PATH, { method: 'HEAD', headers: { accept } });
  expect((await accepting(['text/html', 'text/event-stream'])).status).toBe(200);
  expect((await accepting(['text/html', 'application/json'])).status).toBe(406);
});

test('what a client accepts matters for streams only, and its refusal is counted', async () => {
  const refused = () => metric(gateway, 'fanfare_connections_refused_total', 'reason="not_acceptable"');
  const before = await refused();
  const headers = { accept: 'text/html' };
  await exchange(gateway.url, PATH, { headers });
  expect((await exchange(gateway.url, '/v1/channels/a/messages', { headers })).status).toBe(200);
  expect((await refused()) - before).toBe(1);
});
