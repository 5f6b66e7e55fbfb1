/** Opus frames from and for JavaScript: what gives them, what takes them, and how each is asked. */

import { MAX_OPUS_FRAME_BYTES } from "../gateway/constants.ts";
import { CadenzaError } from "../support/errors.ts";

/** A frame, nothing at present, or the end (`null`). */
export type ProvidedFrame = Uint8Array | undefined | null;

/**
 * Gives Opus frames of 20 ms, one after the other.
 *
 * It is asked ahead of time, about a second's worth in one go, never inside a tick of the clock: an answer
 * that comes late delays its own call alone.
 */
export interface OpusFrameProvider {
  /**
   * The next frame. `undefined` or an empty one means that there is nothing to say at present: five silence
   * frames go out, then Speaking 0, and the provider is asked again every 20 ms. `null` is the end.
   * What it throws, or rejects with, ends it as `provider_failed`.
   */
  provideOpusFrame(): ProvidedFrame | Promise<ProvidedFrame>;
  /** Told once when nothing more will be asked: stopped, replaced, failed, or after the end. */
  close?(): void;
}

/** One packet that was received. */
export interface OpusPacket {
  /** RTP sequence number, 16 bits. */
  sequence: number;
  /** RTP timestamp in samples at 48 kHz, 32 bits. */
  timestamp: number;
  /** Which stream of the sender it is. */
  ssrc: number;
  /** The Opus frame. */
  opus: Uint8Array;
}

/** Takes the Opus frames of others. */
export interface OpusFrameReceiver {
  /** One packet of a user, in order. What it throws is reported and changes nothing else. */
  receiveOpusFrame(userId: string, packet: OpusPacket): void;
  /** A user is gone: what is kept for them can be dropped. */
  cleanupUser?(userId: string): void;
  /** Told once when nothing more comes. */
  close?(): void;
}

/** Decides whether a user is heard; asked before any work is spent on the user's packets. */
export type UserFilter = (userId: string) => boolean;

/** A provider of whatever yields frames; its end is the end. The iterator is returned when the provider is closed. */
export function providerOf(
  frames: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): OpusFrameProvider {
  const iterator =
    Symbol.asyncIterator in frames ? frames[Symbol.asyncIterator]() : frames[Symbol.iterator]();
  return {
    provideOpusFrame: () => {
      const result = iterator.next();
      return result instanceof Promise ? result.then(frameOf) : frameOf(result);
    },
    close: () => {
      // A generator that still waits for its next value settles this only then; nobody waits for it here.
      void Promise.resolve(iterator.return?.()).catch(() => undefined);
    },
  };
}

/**
 * The frame, or undefined for an empty answer.
 *
 * @throws CadenzaError `invalid_frame` when it is no byte array, or longer than 1,275 bytes.
 */
export function checkedFrame(frame: unknown): Uint8Array | undefined {
  if (frame === undefined) return undefined;
  if (!(frame instanceof Uint8Array)) {
    throw new CadenzaError("invalid_frame", "An Opus frame has to be a Uint8Array.");
  }
  if (frame.length > MAX_OPUS_FRAME_BYTES) {
    const message = `An Opus frame has ${MAX_OPUS_FRAME_BYTES} bytes at most, not ${frame.length}.`;
    throw new CadenzaError("invalid_frame", message);
  }
  return frame.length === 0 ? undefined : frame;
}

function frameOf(result: IteratorResult<Uint8Array>): ProvidedFrame {
  return result.done ? null : result.value;
}
