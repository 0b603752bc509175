import { type Edge, startEdge } from '../../../../../nginx/test/edge.ts';
import { type Gateway, startGateway } from '../../support/gateway.ts';

/** How a client comes to a node. */
export const WAYS = ['straight', 'through NGINX'] as const;
export type Way = (typeof WAYS)[number];

/** Has a node send its clients away after a second or two. Ages are looked at with each heartbeat. */
export const RESTLESS = {
  FANFARE_MAX_CONNECTION_AGE: '2',
  FANFARE_HEARTBEAT_INTERVAL: '1',
  FANFARE_HEARTBEAT_TIMEOUT: '0.9',
} as const;

/** A node, and an NGINX in front of it. */
export class Ways {
  readonly gateway: Gateway;
  readonly #edge: Edge;

  private constructor(gateway: Gateway, edge: Edge) {
    this.gateway = gateway;
    this.#edge = edge;
  }

  static async start(env: Record<string, string> = {}): Promise<Ways> {
    const gateway = await startGateway(env);
    try {
      return new Ways(gateway, await startEdge([gateway.port]));
    } catch (error) {
      await gateway.kill();
      throw error;
    }
  }

  url(way: Way): string {
    return way === 'straight' ? this.gateway.url : this.#edge.url;
  }

  async stop(): Promise<void> {
    await this.#edge.stop();
    await this.gateway.kill();
  }
}

/** A channel for one test. */
export const channelOf = (what: string, client: string, way: Way): string =>
  [what, client, way].map((part) => part.replaceAll(/\W/g, '')).join(':');
