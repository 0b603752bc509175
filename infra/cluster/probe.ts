/** Asks an address once. `status` is 0 when there was no answer; `words` says what came, for people. Never throws. */
export async function httpStatus(url: string): Promise<{ status: number; words: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000), headers: { connection: 'close' } });
    const body = (await response.text()).slice(0, 200).replaceAll(/\s+/g, ' ');
    return { status: response.status, words: `${response.status} ${body}`.trim() };
  } catch (error) {
    const { cause, message } = error as Error;
    const code = (cause as NodeJS.ErrnoException | undefined)?.code;
    return { status: 0, words: code ?? message };
  }
}
