import type { RedisAddress } from '../../redis-address.ts';
import { ClusterConnections } from './cluster/cluster-connections.ts';
import { ClusterMap } from './cluster/cluster-map.ts';
import { CommandConnection, type Commands, type ConnectionSettings, leaveFor } from './connection.ts';
import { endpointAt, endpointOf, type Locator } from './endpoint.ts';
import { SentinelReplicas } from './sentinel/sentinel-replicas.ts';
import { SentinelWatch } from './sentinel/sentinel-watch.ts';

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

/** What runs at the address: one Redis, Sentinels and what they watch, or a Cluster. Connects when it is asked for connections. */
export function createDeployment(address: RedisAddress, settings: ConnectionSettings, partitions: number): Deployment {
  if (address.mode === 'cluster') return cluster(address, settings, partitions);
  return address.mode === 'sentinel' ? sentinels(address, settings) : oneMaster(address, settings);
}

function oneMaster(address: RedisAddress, settings: ConnectionSettings): Deployment {
  const endpoint = endpointOf(address);
  return {
    commands(purpose, timeoutMs, opened) {
      const connection = new CommandConnection(settings, endpoint, purpose, timeoutMs);
      opened?.(connection);
      return connection;
    },
    locate: async () => ({ endpoint, asking: false, replica: false, readonly: false }),
    close: async () => {},
  };
}

function sentinels(address: RedisAddress, settings: ConnectionSettings): Deployment {
  const endpoint = endpointOf(address);
  const replicas = new SentinelReplicas(address, settings);
  const watch = new SentinelWatch(address, settings);
  const master = { endpoint, asking: false, replica: false, readonly: false };
  return {
    commands(purpose, timeoutMs, opened) {
      const connection = new CommandConnection(settings, endpoint, purpose, timeoutMs);
      watch.watch((by) => leaveFor(by, connection.redis, true));
      opened?.(connection);
      return connection;
    },
    async locate(_partition, _failure, from) {
      const replica = from === 'replica' ? await replicas.find() : undefined;
      if (replica !== undefined) return { ...master, endpoint: endpointAt(replica, address), replica: true };
      return { ...master, watch: (replaced) => watch.watch(replaced) };
    },
    async close() {
      replicas.close();
      await watch.close();
    },
  };
}

function cluster(address: RedisAddress, settings: ConnectionSettings, partitions: number): Deployment {
  const map = new ClusterMap(address, settings, partitions);
  return {
    commands: (purpose, timeoutMs, opened = () => {}) =>
      new ClusterConnections(map, settings, partitions, purpose, timeoutMs, opened),
    locate: (partition, failure, from) => map.locate(partition, failure, from),
    close: () => map.close(),
  };
}
