/** Reads length-prefixed Opus frames: u32 little endian, then so many bytes, again and again. */

import { Transform, type TransformCallback } from "node:stream";
import { MAX_OPUS_FRAME_BYTES } from "../gateway/constants.ts";
import { CadenzaError } from "../support/errors.ts";
import type { OpusFrameProvider, ProvidedFrame } from "./frames.ts";

const LENGTH_BYTES = 4;

/**
 * Cuts bytes, in pieces of any size, into frames. Keeps at most one frame that is not complete.
 *
 * A length of 0 is an empty frame, which means silence.
 */
export class OpusFrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /**
   * Takes a piece and yields the frames that it completes.
   *
   * @throws CadenzaError `frame_too_long` for a length above 1,275 bytes, before anything is allocated.
   */
  *push(piece: Uint8Array): Generator<Uint8Array> {
    let bytes = this.#rest.length === 0 ? viewOf(piece) : Buffer.concat([this.#rest, piece]);
    this.#rest = Buffer.alloc(0);
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32LE(0);
      if (length > MAX_OPUS_FRAME_BYTES) throw tooLong(length);
      if (bytes.length < LENGTH_BYTES + length) break;
      yield new Uint8Array(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
      bytes = bytes.subarray(LENGTH_BYTES + length);
    }
    this.#rest = Buffer.from(bytes);
  }

  /**
   * Says that no more bytes come.
   *
   * @throws CadenzaError `truncated_frame` when the last frame is not complete.
   */
  end(): void {
    if (this.#rest.length === 0) return;
    const message = `The last frame ends after ${this.#rest.length} bytes, its length included.`;
    throw new CadenzaError("truncated_frame", message);
  }
}

/**
 * A provider of the frames in a stream of bytes; also an async iterable of them.
 *
 * Reads what disgo's `OpusWriter` and {@link OpusWriter} write. Errors: `frame_too_long`, `truncated_frame`,
 * and what the stream itself fails with.
 */
export class OpusReader implements OpusFrameProvider, AsyncIterable<Uint8Array> {
  readonly #frames: AsyncGenerator<Uint8Array>;

  /** @param bytes Anything that yields bytes: a Node stream, a web stream, an array of chunks. */
  constructor(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#frames = framesOf(bytes);
  }

  /** The next frame; `null` at the end. */
  async provideOpusFrame(): Promise<ProvidedFrame> {
    const { done, value } = await this.#frames.next();
    return done ? null : value;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    return this.#frames;
  }

  /** Stops reading; a Node stream is destroyed. Idempotent. */
  close(): void {
    void this.#frames.return(undefined).catch(() => undefined);
  }
}

/** A transform stream: bytes in, one chunk per frame out (object mode). */
export function opusFrameReaderStream(): Transform {
  const splitter = new OpusFrameSplitter();
  return new Transform({
    readableObjectMode: true,
    transform(chunk: Uint8Array, _encoding, done) {
      settle(done, () => {
        for (const frame of splitter.push(chunk)) this.push(frame);
      });
    },
    flush(done) {
      settle(done, () => splitter.end());
    },
  });
}

async function* framesOf(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const splitter = new OpusFrameSplitter();
  for await (const piece of bytes) yield* splitter.push(piece);
  splitter.end();
}

function settle(done: TransformCallback, work: () => void): void {
  try {
    work();
    done();
  } catch (error) {
    done(error as Error);
  }
}

function viewOf(piece: Uint8Array): Buffer {
  return Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
}

function tooLong(length: number): CadenzaError {
  const message = `A frame is said to have ${length} bytes; ${MAX_OPUS_FRAME_BYTES} are allowed. The bytes are no length-prefixed Opus.`;
  return new CadenzaError("frame_too_long", message);
}
