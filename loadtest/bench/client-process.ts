import { Audience, type OpenRequest } from './audience.ts';
import { answer } from './questions.ts';

/** What the process of the clients can be asked. */
export interface Clients {
  readonly open: (request: OpenRequest) => Promise<void>;
  readonly reached: (messages: number) => Promise<Uint8Array>;
  readonly beaten: () => Promise<void>;
}

function main(): void {
  const audience = new Audience();
  answer({
    open: (request: OpenRequest) => audience.open(request),
    reached: (messages: number) => audience.reached(messages),
    beaten: () => audience.beaten(),
  } satisfies Clients);
}

main();
