/** Tokens, publishers' keys, tickets and the cookies of tickets, by their look. */
const LOOKS_SECRET = /\beyJ[\w-]{12,}|\bffk_\w{8,}|\bfft_[\w-]{8,}|\bff_[0-9a-f]{8}=[\w-]+/g;

/** What in a text looks like a secret. */
export function secretLooksIn(text: string): string[] {
  return text.match(LOOKS_SECRET) ?? [];
}
