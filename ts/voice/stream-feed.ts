/** A track whose bytes JavaScript gives: a file of any format, or samples, from a stream, into the engine. */

import type { EncoderOptions } from "../native/push.ts";
import type { StreamLike } from "../native/stream.ts";
import type { CadenzaError } from "../support/errors.ts";
import { BytePump } from "./byte-pump.ts";
import type { StreamSource } from "./sources.ts";

/** What of the options of a track concerns a stream. */
export interface StreamOptions {
  startMs?: number;
  endMs?: number;
  encoder?: EncoderOptions;
}

/** One stream on its way into the track that it is. */
export class StreamFeed {
  readonly track: number;
  readonly #pump: BytePump;
  #failed = false;

  /**
   * Opens the track; it replaces what plays.
   *
   * @param failed Told once when the stream fails; what it gave before is still played.
   * @throws CadenzaError when the engine refuses; then what played goes on, and the stream was not touched.
   */
  constructor(
    flow: StreamLike,
    track: number,
    source: StreamSource,
    options: StreamOptions,
    failed: (error: CadenzaError) => void,
  ) {
    this.track = track;
    flow.openPush({ track, ...contentOf(source, options) });
    const bytes = source.stream instanceof Uint8Array ? [source.stream] : source.stream;
    this.#pump = new BytePump(bytes, flow, (error) => {
      this.#failed = true;
      failed(error);
    });
  }

  /** Whether the stream failed before its end. */
  get failed(): boolean {
    return this.#failed;
  }

  /** The engine has room: goes on reading. */
  wanted(): void {
    this.#pump.wanted();
  }

  /** Reads no more, and lets go of the stream. Idempotent. */
  close(): void {
    this.#pump.close();
  }
}

function contentOf(source: StreamSource, { encoder, startMs, endMs }: StreamOptions) {
  const settings = encoder && { encoder };
  if (source.kind === "pcm") return { pcm: source.format ?? {}, ...settings };
  const range = { ...(startMs && { startMs }), ...(endMs !== undefined && { endMs }) };
  return { file: range, ...settings };
}
