import { beforeEach, describe, expect, test } from 'vitest';
import { PrometheusMetrics } from '../../../src/metrics/prometheus.ts';
import { METRIC_TYPES } from '../../support/metric-types.ts';

let metrics: PrometheusMetrics;

beforeEach(() => {
  metrics = new PrometheusMetrics({ version: '1.2.3', node: 'node-1' });
  metrics.read({ subscriptions: () => 7, channels: () => 3 });
});

/** The value of one series, written as it stands on the exposition; undefined when there is none. */
async function value(series: string): Promise<number | undefined> {
  const { body } = await metrics.exposition();
  const line = body.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

async function types(): Promise<Map<string, string>> {
  const { body } = await metrics.exposition();
  return new Map([...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]));
}

describe('the exposition', () => {
  test('has every metric of the contract', async () => {
    const own = [...(await types())].filter(([name]) => name.startsWith('fanfare_'));
    expect(Object.fromEntries(own)).toEqual(METRIC_TYPES);
  });

  test("has the runtime's own metrics too, and the content type of Prometheus text", async () => {
    const names = [...(await types()).keys()];
    expect(names).toContain('process_cpu_seconds_total');
    expect(names).toContain('nodejs_eventloop_lag_seconds');
    expect((await metrics.exposition()).contentType).toMatch(/^text\/plain; version=0\.0\.4/);
  });

  test('begins with zeros, so that a first event is a rate', async () => {
    expect(await value('fanfare_connections{transport="sse"}')).toBe(0);
    expect(await value('fanfare_connections{transport="websocket"}')).toBe(0);
    expect(await value('fanfare_heartbeat_failures_total{transport="websocket",reason="missed_pong"}')).toBe(0);
    expect(await value('fanfare_heartbeat_failures_total{transport="sse",reason="write_stalled"}')).toBe(0);
    expect(await value('fanfare_heartbeat_failures_total{transport="sse",reason="missed_pong"}')).toBeUndefined();
  });

  test('tells what runs', async () => {
    const labels = `version="1.2.3",node="node-1",runtime="${process.version}"`;
    expect(await value(`fanfare_build_info{${labels}}`)).toBe(1);
  });

  test('reads the figures that others keep when it is asked', async () => {
    let subscriptions = 1;
    metrics = new PrometheusMetrics({ version: '1.2.3', node: 'node-1' });
    metrics.read({ subscriptions: () => subscriptions, channels: () => 3 });
    expect(await value('fanfare_subscriptions')).toBe(1);
    subscriptions = 9;
    expect(await value('fanfare_subscriptions')).toBe(9);
    expect(await value('fanfare_channels')).toBe(3);
  });

  test('of two nodes in one process are two', async () => {
    const other = new PrometheusMetrics({ version: '1.2.3', node: 'node-2' });
    other.gap('trimmed');
    expect(await value('fanfare_gaps_total{reason="trimmed"}')).toBeUndefined();
  });
});

describe('an event of the domain', () => {
  test('a connection that opens and closes', async () => {
    metrics.connectionOpened('sse');
    metrics.connectionOpened('sse');
    metrics.connectionClosed('sse', 'client_gone');
    metrics.connectionRefused('full');
    expect(await value('fanfare_connections{transport="sse"}')).toBe(1);
    expect(await value('fanfare_connections_opened_total{transport="sse"}')).toBe(2);
    expect(await value('fanfare_connections_closed_total{transport="sse",reason="client_gone"}')).toBe(1);
    expect(await value('fanfare_connections_refused_total{reason="full"}')).toBe(1);
  });

  test('heartbeats, and those that found nobody', async () => {
    metrics.heartbeatsSent('websocket', 5);
    metrics.heartbeatsSent('websocket', 2);
    metrics.heartbeatFailed('websocket', 'missed_pong');
    expect(await value('fanfare_heartbeats_sent_total{transport="websocket"}')).toBe(7);
    expect(await value('fanfare_heartbeat_failures_total{transport="websocket",reason="missed_pong"}')).toBe(1);
  });

  test('deliveries over each transport', async () => {
    for (const transport of ['sse', 'websocket', 'http'] as const) {
      metrics.delivered(transport, 3, 100);
      metrics.delivered(transport, 1, 10);
      expect(await value(`fanfare_deliveries_total{transport="${transport}"}`)).toBe(4);
      expect(await value(`fanfare_delivered_bytes_total{transport="${transport}"}`)).toBe(110);
    }
  });

  test('publishes, resumes, gaps, slow consumers and errors of the log', async () => {
    metrics.published('accepted');
    metrics.resumed('redis', 'gap');
    metrics.gap('trimmed');
    metrics.slowConsumer('sse');
    metrics.logError('tail');
    expect(await value('fanfare_messages_published_total{result="accepted"}')).toBe(1);
    expect(await value('fanfare_resumes_total{source="redis",outcome="gap"}')).toBe(1);
    expect(await value('fanfare_gaps_total{reason="trimmed"}')).toBe(1);
    expect(await value('fanfare_slow_consumers_total{transport="sse"}')).toBe(1);
    expect(await value('fanfare_log_errors_total{operation="tail"}')).toBe(1);
  });

  test('times, which clocks that differ never make negative', async () => {
    metrics.publishDuration(0.002);
    metrics.deliveryLag(-5);
    metrics.tailLag(-5);
    expect(await value('fanfare_publish_duration_seconds_bucket{le="0.0025"}')).toBe(1);
    expect(await value('fanfare_publish_duration_seconds_bucket{le="0.001"}')).toBe(0);
    expect(await value('fanfare_delivery_lag_seconds_sum')).toBe(0);
    expect(await value('fanfare_delivery_lag_seconds_count')).toBe(1);
    expect(await value('fanfare_log_tail_lag_seconds')).toBe(0);
    metrics.tailLag(1.5);
    expect(await value('fanfare_log_tail_lag_seconds')).toBe(1.5);
  });
});
