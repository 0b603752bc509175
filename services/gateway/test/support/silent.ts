import type { Logger } from '../../src/logger.ts';
import type { Metrics } from '../../src/metrics/metrics.ts';

/** A logger that says nothing. */
export const noLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Metrics that count nothing. */
export const noMetrics: Metrics = {
  connectionOpened() {},
  connectionClosed() {},
  connectionRefused() {},
  heartbeatsSent() {},
  heartbeatFailed() {},
  delivered() {},
  deliveryLag() {},
  published() {},
  publishDuration() {},
  resumed() {},
  gap() {},
  slowConsumer() {},
  tailLag() {},
  logError() {},
};
