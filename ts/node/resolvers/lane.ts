/** A bounded number of calls at the same time, a bounded number that wait, and a time for each. */

import { OpError } from "../ops/fields.ts";

/** Calls that may wait for a free place; more are refused with `resolver_busy`. */
export const MAX_WAITING_CALLS = 256;

/** What a lane is made of. */
export interface LaneOptions {
  /** Whose calls these are, for errors. */
  name: string;
  concurrency: number;
  /** Milliseconds for each call, its waiting included. */
  timeoutMs: number;
}

/** Runs calls of one resolver. */
export class Lane {
  readonly #options: LaneOptions;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /**
   * Runs a call when there is a place for it.
   *
   * @throws OpError `resolver_busy`, `resolver_timeout`, or the reason of `signal`.
   */
  async run<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { name, timeoutMs } = this.#options;
    const message = `The resolver ${name} did not answer within ${timeoutMs} ms.`;
    const timeout = new AbortController();
    const timer = setTimeout(
      () => timeout.abort(new OpError("resolver_timeout", message)),
      timeoutMs,
    );
    const either = AbortSignal.any([signal, timeout.signal]);
    try {
      await this.#place(either);
      return await unlessAborted(this.#occupied(call, either), either);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The place is given back when the call itself has ended, whoever still waits for it. */
  async #occupied<T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      return await call(signal);
    } finally {
      this.#release();
    }
  }

  async #place(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#running < this.#options.concurrency) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.size >= MAX_WAITING_CALLS) {
      const message = `The resolver ${this.#options.name} has too much to do.`;
      throw new OpError("resolver_busy", message);
    }
    await this.#turn(signal);
  }

  /** Waits until a call that ends hands its place over. */
  async #turn(signal: AbortSignal): Promise<void> {
    let take: () => void = () => undefined;
    const turn = new Promise<void>((resolve) => {
      take = resolve;
    });
    this.#waiting.add(take);
    try {
      await unlessAborted(turn, signal);
    } catch (error) {
      if (!this.#waiting.delete(take)) this.#release();
      throw error;
    }
  }

  #release(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#running -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

/** The outcome of a promise, or the signal's reason if that comes first. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
