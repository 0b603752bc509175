import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import {
  type HeartbeatFailure,
  type LogOperation,
  type Metrics,
  type ReplaySource,
  TRANSPORTS,
  type Transport,
} from './metrics.ts';

/** Figures that are read when somebody asks for the metrics. */
export interface Readings {
  subscriptions(): number;
  channels(): number;
}

/** Seconds. From a fraction of a millisecond on one machine to the time-outs. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The domain's events as Prometheus metrics; PROTOCOL.md lists their names. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #connections = this.#gauge('fanfare_connections', 'Open connections', ['transport']);
  readonly #opened = this.#counter('fanfare_connections_opened_total', 'Connections opened', ['transport']);
  readonly #closed = this.#counter('fanfare_connections_closed_total', 'Connections closed', ['transport', 'reason']);
  readonly #refused = this.#counter('fanfare_connections_refused_total', 'Connections refused', ['reason']);
  readonly #heartbeats = this.#counter('fanfare_heartbeats_sent_total', 'Heartbeats sent', ['transport']);
  readonly #heartbeatFailures = this.#counter(
    'fanfare_heartbeat_failures_total',
    'Connections found dead: missed_pong, write_stalled or socket_error',
    ['transport', 'reason'],
  );
  readonly #published = this.#counter('fanfare_messages_published_total', 'Messages published here, by result', [
    'result',
  ]);
  readonly #publishDuration = this.#histogram(
    'fanfare_publish_duration_seconds',
    'Time that an append to the log took',
  );
  readonly #deliveries = this.#counter('fanfare_deliveries_total', 'Messages written to connections', ['transport']);
  readonly #deliveredBytes = this.#counter('fanfare_delivered_bytes_total', 'Bytes of messages written', ['transport']);
  readonly #deliveryLag = this.#histogram(
    'fanfare_delivery_lag_seconds',
    'From append to write, per batch (its oldest message)',
  );
  readonly #resumes = this.#counter('fanfare_resumes_total', 'Clients that came back with a cursor', [
    'source',
    'outcome',
  ]);
  readonly #gaps = this.#counter('fanfare_gaps_total', 'Gaps told to clients', ['reason']);
  readonly #slowConsumers = this.#counter('fanfare_slow_consumers_total', 'Connections closed as too slow', [
    'transport',
  ]);
  readonly #tailLag = this.#gauge(
    'fanfare_log_tail_lag_seconds',
    'From append to arrival at this node, of the newest batch',
    [],
  );
  readonly #logErrors = this.#counter('fanfare_log_errors_total', 'Failed operations on the log', ['operation']);
  // Bound once: a look-up by label per heartbeat or batch would cost more than the count.
  readonly #heartbeatsOf = bind((transport) => this.#heartbeats.labels(transport));
  readonly #deliveriesOf = bind((transport) => this.#deliveries.labels(transport));
  readonly #deliveredBytesOf = bind((transport) => this.#deliveredBytes.labels(transport));

  constructor(build: { version: string; node: string }) {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge('fanfare_build_info', 'Always 1; the labels tell what runs', ['version', 'node', 'runtime'])
      .labels(build.version, build.node, process.version)
      .set(1);
    // So that a rate can be taken from the first event on.
    for (const transport of ['sse', 'websocket'] as const) {
      this.#connections.labels(transport).set(0);
      for (const reason of ['missed_pong', 'write_stalled', 'socket_error'] as const)
        if (transport === 'websocket' || reason !== 'missed_pong')
          this.#heartbeatFailures.labels(transport, reason).inc(0);
    }
  }

  /** Adds the figures that others keep. Call once. */
  read(readings: Readings): void {
    this.#reading('fanfare_subscriptions', 'Channels followed by all connections together', () =>
      readings.subscriptions(),
    );
    this.#reading('fanfare_channels', 'Channels that at least one connection follows live', () => readings.channels());
  }

  /** The exposition text, and its content type. */
  async exposition(): Promise<{ contentType: string; body: string }> {
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  connectionOpened(transport: Transport): void {
    this.#connections.labels(transport).inc();
    this.#opened.labels(transport).inc();
  }

  connectionClosed(transport: Transport, reason: string): void {
    this.#connections.labels(transport).dec();
    this.#closed.labels(transport, reason).inc();
  }

  connectionRefused(reason: string): void {
    this.#refused.labels(reason).inc();
  }

  heartbeatsSent(transport: Transport, count: number): void {
    this.#heartbeatsOf[transport].inc(count);
  }

  heartbeatFailed(transport: Transport, reason: HeartbeatFailure): void {
    this.#heartbeatFailures.labels(transport, reason).inc();
  }

  delivered(transport: Transport, messages: number, bytes: number): void {
    this.#deliveriesOf[transport].inc(messages);
    this.#deliveredBytesOf[transport].inc(bytes);
  }

  deliveryLag(seconds: number): void {
    this.#deliveryLag.observe(Math.max(0, seconds));
  }

  published(result: string): void {
    this.#published.labels(result).inc();
  }

  publishDuration(seconds: number): void {
    this.#publishDuration.observe(seconds);
  }

  resumed(source: ReplaySource, outcome: 'complete' | 'gap'): void {
    this.#resumes.labels(source, outcome).inc();
  }

  gap(reason: string): void {
    this.#gaps.labels(reason).inc();
  }

  slowConsumer(transport: Transport): void {
    this.#slowConsumers.labels(transport).inc();
  }

  tailLag(seconds: number): void {
    this.#tailLag.set(Math.max(0, seconds));
  }

  logError(operation: LogOperation): void {
    this.#logErrors.labels(operation).inc();
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: LATENCY_BUCKETS, registers: [this.#registry] });
  }

  #reading(name: string, help: string, value: () => number): void {
    const collect = function (this: Gauge): void {
      this.set(value());
    };
    this.#registry.registerMetric(new Gauge({ name, help, registers: [], collect }));
  }
}

function bind<T>(of: (transport: Transport) => T): Record<Transport, T> {
  return Object.fromEntries(TRANSPORTS.map((transport) => [transport, of(transport)])) as Record<Transport, T>;
}
