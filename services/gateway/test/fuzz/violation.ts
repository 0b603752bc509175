/** One input of a run. The same seed makes it again: `--seed` with this one, and one input. */
export interface Input {
  readonly part: string;
  /** The run's own seed and the number of the input, added up. */
  readonly seed: number;
  /** What was done to make it wrong. */
  readonly mutations: readonly string[];
  readonly bytes: Buffer;
}

/** Something that must not be. */
export class Violation extends Error {
  /** The inputs that may have brought it about; with more than one, any of them. */
  readonly inputs: readonly Input[];
  /** What else is known, in words. */
  readonly detail: string;

  constructor(what: string, inputs: readonly Input[] = [], detail = '') {
    super(what);
    this.name = 'Violation';
    this.inputs = inputs;
    this.detail = detail;
  }

  /** All that is needed to see it again. */
  get report(): string {
    const inputs = this.inputs.map(
      ({ part, seed, mutations, bytes }) =>
        `${part}, --seed ${seed}, ${bytes.length} bytes (${mutations.join(', ')}):\n${bytes.toString('hex')}`,
    );
    if (inputs.length > 1) inputs.unshift(`one of these ${inputs.length} inputs, which were under way:`);
    return [this.message, this.detail, ...inputs].filter((part) => part !== '').join('\n');
  }
}
