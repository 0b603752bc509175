import type { GapReason } from '../message.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Subscription } from './subscription.ts';

/** Tells the client, for each of these of the subscription's channels, that messages after `after` are gone; and counts it. */
export function tellGap(
  metrics: Metrics,
  subscription: Subscription,
  after: string,
  reason: GapReason,
  channels: readonly string[] = subscription.channels,
): void {
  for (const channel of channels) {
    metrics.gap(reason);
    subscription.connection.gap(channel, after, reason);
  }
}
