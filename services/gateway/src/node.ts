import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Config, isLoopback, maxSockets } from './config.ts';
import { FanfareError } from './errors.ts';
import { createGuard, withDisconnects } from './guard.ts';
import { createAdminServer } from './http/admin-server.ts';
import { createPublicServer } from './http/public-server.ts';
import { CatchUp } from './hub/catch-up.ts';
import { Hub } from './hub/hub.ts';
import { Registry } from './hub/registry.ts';
import { setListenerOptions } from './listener-options.ts';
import { createEmbeddedLog } from './log/embedded/embedded-log.ts';
import type { Log } from './log/log.ts';
import { Publisher } from './log/publisher.ts';
import { createRedisLog } from './log/redis/redis-log.ts';
import type { Logger } from './logger.ts';
import { PrometheusMetrics } from './metrics/prometheus.ts';
import { TrustedProxies } from './request/client-address.ts';
import { Origins } from './request/origins.ts';
import { OwnNames } from './request/rebinding.ts';
import { AddressLimit } from './transports/address-limit.ts';
import { Admission } from './transports/admission.ts';
import { SseEndpoint } from './transports/sse/sse-endpoint.ts';
import { RateLimit } from './transports/websocket/rate-limit.ts';
import { WebSocketEndpoint } from './transports/websocket/websocket-endpoint.ts';

const CONSOLE_FOLDER = fileURLToPath(new URL('../../console/public', import.meta.url));
/** How long the public port stays shut while the log is being read. */
const QUIET_START_MILLISECONDS = 2000;
/** How long requests that are under way when everyone has left have to be answered. */
const FAREWELL_MILLISECONDS = 2000;

/** What may stand around the data of one message that a client publishes over its WebSocket. */
const ENVELOPE_BYTES = 4096;
/** How long a WebSocket client may go beyond its rate, if it was quiet before. */
const BURST_SECONDS = 10;

/** A running node. */
export interface FanfareNode {
  /** Where it listens. */
  readonly port: number;
  readonly adminPort: number;
  /** Resolves when the log has been read and the node takes connections. */
  readonly ready: Promise<void>;
  /** Sends everyone away, spread over the configured time, and lets go of everything. Idempotent. */
  stop(): Promise<void>;
  /** Cuts a drain short. */
  hurry(): void;
}

/**
 * Puts a node together and starts it: the admin port, so that it can be watched; the log; and when that has been read, the
 * public port. If the log cannot be read soon, the public port opens all the same, and tells clients why they must wait.
 * Rejects when a port cannot be had.
 */
export async function startNode(config: Config, version: string, logger: Logger): Promise<FanfareNode> {
  const metrics = new PrometheusMetrics({ version, node: config.nodeName });
  const log = createLog(config, logger, metrics);
  const hub = new Hub(log, config.recentBytes, metrics, logger);
  metrics.read({ subscriptions: () => hub.subscriptionCount, channels: () => hub.channelCount });
  const registry = new Registry({
    intervalSeconds: config.heartbeatIntervalSeconds,
    timeoutSeconds: config.heartbeatTimeoutSeconds,
    maxAgeSeconds: config.maxConnectionAgeSeconds,
  });
  const addresses = new AddressLimit(config.maxConnectionsPerIp);
  const admission = new Admission({
    registry,
    addresses,
    proxies: new TrustedProxies(config.trustedProxies),
    maxConnections: config.maxConnections,
    logTrouble: () => log.trouble,
  });
  const origins = new Origins(config.allowedOrigins);
  const guard = createGuard(config, { log, publisher: new Publisher(log, metrics), origins, metrics, logger });
  const { access, sessions, deadlines, publisher } = guard;
  const draining = new AbortController();
  const catchUp = new CatchUp(hub, config.maxConnections);

  const { compression, maxChannelsPerConnection: maxChannels } = config;
  const context = {
    hub,
    registry,
    addresses,
    sessions,
    deadlines,
    metrics,
    logger,
    maxBacklogBytes: config.maxBacklogBytes,
    stallSeconds: config.heartbeatTimeoutSeconds,
  };
  const sse = new SseEndpoint(context, admission, { maxChannels, compression, access });
  const webSocket = new WebSocketEndpoint(
    {
      ...context,
      access,
      authSeconds: config.handshakeTimeoutSeconds,
      nodeName: config.nodeName,
      heartbeatSeconds: config.heartbeatIntervalSeconds,
      maxChannels,
      maxMessageBytes: config.maxMessageBytes,
      maxPayloadBytes: config.maxMessageBytes + ENVELOPE_BYTES,
      frames: new RateLimit(config.maxClientRatePerSecond, BURST_SECONDS * config.maxClientRatePerSecond),
      publish: (principal, message) => publisher.publish(principal, message),
    },
    admission,
    { compression },
  );
  const { server, app } = await createPublicServer({
    streams: {
      sse: (request, response, query) => sse.handle(request, response, query),
      owns: (socket) => sse.owns(socket),
      adopt: (socket) => sse.adopt(socket),
      webSocket: (request, socket, rest, query) => webSocket.handle(request, socket, rest, query),
    },
    access,
    sessions,
    disconnects: guard,
    publisher,
    catchUp: {
      read: async (question, signal) => {
        if (admission.notReady === 'starting') throw new FanfareError('starting', 'the log has not been read yet');
        return catchUp.read(question, signal);
      },
    },
    limits: {
      maxMessageBytes: config.maxMessageBytes,
      maxSockets: maxSockets(config.maxConnections),
      handshakeTimeoutSeconds: config.handshakeTimeoutSeconds,
    },
    origins,
    ownNames: config.auth === undefined && isLoopback(config.host) ? new OwnNames(config.allowedOrigins) : undefined,
    metrics,
    consoleFolder: config.console ? CONSOLE_FOLDER : undefined,
    draining: draining.signal,
    logger,
  });
  const admin = createAdminServer({
    metrics: () => metrics.exposition(),
    notReady: () => admission.notReadyReason,
  });

  let stopped: Promise<void> | undefined;
  const hurry = new AbortController();
  let ready: Promise<void>;
  try {
    await listen(admin, config.host, config.adminPort);
    ready = log
      .follow(
        {
          floor(partition, floor, goneAfter) {
            guard.lost(partition);
            hub.floor(partition, floor, goneAfter);
          },
          deliver(partition, messages, position) {
            guard.heard(messages);
            hub.deliver(partition, messages, position);
          },
          skipped(partition, after, position) {
            guard.skipped(partition);
            hub.skipped(partition, after, position);
          },
        },
        config.recentBytes,
      )
      .then(() => guard.begin())
      .then(() => admission.open());
    // An edge that prefers the node with the fewest connections must not find one that sends everybody away.
    await Promise.race([ready, setTimeout(QUIET_START_MILLISECONDS, undefined, { ref: false })]);
    await listen(server, config.host, config.port);
    if (!setListenerOptions(server, config.heartbeatTimeoutSeconds))
      logger.warn(
        {},
        'a client that vanishes without a word is found when this system gives it up, which may take long',
      );
  } catch (error) {
    registry.stop();
    guard.close();
    await Promise.allSettled([app.close(), closeServer(admin), log.close()]);
    throw error;
  }

  async function stop(): Promise<void> {
    const closed = once(server, 'close');
    admission.drain();
    draining.abort();
    stopListening(server);
    await registry.drain(config.drainSeconds, 'draining', hurry.signal);
    registry.stop();
    // Requests under way get their answer; connections without one (a browser keeps spare ones) are cut.
    server.closeIdleConnections();
    await Promise.race([closed, setTimeout(FAREWELL_MILLISECONDS, undefined, { ref: false })]);
    server.closeAllConnections();
    await closed;
    await app.close();
    guard.close();
    await log.close();
    await closeServer(admin);
  }

  return {
    port: (server.address() as AddressInfo).port,
    adminPort: (admin.address() as AddressInfo).port,
    ready,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    hurry: () => hurry.abort(),
  };
}

function createLog(config: Config, logger: Logger, metrics: PrometheusMetrics): Log {
  const { partitions, minReplicas, tailFrom, redis } = config;
  const options = { partitions, ...withDisconnects(config.retention, config.auth), logger, metrics };
  if (redis === undefined) return createEmbeddedLog(options);
  return createRedisLog({ ...options, address: redis, minReplicas, tailFrom });
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host, 4096);
  await once(server, 'listening');
}

/**
 * Takes no new connections, but lets those of keep-alive clients end with their next answer (which says so): the HTTP
 * server's own `close` cuts them while a request may be on its way.
 */
function stopListening(server: Server): void {
  NetServer.prototype.close.call(server);
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
}
