/** Calls `step` again and again, `width` calls at a time, until one of them resolves to false. Rejects with the first error. */
export async function concurrently(width: number, step: () => Promise<boolean>): Promise<void> {
  let goesOn = true;
  const run = async (): Promise<void> => {
    try {
      while (goesOn) if (!(await step())) goesOn = false;
    } catch (error) {
      goesOn = false;
      throw error;
    }
  };
  await Promise.all(Array.from({ length: width }, run));
}
