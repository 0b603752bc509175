import type { Gateway } from './gateway.ts';
import { until } from './until.ts';

/** Longer than the time in which a node takes two signals for one. */
const SIGNAL_SPACING_MILLISECONDS = 1000;

/** Cuts a drain short: signals a node that is draining until `told` says that it has heard. */
export async function hurry(gateway: Gateway, signal: NodeJS.Signals, told: () => boolean): Promise<void> {
  let last = Number.NEGATIVE_INFINITY;
  await until(() => {
    if (told()) return true;
    if (performance.now() - last < SIGNAL_SPACING_MILLISECONDS) return false;
    last = performance.now();
    gateway.process.kill(signal);
    return false;
  }, 'the drain to be cut short');
}

/** The exit code of a node that has been told to end; null when a signal killed it. */
export async function exitOf({ process }: Gateway): Promise<number | null> {
  await until(() => process.exitCode !== null || process.signalCode !== null, 'the node to end');
  return process.exitCode;
}
