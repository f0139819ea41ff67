import type { ErrorName } from '../../core/errors';

/** Expects `work` to fail with the error of that name and a message with these words; gives the message back. */
export async function expectError(work: Promise<unknown>, name: ErrorName, ...words: string[]): Promise<string> {
  const thrown: unknown = await work.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error,
  );
  expect(thrown).toMatchObject({ name });
  const { message } = thrown as Error;
  for (const word of words) {
    expect(message).toContain(word);
  }
  return message;
}
