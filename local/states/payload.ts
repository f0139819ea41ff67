import type { Json } from '../../core/json';

/** Step Functions' bound on what goes into or comes out of a state, or into one variable. */
export const payloadLimitBytes = 256 * 1024;

/** A value on its way between states, with the JSON text that the history shows. */
export class Payload {
  readonly value: Json;
  readonly text: string;

  constructor(value: Json) {
    this.value = value;
    this.text = JSON.stringify(value);
  }

  get tooLarge(): boolean {
    // A UTF-16 unit is at most 3 bytes: short texts need no counting.
    return this.text.length * 3 > payloadLimitBytes && Buffer.byteLength(this.text) > payloadLimitBytes;
  }
}
