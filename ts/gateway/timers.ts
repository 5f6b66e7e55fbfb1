/** The named timers of a connection: at most one of each, none of them keeps the process alive. */

/** Sets and clears timers by name. */
export class Timers<Name extends string> {
  readonly #running = new Map<Name, NodeJS.Timeout>();
  readonly #onExpired: (name: Name) => void;

  constructor(onExpired: (name: Name) => void) {
    this.#onExpired = onExpired;
  }

  /** Starts a timer; one of the same name that runs is replaced. */
  set(name: Name, afterMs: number): void {
    this.clear(name);
    const timer = setTimeout(() => {
      this.#running.delete(name);
      this.#onExpired(name);
    }, afterMs);
    timer.unref();
    this.#running.set(name, timer);
  }

  /** Stops a timer, if it runs. */
  clear(name: Name): void {
    clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  /** Stops every timer. */
  clearAll(): void {
    for (const name of [...this.#running.keys()]) this.clear(name);
  }
}
