/** What an application is told when a close frame had no code (RFC 6455, 7.4.1). It never stands in a frame. */
export const NO_CODE = 1005;

/**
 * True for a close code that may stand in a close frame (RFC 6455, 7.4).
 *
 * 1000–2999 belong to the protocol, so only those that are defined may be used: 1000–1011 in 7.4.1 without 1004
 * (reserved), 1005 and 1006 (for use inside an endpoint only), and 1012–1014 in IANA's registry, where 1015 is again one
 * that no frame may hold. 3000–3999 are registered by libraries, 4000–4999 are private (7.4.2).
 */
export function isCloseCode(code: number): boolean {
  if (code >= 1000 && code <= 1014) return code !== 1004 && code !== 1005 && code !== 1006;
  return code >= 3000 && code <= 4999;
}
