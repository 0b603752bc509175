import { expect } from 'vitest';
import type { Cluster } from '../../../../infra/cluster/cluster.ts';
import type { BrowserPage } from '../support/browser-page.ts';
import { Secrets } from '../support/secrets.ts';
import { until } from '../support/until.ts';

/** All that a cluster writes, and the secrets that may not be in it. */
export class ClusterOutput {
  readonly secrets = new Secrets();
  readonly #lines: string[] = [];

  /** For startTestCluster: gets each line. */
  readonly onLine = (name: string, line: string): void => {
    this.#lines.push(`${name} | ${line}`);
  };

  /** Names a ticket, and the cookie that the page's browser was given for it. */
  async usePage(page: BrowserPage, url: string, ticket: string): Promise<void> {
    this.secrets.use(ticket);
    const cookies = (await page.page.context().cookies(`${url}/v1/`)).filter(({ name }) => name.startsWith('ff_'));
    expect(cookies).toHaveLength(1);
    for (const { value } of cookies) this.secrets.use(value);
  }

  /** Looks through every line so far, NGINX's for all of these paths among them, and through what the nodes count. */
  async expectNone(cluster: Cluster, paths: readonly string[]): Promise<void> {
    await until(() => paths.every((path) => this.#logged(path)), `lines of NGINX for ${paths.join(', ')}`);
    this.secrets.expectNone(this.#lines.join('\n'), 'what the cluster writes');
    for (const { name, adminUrl } of cluster.nodes) {
      const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
      expect(metrics).toContain('fanfare_connections');
      this.secrets.expectNone(metrics, `/metrics of ${name}`);
    }
  }

  #logged(path: string): boolean {
    return this.#lines.some((line) => line.startsWith('nginx') && line.includes(`"path":"${path}"`));
  }
}
