const MAX_SUBJECT_LENGTH = 256;

/** What is wrong with a token's subject, or undefined when it is good. The same for tokens and for who is disconnected: each must be found. */
export function subjectProblem(subject: string): string | undefined {
  if (subject === '' || subject.length > MAX_SUBJECT_LENGTH) return `must have 1–${MAX_SUBJECT_LENGTH} characters`;
  // All of those would be one and the same wherever they are written as UTF-8.
  return subject.isWellFormed() ? undefined : 'must not hold half of a surrogate pair';
}
