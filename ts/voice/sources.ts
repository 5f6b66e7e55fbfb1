/** What a player can play: files and URLs, which Rust reads itself, and frames that come from JavaScript. */

import type { PcmShape } from "../native/push.ts";
import type { SourceSpec } from "../native/types.ts";
import type { Bytes } from "./byte-pump.ts";
import { type OpusFrameProvider, providerOf } from "./frames.ts";

/** Opus frames of 20 ms that JavaScript gives. */
export type FrameSource =
  /** A provider that is asked ahead of time. */
  | { kind: "provider"; provider: OpusFrameProvider }
  /** Anything that yields frames; its end is the end of the track. */
  | { kind: "frames"; frames: Iterable<Uint8Array> | AsyncIterable<Uint8Array> };

/**
 * Bytes that JavaScript gives: a Node or web stream, a generator, chunks, or all of them at once. They are read no
 * faster than they are played. A stream is destroyed when its track is over, a generator returned.
 */
export type StreamSource =
  /** A file of any format that can be played, from its beginning. */
  | { kind: "stream"; stream: Bytes | Uint8Array }
  /** Samples with nothing around them. Default format: 16-bit little-endian, stereo, 48 kHz. */
  | { kind: "pcm"; stream: Bytes | Uint8Array; format?: PcmShape };

/** Everything that a player can play. */
export type AudioSource = SourceSpec | FrameSource | StreamSource;

/** Whether JavaScript gives the frames. */
export function isFrameSource(source: AudioSource): source is FrameSource {
  return source.kind === "provider" || source.kind === "frames";
}

/** Whether JavaScript gives the bytes. */
export function isStreamSource(source: AudioSource): source is StreamSource {
  return source.kind === "stream" || source.kind === "pcm";
}

/** The provider behind a frame source. */
export function toProvider(source: FrameSource): OpusFrameProvider {
  return source.kind === "provider" ? source.provider : providerOf(source.frames);
}
