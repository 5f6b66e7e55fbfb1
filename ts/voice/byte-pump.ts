/** Hands a stream of bytes over to a pushed track, no faster than the engine takes them. */

import { CadenzaError } from "../support/errors.ts";
import { providerFailure } from "./frame-pump.ts";

/** Anything that yields bytes: a Node stream, a web stream, a generator, an array of chunks. */
export type Bytes = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Where the bytes go; a native flow fits. */
export interface ByteQueue {
  /** Takes bytes from the front; returns how many. */
  pushBytes(bytes: Uint8Array): number;
  /** No more bytes come. */
  endPush(): void;
}

/** One stream on its way into one track. It keeps one chunk at most. */
export class BytePump {
  readonly #source: Bytes;
  #iterator: AsyncIterator<Uint8Array> | Iterator<Uint8Array> | undefined;
  readonly #queue: ByteQueue;
  readonly #failed: (error: CadenzaError) => void;
  /** What the queue had no room for. */
  #rest: Uint8Array | undefined;
  #asking = false;
  #state: "running" | "ended" | "closed" = "running";

  /** @param failed Told once when the stream fails; what was handed over is still played. */
  constructor(source: Bytes, queue: ByteQueue, failed: (error: CadenzaError) => void) {
    this.#source = source;
    this.#queue = queue;
    this.#failed = failed;
  }

  /** The queue has room: goes on reading. */
  wanted(): void {
    void this.#pump();
  }

  /** Reads no more; a Node stream is destroyed, a generator returned. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#rest = undefined;
    // A stream that still waits for its next chunk would take note of `return` only then.
    if (isDestroyable(this.#source)) this.#source.destroy();
    try {
      void Promise.resolve(this.#iterator?.return?.()).catch(() => undefined);
    } catch {
      // What a stream throws while it is told goodbye concerns nobody any more.
    }
  }

  async #pump(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      while (this.#state === "running" && this.#handOver()) {
        this.#iterator ??= iterate(this.#source);
        const { done, value } = await this.#iterator.next();
        if (this.#state !== "running") return;
        if (done) this.#end();
        else this.#rest = checkedChunk(value);
      }
    } catch (error) {
      if (this.#state !== "running") return;
      this.#failed(providerFailure("stream", error));
      this.#end();
    } finally {
      this.#asking = false;
    }
  }

  /** Hands over what waits; false when some of it still does. */
  #handOver(): boolean {
    if (!this.#rest) return true;
    const taken = this.#queue.pushBytes(this.#rest);
    this.#rest = taken < this.#rest.length ? this.#rest.subarray(taken) : undefined;
    return this.#rest === undefined;
  }

  #end(): void {
    this.#state = "ended";
    this.#queue.endPush();
  }
}

function iterate(source: Bytes): AsyncIterator<Uint8Array> | Iterator<Uint8Array> {
  return Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
}

function checkedChunk(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  const message =
    "A stream of sound has to yield Uint8Arrays; a Node stream must have no encoding.";
  throw new CadenzaError("invalid_chunk", message);
}

function isDestroyable(source: object): source is { destroy(): void } {
  return "destroy" in source && typeof source.destroy === "function";
}
