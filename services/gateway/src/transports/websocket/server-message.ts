import type { ErrorCode } from '../../errors.ts';
import type { GapReason } from '../../message.ts';

/** The texts that a node sends beside messages (PROTOCOL.md lists them). `ref` is JSON source text. */
export const serverMessage = {
  welcome: (node: string, heartbeatSeconds: number): string =>
    JSON.stringify({ type: 'welcome', node, heartbeatSeconds }),
  authenticated: (
    { subject, expiresMs }: { subject?: string | undefined; expiresMs?: number | undefined },
    ref?: string,
  ): string =>
    withRef(
      {
        type: 'authenticated',
        ...(subject === undefined ? {} : { subject }),
        ...(expiresMs === undefined ? {} : { exp: expiresMs / 1000 }),
      },
      ref,
    ),
  subscribed: (channel: string, cursor: string | undefined, ref?: string): string =>
    withRef({ type: 'subscribed', channel, ...(cursor === undefined ? {} : { cursor }) }, ref),
  unsubscribed: (channel: string, ref?: string): string => withRef({ type: 'unsubscribed', channel }, ref),
  published: (id: string, ref?: string): string => withRef({ type: 'published', id }, ref),
  pong: (ref?: string): string => withRef({ type: 'pong' }, ref),
  error: (code: ErrorCode, detail: string, ref?: string): string => withRef({ type: 'error', code, detail }, ref),
  cursor: (id: string): string => JSON.stringify({ type: 'cursor', id }),
  gap: (channel: string, after: string, reason: GapReason): string =>
    JSON.stringify({ type: 'gap', channel, after, reason }),
  caughtUp: (channel: string, cursor: string): string => JSON.stringify({ type: 'caught-up', channel, cursor }),
};

function withRef(message: object, ref: string | undefined): string {
  const text = JSON.stringify(message);
  return ref === undefined ? text : `${text.slice(0, -1)},"ref":${ref}}`;
}
