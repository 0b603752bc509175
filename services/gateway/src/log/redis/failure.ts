import { FanfareError } from '../../errors.ts';

/** ioredis' words for a command that it never wrote, because the connection was not there to write to. */
const NOT_WRITTEN = /^Stream isn't writeable/;

/**
 * What failed, without what was sent: ioredis hangs the command's arguments (messages, and in a handshake the password)
 * on the errors that Redis replies, so those must not be logged or handed on as they are. A transaction fails as a whole
 * (EXECABORT), and so does a connection to a name with several addresses: what counts is what failed first.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const causes = 'previousErrors' in error ? error.previousErrors : error instanceof AggregateError ? error.errors : [];
  const [first] = Array.isArray(causes) ? causes : [];
  return first instanceof Error ? first.message : error.message;
}

/** For an append while there is no connection: nothing was sent. */
export function notConnected(): FanfareError {
  return new FanfareError('log_unavailable', 'The log cannot be reached. The message was not published.');
}

/**
 * True when what a script failed with leaves open whether it was carried out.
 *
 * An error that Redis replied (LOADING, READONLY, OOM, BUSY, MISCONF, NOAUTH, CLUSTERDOWN, MASTERDOWN, a TRYAGAIN for
 * too long, …) means that the script did not run, or stopped before its first write. Whatever else happens to a command that was written (time-out, connection lost)
 * leaves it open.
 */
export function mayHaveRun(error: unknown): boolean {
  if (error instanceof FanfareError) return false;
  const replied = error instanceof Error && error.name === 'ReplyError';
  return !replied && !NOT_WRITTEN.test(reasonOf(error));
}

/** Maps what a written append failed with. */
export function appendFailure(error: unknown): FanfareError {
  if (error instanceof FanfareError) return error;
  const reason = reasonOf(error);
  if (!mayHaveRun(error)) {
    const detail = 'The log does not take messages at the moment. The message was not published.';
    return new FanfareError('log_unavailable', detail, { cause: reason });
  }
  const detail =
    'The log did not answer in time, so the message may have been published. A retry with the same idempotency key is safe.';
  return new FanfareError('log_timeout', detail, { cause: reason });
}

/** Maps what a read failed with. */
export function readFailure(error: unknown): FanfareError {
  return new FanfareError('log_unavailable', 'The log cannot be read at the moment.', { cause: reasonOf(error) });
}
