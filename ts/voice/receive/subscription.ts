/** A subscription: sound of some users as an async iterable with a bounded queue. */

import type { AudioGroup, AudioPiece } from "../../native/index.ts";
import { CadenzaError } from "../../support/errors.ts";
import {
  type AudioFormat,
  type ReceivedPacket,
  type ReceivedPcm,
  toPacket,
  toPcm,
} from "./received.ts";
import type { UserChoice, VoiceReceiver } from "./voice-receiver.ts";

/** Options of `VoiceReceiver.subscribe`. */
export interface SubscribeOptions {
  /** Whose sound. Default: everybody's. */
  users?: UserChoice;
  /** Opus packets, or samples of a rate and a number of channels. Default `"opus"`. */
  format?: AudioFormat;
  /** Pieces that may wait to be taken; the oldest are dropped. Default 1,000: 20 s of one speaker. */
  maxQueue?: number;
  /** Ends the subscription. */
  signal?: AbortSignal;
}

/** Sound of some users, piece by piece, streams of several users mixed in the order of arrival. */
export class AudioSubscription<T extends ReceivedPacket | ReceivedPcm> implements AsyncIterable<T> {
  readonly #queue: T[] = [];
  readonly #maxQueue: number;
  #waiting: ((result: IteratorResult<T>) => void)[] = [];
  #detach: () => void = () => undefined;
  #dropped = 0;
  #isClosed = false;

  private constructor(maxQueue: number) {
    this.#maxQueue = Math.max(1, maxQueue);
  }

  /** Made by `VoiceReceiver.subscribe`. */
  static open(
    receiver: VoiceReceiver,
    options: SubscribeOptions,
  ): AudioSubscription<ReceivedPacket> | AudioSubscription<ReceivedPcm> {
    const { users = "all", format = "opus", maxQueue = 1000, signal } = options;
    if (format === "opus") {
      const subscription = new AudioSubscription<ReceivedPacket>(maxQueue);
      return subscription.#attach(receiver, users, format, toPacket, signal);
    }
    const subscription = new AudioSubscription<ReceivedPcm>(maxQueue);
    return subscription.#attach(receiver, users, format, toPcm, signal);
  }

  /** Pieces that were dropped because nobody took them in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether nothing more will come. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Hears nothing more; what waits can still be taken. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#detach();
    for (const resolve of this.#waiting) resolve({ done: true, value: undefined });
    this.#waiting = [];
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Leaving the loop closes the subscription. */
  [Symbol.asyncIterator](): AsyncIterator<T> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close();
        this.#queue.length = 0;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #attach(
    receiver: VoiceReceiver,
    users: UserChoice,
    format: AudioFormat,
    convert: (group: AudioGroup, piece: AudioPiece) => T | undefined,
    signal: AbortSignal | undefined,
  ): this {
    if (signal?.aborted) throw new CadenzaError("aborted", "The subscription was aborted.");
    const abort = (): void => this.close();
    const detach = receiver.attach(users, format, {
      piece: (group, piece) => {
        const received = convert(group, piece);
        if (received) this.#push(received);
      },
      closed: abort,
    });
    signal?.addEventListener("abort", abort, { once: true });
    this.#detach = () => {
      signal?.removeEventListener("abort", abort);
      detach();
    };
    return this;
  }

  #push(value: T): void {
    if (this.#isClosed) return;
    const resolve = this.#waiting.shift();
    if (resolve) return resolve({ done: false, value });
    this.#queue.push(value);
    if (this.#queue.length <= this.#maxQueue) return;
    this.#queue.shift();
    this.#dropped += 1;
  }

  #next(): Promise<IteratorResult<T>> {
    const value = this.#queue.shift();
    if (value) return Promise.resolve({ done: false, value });
    if (this.#isClosed) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
