/** One player of one bot in one guild: ops in, events out. */

import type { GatewayStatus, Reason } from "../gateway/index.ts";
import type { TrackInfo } from "../native/types.ts";
import type { ResolvedFilters } from "../voice/filters.ts";
import type { TrackEndReason as PlayerEndReason, PlayOptions } from "../voice/player.ts";
import { OpError } from "./ops/fields.ts";
import type {
  NodeEvent,
  Play,
  PlayerInfo,
  Push,
  TrackEndReason,
  VoiceUpdate,
} from "./ops/protocol.ts";
import { toWire } from "./ops/set-filter.ts";
import { PushedSound } from "./pushed-sound.ts";
import { TrackIds } from "./track-ids.ts";
import type { Tracks } from "./tracks.ts";
import type { CallPort } from "./voice-port.ts";

/** What a player is made of. */
export interface NodePlayerParts {
  guildId: string;
  userId: string;
  call: CallPort;
  tracks: Tracks;
  updateIntervalMs: number;
  /** For what has to be encoded. */
  encoder: NonNullable<PlayOptions["encoder"]>;
  /** Throws when the node takes no track where nothing has played for so many milliseconds. */
  admitTrack: (silentMs: number) => void;
  tell: (event: NodeEvent) => void;
}

/** A player. */
export class NodePlayer {
  readonly #parts: NodePlayerParts;
  readonly #trackIds = new TrackIds();
  readonly #updates: NodeJS.Timeout;
  #track: number | undefined;
  /** What plays, where the client pushes it. */
  #pushed: PushedSound | undefined;
  /** The play that still looks its track up. */
  #opening: AbortController | undefined;
  /** When something played last; a new player counts as heard, since it has just been let in. */
  #heardAt = performance.now();
  #destroyed = false;

  constructor(parts: NodePlayerParts) {
    this.#parts = parts;
    const { call, guildId } = parts;
    call.on("stateChange", (status, reason) => this.#onState(status, reason));
    call.player.on("trackStart", (track, info) => this.#onStart(track, info));
    call.player.on("trackEnd", (track, reason) => this.#onEnd(track, reason));
    call.player.on("trackError", (track, { code, message }) => {
      const about = { guild_id: guildId, track_id: this.#trackIds.of(track) };
      if (about.track_id !== "" && this.#pushed?.track !== track)
        parts.tracks.failed(about.track_id);
      this.#tell({ type: "track_error", ...about, code, message });
    });
    call.player.on("trackStuck", (track, forMs) => {
      const about = { guild_id: guildId, track_id: this.#trackIds.of(track) };
      this.#tell({ type: "track_stuck", ...about, for_ms: Math.round(forMs) });
    });
    call.player.on("trackMetadata", (track, said) => {
      const about = { guild_id: guildId, track_id: this.#trackIds.of(track) };
      const { title = null, station = null, url = null } = said;
      this.#tell({ type: "track_metadata", ...about, title, station, url });
    });
    this.#updates = setInterval(() => this.update(), parts.updateIntervalMs);
    this.#updates.unref();
  }

  /** Takes voice credentials. */
  connect(d: VoiceUpdate): void {
    const { call, guildId, userId } = this.#parts;
    if (d.endpoint === null) return call.serverLost();
    call.provide({
      guildId,
      userId,
      sessionId: d.session_id,
      token: d.token,
      endpoint: d.endpoint,
      ...(d.channel_id === undefined ? {} : { channelId: d.channel_id }),
    });
  }

  /**
   * Plays a track.
   *
   * @throws OpError `already_playing` when it must not replace what plays, `interrupted` when another op made it
   * pointless before its track was found, and those of `Tracks.open`.
   */
  async play(d: Required<Play>): Promise<void> {
    const { player } = this.#parts.call;
    this.#mustAdmit(d.replace);
    this.#opening = new AbortController();
    const source = await this.#parts.tracks.open(d.track_id, this.#opening.signal);
    this.#opening = undefined;
    if (this.#destroyed) throw new OpError("no_player", "The player ended while the track opened.");
    const end = d.end_time === 0 ? {} : { endMs: d.end_time };
    const { encoder } = this.#parts;
    const track = player.play(source, { startMs: d.start_time, ...end, encoder });
    this.#track = track;
    this.#pushed = undefined;
    this.#trackIds.add(track, d.track_id);
  }

  /**
   * Begins a track whose sound is pushed.
   *
   * @throws OpError `already_playing` when it must not replace what plays.
   */
  push(d: Required<Push>): void {
    this.#mustAdmit(d.replace);
    const { call, guildId: guild_id, encoder } = this.#parts;
    const { format, sample_rate: sampleRate, channels, track_id } = d;
    const samples = format === "opus" ? {} : { pcm: { sampleType: format, sampleRate, channels } };
    const begin = (wanted: (frames: number) => void) =>
      call.player.push({ ...samples, encoder, wanted });
    const pushed = new PushedSound(d, begin, (frames) => {
      this.#tell({ type: "push_wanted", guild_id, track_id, frames });
    });
    this.#pushed = pushed;
    this.#track = pushed.track;
    this.#trackIds.add(pushed.track, track_id);
  }

  /** Takes pushed sound. */
  take(sound: Buffer): void {
    this.#mustPush().take(sound);
  }

  /** What is pushed ends when all of it has been sent. */
  endPush(): void {
    this.#mustPush().end();
  }

  /** A play that still looks its track up is not wanted any more. */
  interrupt(): void {
    const message =
      "Another op of this guild came before the track was found; nothing was changed.";
    this.#opening?.abort(new OpError("interrupted", message));
  }

  /** Stops what plays. */
  stop(): void {
    this.#mustPlay().stop();
  }

  /** Pauses or resumes what plays. */
  setPaused(paused: boolean): void {
    const player = this.#mustPlay();
    if (paused) player.pause();
    else player.resume();
    this.update();
  }

  /** Moves to a position. */
  seek(positionMs: number): void {
    const player = this.#mustPlay();
    if (this.#pushed) throw new OpError("not_seekable", "What is pushed cannot be sought in.");
    player.seek(positionMs);
    this.update();
  }

  /** Replaces the filters; they stay for the tracks to come. */
  setFilters(filters: ResolvedFilters): void {
    this.#parts.call.player.setFilters(filters);
    this.update();
  }

  /** Sets the volume in percent; it stays for the tracks to come. */
  setVolume(percent: number): void {
    this.#parts.call.player.setVolume(percent / 100);
    this.update();
  }

  /** How things stand. */
  info(): PlayerInfo {
    const { call, guildId } = this.#parts;
    const stats = call.stats();
    return {
      guild_id: guildId,
      track_id: this.#track === undefined ? null : this.#trackIds.of(this.#track),
      position: Math.round(call.player.positionMs),
      paused: call.player.paused,
      volume: Math.round(call.player.volume * 100),
      speed: speedOf(call.player.filters),
      filters: toWire(call.player.filters),
      connected: this.connected,
      ping: call.ping ? Math.round(call.ping.lastMs * 10) / 10 : null,
      packets_sent: stats?.packetsSent ?? 0,
      packets_late: stats?.packetsLate ?? 0,
      state: call.status,
    };
  }

  /** Whether something is heard, could be, or not. */
  get standing(): "playing" | "paused" | "idle" {
    const { player } = this.#parts.call;
    if (!player.playing) return "idle";
    return player.paused ? "paused" : "playing";
  }

  /** Whether the voice connection can carry sound. */
  get connected(): boolean {
    return this.#parts.call.status === "ready";
  }

  /** Frames that wait while a track plays. */
  get queueFrames(): number | undefined {
    return this.standing === "playing" ? this.#parts.call.stats()?.queueFrames : undefined;
  }

  /** Tells how things stand. */
  update(): void {
    const { state: _, filters: __, ...update } = this.info();
    this.#tell({ type: "player_update", ...update });
  }

  /** Ends the player and its call. Idempotent. */
  async destroy(): Promise<void> {
    if (this.#destroyed) return;
    const { guildId: guild_id, call } = this.#parts;
    for (const track_id of this.#trackIds.all) {
      this.#tell({ type: "track_end", guild_id, track_id, reason: "cleanup" });
    }
    this.interrupt();
    this.#destroyed = true;
    clearInterval(this.#updates);
    await call.destroy();
  }

  #mustPlay(): CallPort["player"] {
    const { player } = this.#parts.call;
    if (player.playing) return player;
    throw new OpError("not_playing", "Nothing plays in this guild.");
  }

  #mustPush(): PushedSound {
    if (this.#pushed) return this.#pushed;
    throw new OpError("not_pushing", "Nothing is pushed in this guild; send push first.");
  }

  #mustAdmit(replace: boolean): void {
    const { playing } = this.#parts.call.player;
    if (!replace && playing) {
      const message = "A track plays, and replace is false; nothing was changed.";
      throw new OpError("already_playing", message);
    }
    if (!playing) this.#parts.admitTrack(performance.now() - this.#heardAt);
  }

  #onState(status: GatewayStatus, reason: Reason | undefined): void {
    this.#tell({
      type: "voice_state",
      guild_id: this.#parts.guildId,
      state: status,
      ...(reason ? { code: reason.code, message: reason.message } : {}),
      ...(reason?.closeCode === undefined ? {} : { close_code: reason.closeCode }),
    });
    if (status === "ready" || status === "disconnected") this.update();
  }

  #onStart(track: number, info: TrackInfo): void {
    const { codec, passthrough, durationMs } = info;
    const about = { guild_id: this.#parts.guildId, track_id: this.#trackIds.of(track) };
    const length = durationMs === undefined ? null : Math.round(durationMs);
    this.#tell({ type: "track_start", ...about, passthrough, codec, length });
    this.update();
  }

  #onEnd(track: number, reason: PlayerEndReason): void {
    const about = { guild_id: this.#parts.guildId, track_id: this.#trackIds.of(track) };
    this.#trackIds.delete(track);
    this.#heardAt = performance.now();
    if (this.#track === track) this.#track = undefined;
    if (this.#pushed?.track === track) this.#pushed = undefined;
    this.#tell({ type: "track_end", ...about, reason: endReason(reason) });
    this.update();
  }

  #tell(event: NodeEvent): void {
    if (!this.#destroyed) this.#parts.tell(event);
  }
}

/** How fast the position grows while the track plays. */
function speedOf({ timescale }: ResolvedFilters): number {
  return timescale ? timescale.speed * timescale.rate : 1;
}

function endReason(reason: PlayerEndReason): TrackEndReason {
  return reason === "failed" ? "load_failed" : reason;
}
