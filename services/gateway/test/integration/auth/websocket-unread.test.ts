import { deflateRawSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { JwksServer } from '../../support/jwks-server.ts';
import { CLOSE, clientFrame, RawWebSocket, TEXT } from '../../support/raw-websocket.ts';
import { watchNodes } from '../../support/secrets.ts';
import { keyPairSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';

const nodes = watchNodes();
const DEFLATE = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
const RSV1 = 0x40;

/** A text message, compressed (RFC 7692, 7.2.1). */
function compressed(text: string): Buffer {
  return clientFrame(TEXT, deflateRawSync(text, { finishFlush: 2 }).subarray(0, -4), { reserved: RSV1 });
}

test('what a client sends while its token is being checked is kept up to a limit, however well it is compressed', async () => {
  const signer = keyPairSigner('ES256');
  const server = await JwksServer.start([signer.jwk]);
  onTestFinished(() => server.stop());
  const gateway = await nodes.startGateway({
    FANFARE_AUTH: 'jwt',
    FANFARE_JWT_JWKS_URL: server.url,
    FANFARE_MAX_BACKLOG_BYTES: '65536',
  });
  await until(() => server.reads === 1, 'the keys to be read');
  server.slowDown();
  const auth = compressed(JSON.stringify({ type: 'auth', token: await keyPairSigner('ES256').sign() }));
  const ping = (length: number): Buffer => compressed(JSON.stringify({ type: 'ping', ref: 1, x: 'x'.repeat(length) }));

  const greedy = new RawWebSocket(gateway.port, '/v1/ws', Buffer.concat([auth, ping(40_000), ping(40_000)]), DEFLATE);
  const [farewell] = await greedy.hear(CLOSE);
  expect(farewell?.payload.readUInt16BE()).toBe(1008);
  const modest = new RawWebSocket(gateway.port, '/v1/ws', Buffer.concat([auth, ping(40_000)]), DEFLATE);
  await until(() => server.waiting > 0, 'the unknown key to be looked for');
  server.hurry();
  const [refusal] = await modest.hear(CLOSE);
  expect(refusal?.payload.readUInt16BE()).toBe(4401);
});
