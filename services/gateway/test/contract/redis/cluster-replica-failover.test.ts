import { failoverContract } from './failover.contract.ts';
import { PARTITIONS, startFailoverCluster } from './failover-cluster.ts';

failoverContract('in a Redis Cluster, tailed on its replicas', startFailoverCluster, {
  partitions: PARTITIONS,
  tailFrom: 'replica',
});
