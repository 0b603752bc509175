import type { JSONWebKeySet } from 'jose';
import { MIN_RSA_BITS } from './public-keys.ts';

export interface FetchKeySetOptions {
  /** For all of the answer, milliseconds. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/**
 * Reads a JSON Web Key Set (RFC 7517) over HTTP. What is no key to check signatures with is left out: shared secrets, short RSA keys, and private keys, as
 * everybody can sign with one that is published. Redirects are not followed. Rejects with an Error for people, which holds nothing of the answer.
 */
export async function fetchKeySet(url: string, options: FetchKeySetOptions): Promise<JSONWebKeySet> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { accept: 'application/jwk-set+json, application/json' },
      signal: AbortSignal.any([timeout, options.signal]),
    });
    return readSet(await readBody(response, options.maxBytes));
  } catch (error) {
    const reason = timeout.aborted ? `no answer within ${options.timeoutMs / 1000} s` : reasonOf(error);
    throw new Error(`the key set cannot be read: ${reason}`, { cause: error });
  }
}

async function readBody(response: Response, maxBytes: number): Promise<string> {
  const { status, body } = response;
  if (status !== 200 || body === null) {
    await body?.cancel();
    throw new Error(
      status >= 300 && status < 400
        ? `it is somewhere else (${status}), and must be asked for there`
        : `its server answered ${status}`,
    );
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    // Leaving the loop ends the transfer.
    if (bytes > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function readSet(text: string): JSONWebKeySet {
  const keys = keysIn(text);
  if (keys === undefined) throw new Error('the answer is no JSON Web Key Set');
  return { keys: keys.filter(isUsable) };
}

function keysIn(text: string): JSONWebKeySet['keys'] | undefined {
  try {
    const { keys } = JSON.parse(text);
    const areKeys = Array.isArray(keys) && keys.every((key) => typeof key === 'object' && key !== null && 'kty' in key);
    return areKeys ? keys : undefined;
  } catch {
    return undefined;
  }
}

function isUsable({ kty, n, d }: JSONWebKeySet['keys'][number]): boolean {
  if (d !== undefined) return false;
  if (kty === 'RSA') return typeof n === 'string' && Buffer.from(n, 'base64url').length * 8 >= MIN_RSA_BITS;
  return kty === 'EC' || kty === 'OKP';
}

/** What `fetch` says is "fetch failed"; the reason lies in its cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  if (!(cause instanceof Error)) return message;
  return (cause as NodeJS.ErrnoException).code ?? cause.message;
}
