/** Fails a task, or names why an execution can't be changed, with the literal error name that Retry and Catch look at. */
export class StateError extends Error {
  override readonly name: string;
  override readonly cause: string;

  constructor(name: string, cause: string) {
    super(cause);
    this.name = name;
    this.cause = cause;
  }
}
