/** What a player is told when it plays, and what it tells. */

import type { EncoderOptions } from "../native/push.ts";
import type { StreamMetadata, TrackInfo } from "../native/types.ts";

/** How a track ended. */
export type TrackEndReason = "finished" | "stopped" | "replaced" | "failed";

/** Options of `Player.play`. */
export interface PlayOptions {
  /** Where to begin, in milliseconds of source time. Default 0. */
  startMs?: number;
  /** Where to end, in milliseconds of source time. Default: the end of the source. */
  endMs?: number;
  /** Begins paused. Default false. */
  paused?: boolean;
  /** Opus encoder, for tracks that are not passed through; what is left out is as `Player.setEncoder` says. */
  encoder?: EncoderOptions;
}

/** Events of a `Player`; `track` is the number that `Player.play` returned. */
export type PlayerEvents = {
  trackStart: [track: number, info: TrackInfo];
  trackEnd: [track: number, reason: TrackEndReason];
  trackError: [track: number, error: { code: string; message: string }];
  trackStuck: [track: number, forMs: number];
  /** A stream of bytes is late: nothing is left to play at the moment. Once until sound comes again. */
  trackStarved: [track: number];
  /** The source says what it plays now, as radio streams do; after `trackStart`. */
  trackMetadata: [track: number, metadata: StreamMetadata];
};
