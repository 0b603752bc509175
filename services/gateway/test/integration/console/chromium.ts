import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { until } from '../../support/until.ts';

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Starts the machine's own Chromium, without a window. `CHROMIUM` names another one. `args`: more for its command line. */
export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch(optionsWith(args));
}

/**
 * The same, as people have it who let sites have cookies within the pages of others; by itself it would not send them from a test's pages.
 * `folder`: an empty one for its profile.
 */
export async function launchPermissiveChromium(folder: string, args: readonly string[] = []): Promise<Browser> {
  await mkdir(join(folder, 'Default'), { recursive: true });
  const preferences = { profile: { cookie_controls_mode: 0 } };
  await writeFile(join(folder, 'Default', 'Preferences'), JSON.stringify(preferences));
  const browser = (await chromium.launchPersistentContext(folder, optionsWith(args))).browser();
  if (browser === null) throw new Error('Chromium has a profile and no browser');
  return browser;
}

function optionsWith(args: readonly string[]): { executablePath: string; args: string[] } {
  const executablePath = process.env.CHROMIUM ?? PLACES.find((place) => existsSync(place));
  if (executablePath === undefined)
    throw new Error(
      'these tests need Chromium: install it (Debian: apt install chromium), or set CHROMIUM to its path',
    );
  return {
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      ...args,
    ],
  };
}

export type Transport = 'sse' | 'websocket';

export const BOTH: readonly Transport[] = ['sse', 'websocket'];

/** The console in a browser, as its hooks (`data-testid`) show it. */
export class ConsolePage {
  readonly page: Page;
  /** What the browser complained about: errors and warnings of its console, exceptions, breaches of the CSP. */
  readonly complaints: string[] = [];

  private constructor(page: Page) {
    this.page = page;
  }

  /** Opens the console in a browser context of its own. `hash` is the page's choice, such as `#channel=a&transport=sse`. */
  static async open(browser: Browser, url: string, hash = ''): Promise<ConsolePage> {
    const context = await browser.newContext();
    const opened = new ConsolePage(await context.newPage());
    opened.page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) opened.complaints.push(message.text());
    });
    opened.page.on('pageerror', (error) => opened.complaints.push(String(error)));
    await opened.page.exposeFunction('complain', (text: string) => void opened.complaints.push(text));
    await opened.page.addInitScript(
      `addEventListener('securitypolicyviolation', (event) => complain('CSP: ' + event.violatedDirective));`,
    );
    await opened.page.goto(`${url}/${hash}`);
    return opened;
  }

  hook(name: string) {
    return this.page.getByTestId(name);
  }

  text(name: string): Promise<string | null> {
    return this.hook(name).textContent();
  }

  /** A counter's value, without the commas that are for people. */
  async count(transport: Transport, name: 'received' | 'gaps' | 'duplicates'): Promise<number> {
    return Number(await this.hook(`${transport}-${name}`).getAttribute('data-value'));
  }

  async untilState(state: string): Promise<void> {
    for (const transport of BOTH)
      await until(async () => (await this.text(`${transport}-state`)) === state, `${transport} to be ${state}`);
  }

  /** Rows of one transport, of one kind: `message`, `gap`, `caught-up`, `bye`. */
  rows(transport: Transport, kind: string) {
    return this.page.locator(`[data-testid="${kind}"][data-transport="${transport}"]`);
  }

  message(transport: Transport, id: string) {
    return this.page.locator(`[data-testid="message"][data-transport="${transport}"][data-id="${id}"]`);
  }

  /** Adds a channel as a user does, and connects both transports. */
  async listenTo(channel: string): Promise<void> {
    await this.hook('channel-input').fill(channel);
    await this.hook('channel-add').click();
    for (const transport of BOTH) await this.hook(`${transport}-toggle`).click();
    await this.untilState('live');
  }

  /** Enters a token to listen with, or a key to publish with; it counts from then on. */
  async give(field: 'token' | 'key', secret: string): Promise<void> {
    // Not by a click, which would fold what the page has just unfolded.
    await this.page.evaluate(`document.querySelector('[data-part="credentials"]').open = true`);
    await this.hook(field).fill(secret);
    await this.hook(field).press('Enter');
  }

  /** Publishes with the page's form; the answer's status and text. */
  async publish(fields: { channel?: string; event?: string; data: string }): Promise<{ status: string; text: string }> {
    if (fields.channel !== undefined) await this.hook('publish-channel').fill(fields.channel);
    await this.hook('publish-event').fill(fields.event ?? '');
    await this.hook('publish-data').fill(fields.data);
    const before = await this.hook('publish-result').getAttribute('data-number');
    await this.hook('publish-submit').click();
    await until(
      async () => (await this.hook('publish-result').getAttribute('data-number')) !== before,
      'the answer to a publish',
    );
    return {
      status: (await this.hook('publish-result').getAttribute('data-status')) ?? '',
      text: (await this.text('publish-result')) ?? '',
    };
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
