import { dockerAnswers, hasImage } from '../../cluster/docker.ts';

/** Whether a Docker engine answers, and whether tests that need one are to be left out. */
export interface Engine {
  readonly answers: boolean;
  /** Only where nobody promised an engine: with CI=true the tests run, and fail without one. */
  readonly skip: boolean;
}

/** Looks for a Docker engine. Says so when tests are left out for want of one. */
export async function findEngine(tests: string): Promise<Engine> {
  const answers = await dockerAnswers();
  const skip = !answers && process.env.CI !== 'true';
  if (skip) console.warn(`${tests}: skipped, as no Docker engine answers here (with CI=true this is a failure)`);
  return { answers, skip };
}

/** The image of NGINX to test with: the usual one, or Debian's version where only that is on the machine. */
export async function nginxImage(): Promise<string> {
  const [usual, debian] = ['nginx:stable', 'nginx:1.22-bookworm'] as const;
  return !(await hasImage(usual)) && (await hasImage(debian)) ? debian : usual;
}
