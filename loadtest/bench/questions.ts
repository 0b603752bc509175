import process from 'node:process';

/** What a child process can be asked: each question as a function from its argument to its answer. */
type Answers = Readonly<Record<string, (argument: never) => unknown>>;

export interface Question {
  readonly number: number;
  readonly name: string;
  readonly argument: unknown;
}

export type Reply = { readonly number: number } & ({ readonly value: unknown } | { readonly error: string });

/**
 * Answers the questions of the parent process over the IPC channel. A process may call this more than once, with
 * different names. The process then lives until it is ended, or its parent has ended (however that one did).
 */
export function answer(answers: Answers): void {
  process.on('message', (question: Question) => {
    const respond = answers[question.name] as ((argument: unknown) => unknown) | undefined;
    if (respond === undefined) return;
    Promise.try(respond, question.argument).then(
      (value) => reply({ number: question.number, value }),
      (error) => reply({ number: question.number, error: (error as Error).message }),
    );
  });
  process.on('disconnect', () => process.exit());
  process.channel?.ref();
}

function reply(message: Reply): void {
  if (process.connected) process.send?.(message);
}
