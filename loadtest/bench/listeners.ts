import type { OpenRequest } from './audience.ts';
import type { Child, Children } from './child.ts';
import type { Clients } from './client-process.ts';

/** A process full of clients, and how many messages each of them has. */
export class Listeners {
  readonly #process: Child<Clients>;
  #messages = 0;

  constructor(children: Children, name: string) {
    this.#process = children.start<Clients>(name, new URL('./client-process.ts', import.meta.url));
  }

  open(request: OpenRequest): Promise<void> {
    return this.#process.ask('open', request);
  }

  /** Resolves when everyone has so many more messages, to their bytes as they came to one of them. */
  have(more: number): Promise<Uint8Array> {
    this.#messages += more;
    return this.#process.ask('reached', this.#messages);
  }
}
