import validate from 'asl-validator';

/** What asl-validator, by the published schema of the language, finds wrong in a definition. */
export function aslProblems(definition: object): readonly string[] {
  // It writes into what it is given.
  const { isValid, errors } = validate(structuredClone(definition));
  return isValid ? [] : errors.map((error) => JSON.stringify(error));
}
