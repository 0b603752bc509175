import { createEmbeddedLog } from '../../src/log/embedded/embedded-log.ts';
import type { Log } from '../../src/log/log.ts';
import { silentLogger, silentMetrics } from '../support/silent.ts';
import { logContract } from './log.contract.ts';

const open: Log[] = [];

logContract('the embedded log', {
  shared: false,
  open(settings) {
    const log = createEmbeddedLog({ ...settings, logger: silentLogger(), metrics: silentMetrics() });
    open.push(log);
    return log;
  },
  async reset() {
    await Promise.all(open.splice(0).map((log) => log.close()));
  },
});
