import { onTestFailed, onTestFinished } from 'vitest';
import { type Cluster, type ClusterOptions, startCluster } from '../../../../infra/cluster/cluster.ts';

/** Lines of a cluster that a failed test shows. */
const LAST_LINES = 80;

/**
 * Starts a cluster for one test: it ends with the test, and shows its last words when the test fails. `onLine` of the options gets every line
 * besides.
 */
export async function startTestCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const lines: string[] = [];
  // NGINX writes a line for each request; its own words are few, and not JSON.
  const onLine = (name: string, line: string): void => {
    options.onLine?.(name, line);
    if (name === 'nginx' && line.startsWith('{')) return;
    lines.push(`${name} | ${line}`);
  };
  onTestFailed(() => {
    process.stderr.write(`the cluster's last lines:\n${lines.slice(-LAST_LINES).join('\n')}\n`);
  });
  const cluster = await startCluster({ ...options, onLine });
  onTestFinished(() => cluster.abandon());
  return cluster;
}

/** The node of that name. */
export function nodeOf(cluster: Cluster, name: string): Cluster['nodes'][number] {
  const node = cluster.nodes.find((candidate) => candidate.name === name);
  if (node === undefined) throw new Error(`there is no node called ${name}`);
  return node;
}
