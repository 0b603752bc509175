/** Publishes one message and returns its id; throws on any answer but 2xx. */
export async function publish(url: string, channel: string, data: unknown, event?: string): Promise<string> {
  const response = await fetch(`${url}/v1/channels/${channel}/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ data, ...(event === undefined ? {} : { event }) }),
  });
  const answer = (await response.json()) as { id: string };
  if (!response.ok) throw new Error(`publish: ${response.status} ${JSON.stringify(answer)}`);
  return answer.id;
}
