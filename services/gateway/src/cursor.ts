import { isId } from './message.ts';

/**
 * A place in every partition that a connection follows: partition → id of the newest message that it has.
 *
 * As text it is that id alone when one partition is followed, else `partition:id` pairs joined by commas
 * (`0:1763600000000-0,2:1763600000000-3`). Clients treat it as opaque; it is printable ASCII without spaces.
 */
export type Cursor = ReadonlyMap<number, string>;

/** As long as a cursor over 100 partitions can be; longer text is not looked at. */
const MAX_CURSOR_LENGTH = 100 * 50;

/** A cursor as text. `places` must not be empty. */
export function formatCursor(places: Cursor): string {
  if (places.size === 1) return [...places.values()][0] as string;
  let text = '';
  for (const [partition, id] of places) text += `${text === '' ? '' : ','}${partition}:${id}`;
  return text;
}

/**
 * Reads a client's cursor for a connection that follows `partitions`. A bare id is a place in the only partition that is
 * followed. Undefined for text that is no cursor; a partition that the text does not name is missing in the result.
 */
export function parseCursor(text: string, partitions: readonly number[]): Cursor | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined;
  if (isId(text)) {
    const only = partitions[0];
    return partitions.length === 1 && only !== undefined ? new Map([[only, text]]) : undefined;
  }
  const places = new Map<number, string>();
  for (const part of text.split(',')) {
    const colon = part.indexOf(':');
    const partition = part.slice(0, colon);
    const id = part.slice(colon + 1);
    if (colon === -1 || !/^\d{1,4}$/.test(partition) || !isId(id) || places.has(Number(partition))) return undefined;
    places.set(Number(partition), id);
  }
  return places;
}
