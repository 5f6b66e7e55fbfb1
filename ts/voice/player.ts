/** The player of one call: what plays, where it is, what became of it. The sound itself is made in Rust. */

import type { FlowEvent, FlowLike, PlayRequest, SourceSpec, TrackInfo } from "../native/types.ts";
import { SafeEmitter } from "../support/emitter.ts";

/** How a track ended. */
export type TrackEndReason = "finished" | "stopped" | "replaced" | "failed";

/** Options of {@link Player.play}. */
export interface PlayOptions {
  /** Where to begin, in milliseconds of source time. Default 0. */
  startMs?: number;
  /** Where to end, in milliseconds of source time. Default: the end of the source. */
  endMs?: number;
  /** Begins paused. Default false. */
  paused?: boolean;
  /** Opus encoder, for tracks that are not passed through. Default 128 000 bit/s at complexity 10. */
  encoder?: { bitrate?: number; complexity?: number };
}

/** Events of a {@link Player}; `track` is the number that {@link Player.play} returned. */
export type PlayerEvents = {
  trackStart: [track: number, info: TrackInfo];
  trackEnd: [track: number, reason: TrackEndReason];
  trackError: [track: number, error: { code: string; message: string }];
  trackStuck: [track: number, forMs: number];
};

/** Plays one track at a time into one call. */
export class Player extends SafeEmitter<PlayerEvents> {
  readonly #flow: FlowLike;
  readonly #speak: (flags: number) => void;
  #track = 0;
  #active: number | undefined;
  #paused = false;
  #startMs = 0;

  /** Made by the connection; `speak` sends the speaking flags when they change. */
  constructor(flow: FlowLike, speak: (flags: number) => void) {
    super();
    this.#flow = flow;
    this.#speak = speak;
  }

  /** Whether a track is playing or paused. */
  get playing(): boolean {
    return this.#active !== undefined;
  }

  /** Whether the player is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Position in source time, in milliseconds; 0 when nothing plays. */
  get positionMs(): number {
    if (this.#active === undefined) return 0;
    const stats = this.#flow.stats();
    return stats?.playingTrack === this.#active ? stats.positionMs : this.#startMs;
  }

  /**
   * Plays a source and returns the track's number. It replaces what plays; before the call is
   * connected the track waits at its start.
   *
   * @throws CadenzaError `invalid_argument` when the request cannot be understood. What is wrong with
   * the source itself comes as `trackError`.
   */
  play(source: SourceSpec, options: PlayOptions = {}): number {
    const { paused = false, ...rest } = options;
    const request: PlayRequest = { track: this.#track + 1, source, ...rest };
    this.#paused = paused;
    this.#flow.setPaused(paused);
    if (!paused) this.#speak(1);
    this.#flow.play(request);
    this.#track = request.track;
    this.#active = request.track;
    this.#startMs = options.startMs ?? 0;
    return request.track;
  }

  /** Stops what plays. */
  stop(): void {
    if (this.#active !== undefined) this.#flow.stop();
  }

  /** Pauses: five silence frames, then nothing. */
  pause(): void {
    this.#paused = true;
    this.#flow.setPaused(true);
  }

  /** Goes on where {@link Player.pause} stopped. */
  resume(): void {
    this.#paused = false;
    if (this.#active !== undefined) this.#speak(1);
    this.#flow.setPaused(false);
  }

  /** Moves to a position in source time, in milliseconds. */
  seek(positionMs: number): void {
    if (this.#active !== undefined) this.#flow.seek(Math.max(0, positionMs));
  }

  /** Takes the events of the native flow; called by the connection. */
  handle(event: FlowEvent): void {
    switch (event.type) {
      case "track_started":
        return this.emit("trackStart", event.track, event.info);
      case "track_ended":
        return this.#end(event.track, event.reason);
      case "track_failed":
        this.emit("trackError", event.track, { code: event.code, message: event.message });
        return this.#end(event.track, "failed");
      case "track_stalled":
        return this.emit("trackStuck", event.track, event.forMs);
      case "drained":
        if (this.#active === undefined || this.#paused) this.#speak(0);
        return;
    }
  }

  #end(track: number, reason: TrackEndReason): void {
    if (this.#active === track) this.#active = undefined;
    this.emit("trackEnd", track, reason);
  }
}
