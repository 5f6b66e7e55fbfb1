/** One player of one bot in one guild: ops in, events out. */

import type { GatewayStatus, Reason } from "../gateway/index.ts";
import type { TrackInfo } from "../native/types.ts";
import type { TrackEndReason as PlayerEndReason } from "../voice/player.ts";
import { OpError } from "./ops/fields.ts";
import type { NodeEvent, Play, TrackEndReason, VoiceUpdate } from "./ops/protocol.ts";
import type { Sources } from "./sources.ts";
import { decodeTrackId } from "./track-id.ts";
import type { CallPort } from "./voice-port.ts";

/** What a player is made of. */
export interface NodePlayerParts {
  guildId: string;
  userId: string;
  call: CallPort;
  sources: Sources;
  updateIntervalMs: number;
  tell: (event: NodeEvent) => void;
}

/** A player. */
export class NodePlayer {
  readonly #parts: NodePlayerParts;
  readonly #trackIds = new Map<number, string>();
  readonly #updates: NodeJS.Timeout;
  #destroyed = false;

  constructor(parts: NodePlayerParts) {
    this.#parts = parts;
    const { call } = parts;
    call.on("stateChange", (status, reason) => this.#onState(status, reason));
    call.player.on("trackStart", (track, info) => this.#onStart(track, info));
    call.player.on("trackEnd", (track, reason) => this.#onEnd(track, reason));
    call.player.on("trackError", (track, error) => this.#onError(track, error));
    call.player.on("trackStuck", (track, forMs) => {
      this.#tell({
        type: "track_stuck",
        guild_id: parts.guildId,
        track_id: this.#idOf(track),
        for_ms: forMs,
      });
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

  /** Plays a track. */
  async play(d: Required<Play>): Promise<void> {
    const { call, sources } = this.#parts;
    if (!d.replace && call.player.playing) {
      throw new OpError(
        "already_playing",
        "A track plays, and replace is false; nothing was changed.",
      );
    }
    const source = await sources.resolve(decodeTrackId(d.track_id).url);
    if (this.#destroyed) throw new OpError("no_player", "The player was destroyed meanwhile.");
    const end = d.end_time === 0 ? {} : { endMs: d.end_time };
    const track = call.player.play(source, { startMs: d.start_time, ...end });
    this.#trackIds.set(track, d.track_id);
  }

  /** Stops what plays. */
  stop(): void {
    this.#mustPlay().stop();
  }

  /** Pauses or resumes; without a track it changes nothing but the state the next one finds. */
  setPaused(paused: boolean): void {
    const player = this.#mustPlay();
    if (paused) player.pause();
    else player.resume();
    this.update();
  }

  /** Moves to a position. */
  seek(positionMs: number): void {
    this.#mustPlay().seek(positionMs);
    this.update();
  }

  /** Tells how things stand. */
  update(): void {
    const { call, guildId } = this.#parts;
    const stats = call.stats();
    const current =
      stats?.playingTrack === undefined ? undefined : this.#trackIds.get(stats.playingTrack);
    this.#tell({
      type: "player_update",
      guild_id: guildId,
      track_id: current ?? null,
      position: Math.round(call.player.positionMs),
      paused: call.player.paused,
      connected: call.status === "ready",
      ping: call.ping ? Math.round(call.ping.lastMs * 10) / 10 : null,
      packets_sent: stats?.packetsSent ?? 0,
      packets_late: stats?.packetsLate ?? 0,
    });
  }

  /** Ends the player and its call. Idempotent. */
  async destroy(): Promise<void> {
    if (this.#destroyed) return;
    for (const trackId of this.#trackIds.values()) {
      this.#tell({
        type: "track_end",
        guild_id: this.#parts.guildId,
        track_id: trackId,
        reason: "cleanup",
      });
    }
    this.#destroyed = true;
    clearInterval(this.#updates);
    await this.#parts.call.destroy();
  }

  #mustPlay(): CallPort["player"] {
    const { player } = this.#parts.call;
    if (player.playing) return player;
    throw new OpError("not_playing", "Nothing plays in this guild.");
  }

  #onState(status: GatewayStatus, reason: Reason | undefined): void {
    this.#tell({
      type: "voice_state",
      guild_id: this.#parts.guildId,
      state: status,
      ...(reason ? { code: reason.code, message: reason.message } : {}),
      ...(reason?.closeCode === undefined ? {} : { close_code: reason.closeCode }),
    });
  }

  #onStart(track: number, info: TrackInfo): void {
    const { codec, passthrough, durationMs } = info;
    const about = { guild_id: this.#parts.guildId, track_id: this.#idOf(track) };
    this.#tell({ type: "track_start", ...about, passthrough, codec, length: durationMs ?? null });
    this.update();
  }

  #onError(track: number, error: { code: string; message: string }): void {
    this.#tell({
      type: "track_error",
      guild_id: this.#parts.guildId,
      track_id: this.#idOf(track),
      ...error,
    });
  }

  #onEnd(track: number, reason: PlayerEndReason): void {
    const trackId = this.#idOf(track);
    this.#trackIds.delete(track);
    this.update();
    this.#tell({
      type: "track_end",
      guild_id: this.#parts.guildId,
      track_id: trackId,
      reason: endReason(reason),
    });
  }

  #idOf(track: number): string {
    return this.#trackIds.get(track) ?? "";
  }

  #tell(event: NodeEvent): void {
    if (!this.#destroyed) this.#parts.tell(event);
  }
}

function endReason(reason: PlayerEndReason): TrackEndReason {
  return reason === "failed" ? "load_failed" : reason;
}
