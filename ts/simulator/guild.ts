/** A guild's voice side: channels, who is in them, and what moderators can do. */

import type { World } from "./world.ts";

/** A user's voice state. */
export interface VoiceState {
  channelId: string;
  /** Opens the voice gateway; changes with every move. */
  token: string;
  selfMute: boolean;
  selfDeaf: boolean;
  /** Set by moderators. */
  mute: boolean;
  /** Set by moderators; the server sends no audio then. */
  deaf: boolean;
  /** May not speak: audio is dropped without a word. */
  suppress: boolean;
}

/** What a moderator may change. */
export type Moderation = Partial<Pick<VoiceState, "mute" | "deaf" | "suppress">>;

/** One guild. */
export class SimGuild {
  readonly id: string;
  /** Voice states by user id. */
  readonly states = new Map<string, VoiceState>();
  /** What VOICE_SERVER_UPDATE carries; null while the voice server is lost. */
  endpoint: string | null;
  readonly #world: World;
  readonly #limits = new Map<string, number>();
  readonly #stages = new Set<string>();

  constructor(world: World, id: string, endpoint: string) {
    this.#world = world;
    this.id = id;
    this.endpoint = endpoint;
  }

  /** User ids in a channel. */
  members(channelId: string): string[] {
    return [...this.states].flatMap(([userId, state]) =>
      state.channelId === channelId ? [userId] : [],
    );
  }

  /** Limits a channel to so many users; 0 lifts it. A join into a full channel gets no answer. */
  setUserLimit(channelId: string, limit: number): void {
    this.#limits.set(channelId, limit);
  }

  /** Whether a channel takes nobody more. */
  isFull(channelId: string): boolean {
    const limit = this.#limits.get(channelId) ?? 0;
    return limit > 0 && this.members(channelId).length >= limit;
  }

  /** Makes a channel a stage, where end-to-end encryption does not exist; counts for calls that begin later. */
  setStage(channelId: string, on = true): void {
    if (on) this.#stages.add(channelId);
    else this.#stages.delete(channelId);
  }

  /** Whether a channel is a stage. */
  isStage(channelId: string): boolean {
    return this.#stages.has(channelId);
  }

  /** Disconnects a user, as a moderator would: an event without a channel, then close code 4014. */
  kick(userId: string): void {
    this.#world.leave(this, userId);
  }

  /** Moves a user to another channel: both events with a new token; the old connection gets 4014. */
  move(userId: string, channelId: string): void {
    if (this.states.has(userId)) this.#world.enter(this, userId, channelId, {});
  }

  /** Mutes, deafens or suppresses a user. */
  moderate(userId: string, moderation: Moderation): void {
    const state = this.states.get(userId);
    if (!state) return;
    Object.assign(state, moderation);
    this.#world.announceState(this, userId);
  }
}
