/** One bot's main gateway, as far as voice goes: op 4 in, the two voice events out. */

import { EventEmitter } from "node:events";
import type { DiscordSimulator } from "./simulator.ts";

/** A dispatch of the main gateway. */
export interface Dispatch {
  t: "VOICE_STATE_UPDATE" | "VOICE_SERVER_UPDATE";
  d: Record<string, unknown>;
}

/** A bot's main gateway connection; events arrive as `dispatch`. */
export class SimMainGateway extends EventEmitter<{ dispatch: [Dispatch] }> {
  readonly userId: string;
  /** Sends VOICE_SERVER_UPDATE before VOICE_STATE_UPDATE. */
  serverFirst = false;
  /** Leaves joins unanswered, as for a full channel. */
  ignoreJoins = false;
  readonly #simulator: DiscordSimulator;

  constructor(simulator: DiscordSimulator, userId: string) {
    super();
    this.#simulator = simulator;
    this.userId = userId;
  }

  /** Takes an op 4; anything else is refused with false. */
  send(payload: unknown): boolean {
    const { op, d } = payload as {
      op?: number;
      d?: { guild_id?: string; channel_id?: string | null };
    };
    if (op !== 4 || typeof d?.guild_id !== "string" || d.channel_id === undefined) return false;
    const guildId = d.guild_id;
    const channelId = d.channel_id;
    if (channelId === null) setImmediate(() => this.#leave(guildId));
    else if (!this.ignoreJoins) setImmediate(() => this.#join(guildId, channelId));
    return true;
  }

  /** Dispatches the two events for a seat: a join, or a move by a moderator. */
  announce(guildId: string, channelId: string): void {
    this.#join(guildId, channelId);
  }

  /** Dispatches a VOICE_SERVER_UPDATE without an endpoint. */
  serverLost(guildId: string): void {
    this.emit("dispatch", {
      t: "VOICE_SERVER_UPDATE",
      d: { guild_id: guildId, token: "", endpoint: null },
    });
  }

  #join(guildId: string, channelId: string): void {
    const { sessionId, token, endpoint } = this.#simulator.admit({
      guildId,
      channelId,
      userId: this.userId,
    });
    const server: Dispatch = {
      t: "VOICE_SERVER_UPDATE",
      d: { guild_id: guildId, token, endpoint },
    };
    const dispatches = [this.#state(guildId, channelId, sessionId), server];
    if (this.serverFirst) dispatches.reverse();
    for (const dispatch of dispatches) this.emit("dispatch", dispatch);
  }

  #leave(guildId: string): void {
    const seat = this.#simulator.expel(guildId, this.userId);
    this.emit("dispatch", this.#state(guildId, null, seat?.sessionId ?? "0".repeat(32)));
  }

  #state(guildId: string, channelId: string | null, sessionId: string): Dispatch {
    const flags = {
      deaf: false,
      mute: false,
      self_deaf: true,
      self_mute: false,
      self_video: false,
      suppress: false,
    };
    const d = {
      guild_id: guildId,
      channel_id: channelId,
      user_id: this.userId,
      session_id: sessionId,
      ...flags,
    };
    return { t: "VOICE_STATE_UPDATE", d };
  }
}
