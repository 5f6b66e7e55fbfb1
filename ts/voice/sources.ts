/** What a player can play: files and URLs, which Rust reads itself, and frames that come from JavaScript. */

import type { SourceSpec } from "../native/types.ts";
import { type OpusFrameProvider, providerOf } from "./frames.ts";

/** Opus frames of 20 ms that JavaScript gives. */
export type FrameSource =
  /** A provider that is asked ahead of time. */
  | { kind: "provider"; provider: OpusFrameProvider }
  /** Anything that yields frames; its end is the end of the track. */
  | { kind: "frames"; frames: Iterable<Uint8Array> | AsyncIterable<Uint8Array> };

/** Everything that a player can play. */
export type AudioSource = SourceSpec | FrameSource;

/** Whether JavaScript gives the frames. */
export function isFrameSource(source: AudioSource): source is FrameSource {
  return source.kind === "provider" || source.kind === "frames";
}

/** The provider behind a frame source. */
export function toProvider(source: FrameSource): OpusFrameProvider {
  return source.kind === "provider" ? source.provider : providerOf(source.frames);
}
