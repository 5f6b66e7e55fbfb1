/** The player of one call: what plays, where it is, what became of it. The sound itself is made in Rust. */

import { OPUS_CHANNELS, OPUS_FRAME_MS, OPUS_SAMPLE_RATE_HZ } from "../gateway/constants.ts";
import { type FilterSettings, type ResolvedFilters, resolveFilters } from "../native/filters.ts";
import type { StreamLike } from "../native/stream.ts";
import type { FlowEvent, PlayRequest, StreamMetadata, TrackInfo } from "../native/types.ts";
import { SafeEmitter } from "../support/emitter.ts";
import { CadenzaError } from "../support/errors.ts";
import { checkMs, checkPlayOptions, checkSource } from "./checks.ts";
import { FramePump } from "./frame-pump.ts";
import type { OpusFrameProvider } from "./frames.ts";
import { PushedTrack, type PushOptions } from "./pushed-track.ts";
import { type AudioSource, isFrameSource, toProvider } from "./sources.ts";

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
  /** The source says what it plays now, as radio streams do; after `trackStart`. */
  trackMetadata: [track: number, metadata: StreamMetadata];
};

/** What is known of frames that JavaScript gives. */
const FRAMES_INFO: TrackInfo = {
  container: "frames",
  codec: "opus",
  passthrough: true,
  sampleRate: OPUS_SAMPLE_RATE_HZ,
  channels: OPUS_CHANNELS,
};

/** A track whose frames come from JavaScript. */
interface Frames {
  track: number;
  pump: FramePump;
  failed: boolean;
}

/** Plays one track at a time into one call. */
export class Player extends SafeEmitter<PlayerEvents> {
  readonly #flow: StreamLike;
  readonly #speak: (flags: number) => void;
  #track = 0;
  #active: number | undefined;
  #paused = false;
  #startMs = 0;
  #filters: ResolvedFilters = {};
  #volume = 1;
  /** The active track, where JavaScript gives its frames. */
  #frames: Frames | undefined;
  /** The active track, where its sound is pushed. */
  #pushed: PushedTrack | undefined;
  /** The last track of the engine that made way for frames from JavaScript; its end says so. */
  #displaced: number | undefined;

  /**
   * Made by the connection; `speak` sends the speaking flags when they change.
   *
   * @internal
   */
  constructor(flow: StreamLike, speak: (flags: number) => void) {
    super();
    this.#flow = flow;
    this.#speak = speak;
  }

  /** Whether a track is playing or paused. */
  get playing(): boolean {
    return this.#active !== undefined;
  }

  /** The number of the track that is playing or paused. */
  get track(): number | undefined {
    return this.#active;
  }

  /** Whether the player is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** The filters that are set, with all their fields; empty when there are none. */
  get filters(): ResolvedFilters {
    return this.#filters;
  }

  /** The volume, 0 to 10; 1 is unchanged. */
  get volume(): number {
    return this.#volume;
  }

  /** Position in source time, in milliseconds; 0 when nothing plays. */
  get positionMs(): number {
    if (this.#active === undefined) return 0;
    const stats = this.#flow.stats();
    if (this.#frames) {
      const { handedOver } = this.#frames.pump;
      return Math.max(0, handedOver - (stats?.queueFrames ?? 0)) * OPUS_FRAME_MS;
    }
    return stats?.playingTrack === this.#active ? stats.positionMs : this.#startMs;
  }

  /**
   * Plays a source and returns the track's number. It replaces what plays; before the call is
   * connected the track waits at its start.
   *
   * Frames from JavaScript are played as they are: of the options only `paused` concerns them.
   *
   * @throws CadenzaError `invalid_argument` when the request cannot be understood. What is wrong with
   * the source itself comes as `trackError`.
   */
  play(source: AudioSource, options: PlayOptions = {}): number {
    checkSource(source);
    checkPlayOptions(options);
    const { paused = false, ...rest } = options;
    const track = this.#track + 1;
    this.#setPaused(paused);
    if (isFrameSource(source)) return this.#playFrames(track, toProvider(source));
    const request: PlayRequest = { track, source, ...rest };
    if (!paused) this.#speak(1);
    this.#flow.play(request);
    const before = this.#frames;
    this.#begin(track, options.startMs ?? 0, undefined);
    if (before) this.#endFrames(before, "replaced");
    return track;
  }

  /**
   * Begins a track whose sound is handed over bit by bit: Opus packets, or samples, which filters and volume
   * change like those of any other track. It replaces what plays.
   *
   * @throws CadenzaError `invalid_format` for samples of an impossible shape; then what played goes on.
   */
  push(options: PushOptions): PushedTrack {
    const { wanted, ...request } = options;
    const track = this.#track + 1;
    this.#flow.openPush({ track, ...request });
    this.#setPaused(false);
    this.#speak(1);
    const before = this.#frames;
    this.#begin(track, 0, undefined);
    this.#pushed = new PushedTrack(track, this.#flow, () => this.#active === track, wanted);
    if (before) this.#endFrames(before, "replaced");
    return this.#pushed;
  }

  /** Stops what plays. */
  stop(): void {
    if (this.#active !== undefined) this.#flow.stop();
    if (this.#frames) this.#endFrames(this.#frames, "stopped");
  }

  /** Pauses: five silence frames, then nothing. */
  pause(): void {
    this.#setPaused(true);
  }

  /** Goes on where {@link Player.pause} stopped. */
  resume(): void {
    if (this.#active !== undefined) this.#speak(1);
    this.#setPaused(false);
  }

  /**
   * Moves to a position in source time, in milliseconds.
   *
   * @throws CadenzaError `not_seekable` for frames from JavaScript, `invalid_argument` for what is no number.
   */
  seek(positionMs: number): void {
    checkMs(positionMs ?? Number.NaN, "A position", Number.NEGATIVE_INFINITY);
    if (this.#frames) {
      throw new CadenzaError("not_seekable", "Frames from JavaScript cannot be sought in.");
    }
    if (this.#active !== undefined) this.#flow.seek(Math.max(0, positionMs));
  }

  /**
   * Replaces all filters, for this track and those to come; heard within 60 ms, without a click. Called with
   * nothing it turns them off, and Opus passes through again. Frames from JavaScript are played as they are.
   *
   * @throws FilterError with the field, what it takes and what it was given; nothing was changed.
   */
  setFilters(filters: FilterSettings = {}): void {
    const resolved = resolveFilters(filters);
    this.#flow.setFilters(filters);
    this.#filters = resolved;
  }

  /**
   * Sets the volume, for this track and those to come; heard within 60 ms. 1 changes nothing, 0 is silence,
   * 0.5 is heard as half as loud (-7.6 dB), 10 is the most. What gets too loud is limited softly.
   *
   * @throws FilterError when the volume is not a number from 0 to 10.
   */
  setVolume(volume: number): void {
    this.#flow.setVolume(volume);
    this.#volume = volume;
  }

  /**
   * Takes the events of the native flow; called by the connection.
   *
   * @internal
   */
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
      case "track_metadata":
        return this.emit("trackMetadata", event.track, event.metadata);
      case "frames_wanted":
        return (this.#frames?.pump ?? this.#pushed)?.wanted(event.count);
      case "drained":
        return this.#onDrained();
    }
  }

  /** Five silence frames went out: nobody speaks here, unless a track of the engine is only waited for. */
  #onDrained(): void {
    const waiting = this.#frames?.pump.drained() ?? this.#active !== undefined;
    if (!waiting || this.#paused) this.#speak(0);
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#flow.setPaused(paused);
  }

  #begin(track: number, startMs: number, frames: Frames | undefined): void {
    this.#track = track;
    this.#active = track;
    this.#startMs = startMs;
    this.#frames = frames;
    this.#pushed = undefined;
  }

  #playFrames(track: number, provider: OpusFrameProvider): number {
    const before = this.#frames;
    if (!before && this.#active !== undefined) this.#displaced = this.#active;
    this.#flow.stop();
    const pump = new FramePump(provider, this.#flow, {
      started: () => this.emit("trackStart", track, FRAMES_INFO),
      speaking: () => !this.#paused && this.#speak(1),
      stalled: (forMs) => this.emit("trackStuck", track, forMs),
      failed: ({ code, message }) => {
        frames.failed = true;
        this.emit("trackError", track, { code, message });
      },
      ended: () => this.#endFrames(frames, frames.failed ? "failed" : "finished"),
    });
    const frames: Frames = { track, pump, failed: false };
    this.#begin(track, 0, frames);
    if (before) this.#endFrames(before, "replaced");
    pump.start();
    return track;
  }

  #endFrames(frames: Frames, reason: TrackEndReason): void {
    frames.pump.close();
    if (this.#frames === frames) this.#frames = undefined;
    this.#end(frames.track, reason);
  }

  #end(track: number, reason: TrackEndReason): void {
    if (this.#active === track) this.#active = undefined;
    const replaced = reason === "stopped" && this.#displaced === track;
    this.emit("trackEnd", track, replaced ? "replaced" : reason);
  }
}
