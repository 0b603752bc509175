import type { RedisAddress } from '../../redis-address.ts';
import { ClusterConnections } from './cluster-connections.ts';
import { ClusterMap } from './cluster-map.ts';
import { CommandConnection, type Commands, type ConnectionSettings } from './connection.ts';
import { endpointOf, type Locator } from './endpoint.ts';

/** How connections are made to what runs at an address: one master for all partitions, or several. */
export interface Deployment extends Locator {
  /**
   * Connections for commands of one kind; each takes at most `timeoutMs`. `opened` is called with each connection that is
   * made, now or later.
   */
  commands(purpose: string, timeoutMs: number, opened?: (connection: CommandConnection) => void): Commands;
  /** Lets go of what it needs itself; who asked for connections closes them. */
  close(): Promise<void>;
}

export function createDeployment(address: RedisAddress, settings: ConnectionSettings, partitions: number): Deployment {
  return address.mode === 'cluster' ? cluster(address, settings, partitions) : oneMaster(address, settings);
}

function oneMaster(address: RedisAddress, settings: ConnectionSettings): Deployment {
  const endpoint = endpointOf(address);
  return {
    commands(purpose, timeoutMs, opened) {
      const connection = new CommandConnection(settings, endpoint, purpose, timeoutMs);
      opened?.(connection);
      return connection;
    },
    locate: async () => ({ endpoint, asking: false }),
    close: async () => {},
  };
}

function cluster(address: RedisAddress, settings: ConnectionSettings, partitions: number): Deployment {
  const map = new ClusterMap(address, settings, partitions);
  return {
    commands: (purpose, timeoutMs, opened = () => {}) =>
      new ClusterConnections(map, settings, partitions, purpose, timeoutMs, opened),
    locate: (partition, failure) => map.locate(partition, failure),
    close: () => map.close(),
  };
}
