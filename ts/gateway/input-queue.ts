/** Takes one input at a time: what a listener causes in the middle of a step comes after that step. */

/** A queue that runs its handler for each input, never inside another run. */
export class InputQueue<Input> {
  readonly #handle: (input: Input) => void;
  readonly #waiting: Input[] = [];
  #running = false;

  constructor(handle: (input: Input) => void) {
    this.#handle = handle;
  }

  /** Handles the input now, or after those that are being handled. */
  push(input: Input): void {
    this.#waiting.push(input);
    if (this.#running) return;
    this.#running = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        this.#handle(next);
      }
    } finally {
      this.#running = false;
    }
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting.length = 0;
  }
}
