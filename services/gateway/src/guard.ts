import type { Access } from './auth/access.ts';
import { Authenticator } from './auth/authenticator.ts';
import { GuardedPublisher, type Publisher } from './auth/guarded-publisher.ts';
import { OpenAccess } from './auth/open-access.ts';
import { PublishKeys } from './auth/publish-keys.ts';
import { PublishRate } from './auth/publish-rate.ts';
import { Deadlines } from './auth/sessions/deadlines.ts';
import { DISCONNECT_CHANNEL, Disconnects, disconnectsKept } from './auth/sessions/disconnects.ts';
import { Revocations } from './auth/sessions/revocations.ts';
import { Sessions } from './auth/sessions/sessions.ts';
import { Tickets } from './auth/tickets/tickets.ts';
import { openTokenKeys } from './auth/tokens/token-keys.ts';
import { TokenVerifier } from './auth/tokens/token-verifier.ts';
import type { Config } from './config.ts';
import type { AuthSettings } from './config-auth.ts';
import { FanfareError } from './errors.ts';
import type { Log } from './log/log.ts';
import type { Logger } from './logger.ts';
import { type Message, partitionOf } from './message.ts';
import type { Metrics } from './metrics/metrics.ts';
import { mayUseCookie } from './request/cookie-trust.ts';
import type { Origins } from './request/origins.ts';
import type { Retention } from './retention.ts';

/** Who may listen and publish: the parts of `auth/`, put together. */
export interface Guard {
  readonly access: Access;
  readonly sessions: Sessions;
  readonly deadlines: Deadlines;
  readonly publisher: GuardedPublisher;
  /** Ends a subject's connections on every node, and refuses its tokens from before. Rejects with FanfareError. */
  disconnect(subject: string): Promise<void>;
  /** Resolves when it is known who was disconnected before this node started; to be called when the log is followed. */
  begin(): Promise<void>;
  /** What the tail brings, before anybody gets it. Hot: once per batch. */
  heard(messages: readonly Message[]): void;
  /** The tail of a partition has passed over something. */
  skipped(partition: number): void;
  /** A partition of the log has lost something, or is new. */
  lost(partition: number): void;
  close(): void;
}

export interface GuardParts {
  readonly log: Log;
  readonly publisher: Publisher;
  readonly origins: Origins;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** What the log keeps, with those who were disconnected: for as long as a token of theirs might live. */
export function withDisconnects(retention: Retention, auth: AuthSettings | undefined): Retention {
  if (auth === undefined) return retention;
  const kept = disconnectsKept(auth.maxTokenLifetimeSeconds);
  return { ...retention, namespaces: new Map([...(retention.namespaces ?? []), [DISCONNECT_CHANNEL, kept]]) };
}

export function createGuard(config: Config, parts: GuardParts): Guard {
  const deadlines = new Deadlines();
  const sessions = new Sessions(config.maxConnectionsPerSubject);
  const rate = new PublishRate({ store: parts.log.shared, perSecond: config.maxPublishRatePerSecond });
  const publisher = new GuardedPublisher(parts.publisher, rate, (code) => parts.metrics.published(code));
  const shared = { sessions, deadlines, publisher };
  return config.auth === undefined ? openGuard(shared) : closedGuard(config.auth, shared, parts);
}

type Shared = Pick<Guard, 'sessions' | 'deadlines' | 'publisher'>;

function openGuard(shared: Shared): Guard {
  return {
    ...shared,
    access: new OpenAccess(),
    async disconnect() {
      throw new FanfareError('not_found', 'this node runs without authentication: nobody there has a subject');
    },
    async begin() {},
    heard() {},
    skipped() {},
    lost() {},
    close: () => shared.deadlines.stop(),
  };
}

function closedGuard(auth: AuthSettings, shared: Shared, { log, origins, logger }: GuardParts): Guard {
  const { publicChannels, maxTokenLifetimeSeconds } = auth;
  const closing = new AbortController();
  const revocations = new Revocations(maxTokenLifetimeSeconds);
  const tokenKeys = openTokenKeys(auth.tokenKeys, (error) => {
    if (error === undefined) logger.info({}, 'the keys that tokens are signed with were read');
    else logger.warn({ reason: error.message }, 'the keys that tokens are signed with cannot be read; trying again');
  });
  const disconnects = new Disconnects({
    log,
    revocations,
    sessions: shared.sessions,
    told: (what) => logger.warn({ what }, 'disconnected subjects'),
  });
  let following = false;
  let begun = false;
  const access = new Authenticator({
    tokens: new TokenVerifier({
      keys: tokenKeys,
      issuer: auth.issuer,
      audience: auth.audience,
      maxLifetimeSeconds: maxTokenLifetimeSeconds,
      publicChannels,
    }),
    keys: new PublishKeys(auth.publishKeys, publicChannels),
    tickets: new Tickets(log.shared, log.shared),
    revocations,
    begun: () => begun,
    cookieName: auth.cookieName,
    mayUseCookie: (asking) => mayUseCookie(asking, origins.judge(asking.headers)),
    publicChannels,
  });
  const partition = partitionOf(DISCONNECT_CHANNEL, log.partitions);
  return {
    ...shared,
    access,
    disconnect: (subject) => disconnects.disconnect(subject),
    async begin() {
      following = true;
      begun = await disconnects.catchUp(closing.signal);
    },
    heard(messages) {
      try {
        disconnects.heard(messages);
      } catch (error) {
        // The messages of others must not be lost by it.
        logger.error({ err: error }, 'who was disconnected could not be heard');
      }
    },
    skipped(where) {
      if (following && where === partition) void disconnects.catchUp(closing.signal);
    },
    lost(where) {
      if (following && where === partition) void disconnects.lost(closing.signal);
    },
    close() {
      closing.abort();
      tokenKeys.close();
      shared.deadlines.stop();
    },
  };
}
