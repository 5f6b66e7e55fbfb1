/** The voice connections of one bot, fed by the two events of its main gateway. */

import type { MachineConfig } from "../gateway/index.ts";
import { Engine } from "../native/index.ts";
import type { EngineLike } from "../native/types.ts";
import { CadenzaError } from "../support/errors.ts";
import { type Logger, silentLogger } from "../support/logger.ts";
import { VoiceConnection } from "./connection.ts";
import { type GatewayOptions, resolveGatewayOptions } from "./options.ts";

/** The main gateway's op 4, as it goes to the shard of the guild. */
export interface VoiceStateUpdatePayload {
  op: 4;
  d: { guild_id: string; channel_id: string | null; self_mute: boolean; self_deaf: boolean };
}

/** Options of a {@link VoiceManager}. */
export interface VoiceManagerOptions {
  /** The bot's user id. */
  userId: string;
  /** The engine to use. Default: the process's shared one. */
  engine?: EngineLike;
  /**
   * Sends a payload on the main gateway connection of a guild's shard; returns false when it cannot.
   * Leave it out where another process owns the main gateway and credentials come through
   * {@link VoiceConnection.provide}.
   */
  sendPayload?: (guildId: string, payload: VoiceStateUpdatePayload) => boolean;
  gateway?: GatewayOptions;
  /** Default: silent. */
  logger?: Logger;
}

/** All voice connections of one bot. Iterable. */
export class VoiceManager implements Iterable<VoiceConnection> {
  readonly userId: string;
  readonly #options: VoiceManagerOptions;
  readonly #machine: MachineConfig;
  readonly #connections = new Map<string, VoiceConnection>();
  #engine: EngineLike | undefined;
  #closed = false;

  /** @throws CadenzaError `invalid_argument` for an option with a value that does not exist. */
  constructor(options: VoiceManagerOptions) {
    this.userId = options.userId;
    this.#options = options;
    this.#engine = options.engine;
    this.#machine = resolveGatewayOptions(options.gateway ?? {});
  }

  /** The connection of a guild; the same one until it is destroyed. */
  connection(guildId: string): VoiceConnection {
    if (this.#closed)
      throw new CadenzaError("manager_closed", "The voice manager has been closed.");
    const known = this.#connections.get(guildId);
    if (known) return known;
    this.#engine ??= Engine.shared();
    const { sendPayload, logger = silentLogger, gateway } = this.#options;
    const connection = new VoiceConnection({
      guildId,
      userId: this.userId,
      engine: this.#engine,
      machine: this.#machine,
      tls: gateway?.tls ?? {},
      logger,
      updateVoiceState:
        sendPayload && ((channelId) => sendPayload(guildId, voiceStateUpdate(guildId, channelId))),
      forget: () => this.#connections.delete(guildId),
    });
    this.#connections.set(guildId, connection);
    return connection;
  }

  /** The connection of a guild, if there is one. */
  get(guildId: string): VoiceConnection | undefined {
    return this.#connections.get(guildId);
  }

  /** Takes the `d` of a VOICE_STATE_UPDATE; other users' and malformed ones are ignored. */
  handleVoiceStateUpdate(d: unknown): void {
    const { guild_id, user_id, channel_id, session_id } = (d ?? {}) as Record<string, unknown>;
    if (typeof guild_id !== "string" || user_id !== this.userId || typeof session_id !== "string")
      return;
    if (channel_id !== null && typeof channel_id !== "string") return;
    this.#connections.get(guild_id)?.handleVoiceState(channel_id, session_id);
  }

  /** Takes the `d` of a VOICE_SERVER_UPDATE; malformed ones are ignored. */
  handleVoiceServerUpdate(d: unknown): void {
    const { guild_id, token, endpoint } = (d ?? {}) as Record<string, unknown>;
    if (typeof guild_id !== "string" || typeof token !== "string") return;
    if (endpoint !== null && typeof endpoint !== "string") return;
    this.#connections.get(guild_id)?.handleVoiceServer(token, endpoint);
  }

  [Symbol.iterator](): Iterator<VoiceConnection> {
    return this.#connections.values();
  }

  /** Destroys every connection. Idempotent. The engine is left to its owner. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#connections.values()].map((connection) => connection.destroy()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function voiceStateUpdate(guildId: string, channelId: string | null): VoiceStateUpdatePayload {
  return {
    op: 4,
    d: { guild_id: guildId, channel_id: channelId, self_mute: false, self_deaf: true },
  };
}
