/** Writes length-prefixed Opus frames: u32 little endian, then so many bytes; what disgo's reader reads. */

import { Transform, type Writable } from "node:stream";
import {
  checkedFrame,
  type OpusFrameReceiver,
  type OpusPacket,
  type UserFilter,
} from "./frames.ts";

/** Options of an {@link OpusWriter}. */
export interface OpusWriterOptions {
  /** Whose frames are written. Default: everybody's, mixed in the order of arrival. */
  filter?: UserFilter;
  /**
   * Bytes that may wait in the stream; frames that find no room are counted and dropped. Default 1 MiB, about
   * two minutes of one speaker.
   */
  maxPendingBytes?: number;
}

/**
 * A receiver that writes the frames of others to a stream.
 *
 * The format knows neither users nor time: to keep users apart take one writer for each, to keep time use the
 * recorder.
 */
export class OpusWriter implements OpusFrameReceiver {
  readonly #stream: Writable;
  readonly #filter: UserFilter | undefined;
  readonly #maxPendingBytes: number;
  #dropped = 0;
  #closed = false;

  /** The stream stays the caller's: it is neither ended nor destroyed, and its errors are the caller's to handle. */
  constructor(stream: Writable, options: OpusWriterOptions = {}) {
    this.#stream = stream;
    this.#filter = options.filter;
    this.#maxPendingBytes = options.maxPendingBytes ?? 1024 * 1024;
  }

  /** Frames that found no room because the stream was too slow, or had ended. */
  get droppedFrames(): number {
    return this.#dropped;
  }

  /**
   * Writes one frame; an empty one is left out.
   *
   * @throws CadenzaError `invalid_frame` for one longer than 1,275 bytes.
   */
  receiveOpusFrame(userId: string, packet: Pick<OpusPacket, "opus">): void {
    const frame = checkedFrame(packet.opus);
    if (this.#closed || !frame || this.#filter?.(userId) === false) return;
    const room = this.#maxPendingBytes - this.#stream.writableLength;
    if (!this.#stream.writable || frame.length > room) {
      this.#dropped += 1;
      return;
    }
    this.#stream.write(prefixed(frame));
  }

  /** Nothing is kept per user. */
  cleanupUser(_userId: string): void {}

  /** Writes nothing more. Idempotent. */
  close(): void {
    this.#closed = true;
  }
}

/** A transform stream: one frame per chunk in (object mode), bytes out. */
export function opusFrameWriterStream(): Transform {
  return new Transform({
    writableObjectMode: true,
    transform(frame: unknown, _encoding, done) {
      try {
        const checked = checkedFrame(frame);
        done(null, checked && prefixed(checked));
      } catch (error) {
        done(error as Error);
      }
    },
  });
}

/** A frame as it is written. */
function prefixed(frame: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(4 + frame.length);
  bytes.writeUInt32LE(frame.length, 0);
  bytes.set(frame, 4);
  return bytes;
}
