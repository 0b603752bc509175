import { defineConfig } from 'vitest/config';

const gateway = 'services/gateway/test';

/** One project a tier: `unit` needs nothing but Node; the others need what ARCHITECTURE.md names. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [`${gateway}/unit/**/*.test.ts`, 'services/console/test/*.test.js', 'infra/test/unit/**/*.test.ts'],
          // Generated tests run thousands of cases, also on a machine that does other things meanwhile.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'contract',
          include: [`${gateway}/contract/**/*.test.ts`],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: [`${gateway}/integration/**/*.test.ts`, 'nginx/test/**/*.test.ts'],
          // Each file runs nodes, servers or a browser of its own: more at once only wait for each other.
          maxWorkers: 2,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'cluster',
          include: [`${gateway}/cluster/**/*.test.ts`, 'infra/test/cluster/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'faults',
          include: [`${gateway}/faults/**/*.test.ts`],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
