import type { Browser } from 'playwright-core';
import { type Gateway, startGateway } from '../../support/gateway.ts';
import { nowSeconds, publishSecret, secretSigner } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { ConsolePage, launchChromium, type Transport } from '../console/chromium.ts';

const HASH = '#channel=orders&transport=sse&transport=websocket';

/** A browser, and a node with FANFARE_AUTH=jwt whose console it opens. */
export class ConsoleScene {
  readonly signer = secretSigner();
  /** May publish everywhere, and disconnect. */
  readonly key = publishSecret();
  readonly env = {
    FANFARE_AUTH: 'jwt',
    FANFARE_CONSOLE: 'on',
    FANFARE_JWT_SECRET: this.signer.secret,
    FANFARE_PUBLISH_KEYS: JSON.stringify([
      { name: 'shop', sha256: this.key.sha256, channels: ['*'], disconnect: true },
    ]),
  };
  readonly #pages: ConsolePage[] = [];
  #browser: Browser | undefined;
  #gateway: Gateway | undefined;

  async start(): Promise<void> {
    [this.#browser, this.#gateway] = await Promise.all([launchChromium(), startGateway(this.env)]);
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
    await this.#gateway?.kill();
  }

  async closePages(): Promise<void> {
    for (const page of this.#pages.splice(0)) await page.close();
  }

  /** A page that would listen to `orders` by both transports, if it may. Of this node unless another one is named. */
  async open({ hash = HASH, url = this.#url }: { hash?: string; url?: string } = {}): Promise<ConsolePage> {
    if (this.#browser === undefined) throw new Error('the scene has not been started');
    const page = await ConsolePage.open(this.#browser, url, hash);
    this.#pages.push(page);
    return page;
  }

  /** One that does, with a token of its own that may not publish. */
  async listening(claims: Readonly<Record<string, unknown>> = {}): Promise<ConsolePage> {
    const page = await this.open();
    await page.give('token', await this.signer.sign({ publish: [], ...claims }));
    await page.untilState('live');
    return page;
  }

  /** A token that ends in so many seconds. */
  brief(seconds: number): Promise<string> {
    return this.signer.sign({ exp: nowSeconds() + seconds });
  }

  /** A request with the key. */
  ask(path: string, body: object): Promise<Response> {
    return fetch(this.#url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.key.secret}` },
      body: JSON.stringify(body),
    });
  }

  /** Publishes with the key; the id. */
  async publish(data: unknown, channel = 'orders'): Promise<string> {
    const answer = await this.ask(`/v1/channels/${channel}/messages`, { data });
    if (!answer.ok) throw new Error(`publish: ${answer.status} ${await answer.text()}`);
    return ((await answer.json()) as { id: string }).id;
  }

  get #url(): string {
    if (this.#gateway === undefined) throw new Error('the scene has not been started');
    return this.#gateway.url;
  }
}

/** Waits until the sentence under a transport's name holds `text`. */
export async function untilSaid(page: ConsolePage, transport: Transport, text: string): Promise<void> {
  await until(
    async () => ((await page.text(`${transport}-sentence`)) ?? '').includes(text),
    `${transport} to say "${text}"`,
  );
}
