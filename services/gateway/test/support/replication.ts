import type { TestRedis } from './redis.ts';
import { until } from './until.ts';

/** From now on what this Redis takes comes to no replica, until it is started again. */
export async function cutReplication({ client }: Pick<TestRedis, 'client'>): Promise<void> {
  // Replicas come as the default user.
  await client.acl('SETUSER', 'default', '-psync', '-sync');
  await client.call('CLIENT', 'KILL', 'TYPE', 'replica');
  await until(async () => {
    const info = await client.info('replication');
    return !info.includes('state=online');
  }, 'the replicas to be cut off');
}
