import type { Redis } from 'ioredis';

/** A user of Redis with the rights that a node needs, and no others. README.md lists the same. */
export const USER = { name: 'fanfare', password: 'p@ss/word' } as const;

/** What every node needs. */
export const RIGHTS = [
  '~fanfare:*',
  ...['+info', '+eval', '+evalsha', '+multi', '+exec', '+time', '+get', '+set', '+exists', '+del'],
  ...['+copy', '+rename', '+pexpireat', '+hset', '+hmget'],
  ...['+xadd', '+xdel', '+xtrim', '+xread', '+xrange', '+xrevrange', '+xinfo|stream'],
];

/** Besides, on a Redis Cluster; the last for tails that read replicas. */
export const CLUSTER_RIGHTS = ['+cluster|slots', '+asking', '+readonly'];

/** How that user stands in a URL. */
export const ACCOUNT = `${USER.name}:${encodeURIComponent(USER.password)}@`;

/** Makes that user, or gives it other rights. */
export async function setUser(client: Redis, rights: readonly string[]): Promise<void> {
  await client.acl('SETUSER', USER.name, 'reset', 'on', `>${USER.password}`, ...rights);
}
