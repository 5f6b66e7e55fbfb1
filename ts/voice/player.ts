/** The player of one call: what plays, where it is, what became of it. The sound itself is made in Rust. */

import { OPUS_FRAME_MS } from "../gateway/constants.ts";
import { type FilterSettings, type ResolvedFilters, resolveFilters } from "../native/filters.ts";
import type { EncoderOptions } from "../native/push.ts";
import type { StreamLike } from "../native/stream.ts";
import type { FlowEvent } from "../native/types.ts";
import { SafeEmitter } from "../support/emitter.ts";
import { CadenzaError } from "../support/errors.ts";
import { checkEncoder, checkMs, checkPlayOptions, checkSource } from "./checks.ts";
import { FRAMES_INFO, FramePump, type Frames } from "./frame-pump.ts";
import type { OpusFrameProvider } from "./frames.ts";
import type { PlayerEvents, PlayOptions, TrackEndReason } from "./player-types.ts";
import { PushedTrack, type PushOptions } from "./pushed-track.ts";
import { type AudioSource, isFrameSource, isStreamSource, toProvider } from "./sources.ts";
import { StreamFeed } from "./stream-feed.ts";

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
  /** The active track, where its bytes are handed over. */
  #pushed: PushedTrack | StreamFeed | undefined;
  /** Whose sound goes out here, while this one plays nothing of its own. */
  #leader: Player | undefined;
  /** The last track that was said to have failed. */
  #failure = 0;
  /** The last track of the engine that made way for frames from JavaScript; its end says so. */
  #displaced: number | undefined;

  /** @internal Made by the connection; `speak` sends the speaking flags when they change. */
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
   * Frames from JavaScript are played as they are: of the options only `paused` concerns them. Samples have no
   * place to begin or to end at but their own.
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
    if (!paused) this.#speak(1);
    let stream: StreamFeed | undefined;
    if (isStreamSource(source)) {
      const failed = (error: CadenzaError): void => this.#failed(track, error);
      stream = new StreamFeed(this.#flow, track, source, rest, failed);
    } else this.#flow.play({ track, source, ...rest });
    this.#begin(track, options.startMs ?? 0, undefined, stream);
    // At once: a stream that fails before anybody listens to it would end the process.
    stream?.wanted();
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
    const pushed = new PushedTrack(track, this.#flow, () => this.#active === track, wanted);
    this.#begin(track, 0, undefined, pushed);
    return pushed;
  }

  /** Stops what plays. */
  stop(): void {
    this.#pushed?.close();
    if (this.#active !== undefined) this.#flow.stop();
    if (this.#frames) this.#endFrames(this.#frames, "stopped");
  }

  /** Pauses: five silence frames, then nothing. */
  pause(): void {
    this.#setPaused(true);
  }

  /** Goes on where {@link Player.pause} stopped. */
  resume(): void {
    if (this.#sounds) this.#speak(1);
    this.#setPaused(false);
  }

  /**
   * Moves to a position in source time, in milliseconds.
   *
   * @throws CadenzaError `not_seekable` for frames and streams from JavaScript, `invalid_argument` for what is no number.
   */
  seek(positionMs: number): void {
    checkMs(positionMs ?? Number.NaN, "A position", Number.NEGATIVE_INFINITY);
    if (this.#frames || this.#pushed) {
      throw new CadenzaError("not_seekable", "Sound from JavaScript cannot be sought in.");
    }
    if (this.#active === undefined) return;
    this.#startMs = Math.max(0, positionMs);
    this.#flow.seek(this.#startMs);
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
   * Changes encoder settings of this track and of those to come; those left out stay. Heard within half a second.
   * Opus that passes through is not touched. Default: 128 000 bit/s at complexity 10, without FEC.
   *
   * @throws CadenzaError `invalid_argument` for a value out of its range; nothing was changed.
   */
  setEncoder(encoder: EncoderOptions): void {
    checkEncoder(encoder);
    this.#flow.setEncoder(encoder);
  }

  /** @internal What plays here is another player's, until there is none. */
  follow(leader: Player | undefined): void {
    this.#leader = leader;
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
        this.#failed(event.track, event);
        return this.#end(event.track, "failed");
      case "track_stalled":
        return this.emit("trackStuck", event.track, event.forMs);
      case "track_starved":
        return this.emit("trackStarved", event.track);
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
    const waiting = this.#frames?.pump.drained() ?? this.#sounds;
    if (!waiting || this.#paused) this.#speak(0);
  }

  /** Whether something plays here, of its own or of the player that is followed. */
  get #sounds(): boolean {
    const { playing, paused } = this.#leader ?? { playing: false, paused: false };
    return this.#active !== undefined || (playing && !paused);
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#flow.setPaused(paused);
  }

  #begin(track: number, startMs: number, frames?: Frames, pushed?: PushedTrack | StreamFeed): void {
    const before = this.#frames;
    this.#pushed?.close();
    this.#pushed = pushed;
    this.#track = track;
    this.#active = track;
    this.#startMs = startMs;
    this.#frames = frames;
    if (before) this.#endFrames(before, "replaced");
  }

  #playFrames(track: number, provider: OpusFrameProvider): number {
    if (!this.#frames && this.#active !== undefined) this.#displaced = this.#active;
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
    let said = reason === "stopped" && this.#displaced === track ? "replaced" : reason;
    if (this.#pushed?.track === track) {
      if (this.#pushed.failed && reason === "finished") said = "failed";
      this.#pushed.close();
      this.#pushed = undefined;
    }
    this.emit("trackEnd", track, said);
  }

  /** Tells once what went wrong: a stream that breaks off may leave the engine half a file. */
  #failed(track: number, { code, message }: { code: string; message: string }): void {
    if (this.#failure === track) return;
    this.#failure = track;
    this.emit("trackError", track, { code, message });
  }
}

export type { PlayerEvents, PlayOptions, TrackEndReason };
