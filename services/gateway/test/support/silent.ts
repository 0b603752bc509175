import type { Logger } from '../../src/logger.ts';
import type { LogOperation, Metrics } from '../../src/metrics/metrics.ts';

/** A logger that keeps what is said, level first. */
export function silentLogger(said: string[] = []): Logger {
  const keep = (level: string) => (_fields: object, message: string) => {
    said.push(`${level}: ${message}`);
  };
  return { debug: keep('debug'), info: keep('info'), warn: keep('warn'), error: keep('error') };
}

/** Metrics that count the errors of a log. */
export function silentMetrics(errors = new Map<LogOperation, number>()): Metrics {
  const ignore = () => {};
  return {
    connectionOpened: ignore,
    connectionClosed: ignore,
    connectionRefused: ignore,
    heartbeatsSent: ignore,
    heartbeatFailed: ignore,
    delivered: ignore,
    deliveryLag: ignore,
    published: ignore,
    publishDuration: ignore,
    resumed: ignore,
    gap: ignore,
    slowConsumer: ignore,
    tailLag: ignore,
    logError: (operation) => errors.set(operation, (errors.get(operation) ?? 0) + 1),
  };
}
