/** A recording that the engine makes, as a handle. */

import type { ReceiveEvent, RecordedFile } from "../../native/index.ts";
import { CadenzaError } from "../../support/errors.ts";

/** One recording under way, or over. */
export class Recording {
  /** Its number within the connection's engine. */
  readonly id: number;
  /**
   * Resolves with the files when the recording is over; rejects with `recording_failed` or
   * `recording_too_long` when it could not go on. What was written by then is kept.
   */
  readonly done: Promise<RecordedFile[]>;
  readonly #stop: () => void;
  #settle: { resolve(files: RecordedFile[]): void; reject(error: CadenzaError): void };

  /** Made by `VoiceReceiver.record`. */
  constructor(id: number, stop: () => void) {
    this.id = id;
    this.#stop = stop;
    const { promise, resolve, reject } = withResolvers<RecordedFile[]>();
    this.#settle = { resolve, reject };
    this.done = promise;
    // Whoever does not look at the outcome is not punished for it.
    promise.catch(() => undefined);
  }

  /** Ends the recording; resolves with its files when they are whole. Idempotent. */
  stop(): Promise<RecordedFile[]> {
    this.#stop();
    return this.done;
  }

  /** Takes the recording's one event; called by the receiver. */
  settle(event: Exclude<ReceiveEvent, { type: "speaking" }>): void {
    if (event.type === "recording_ended") return this.#settle.resolve(event.files);
    const message = `The recording could not go on: ${event.message}.`;
    this.#settle.reject(new CadenzaError(event.code, message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop().catch(() => undefined);
  }
}

/** What `Promise.withResolvers` gives, which Node 20 lacks. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: CadenzaError) => void = () => undefined;
  const promise = new Promise<T>((onResolved, onRejected) => {
    resolve = onResolved;
    reject = onRejected;
  });
  return { promise, resolve, reject };
}
