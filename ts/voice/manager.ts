/** The voice connections of one bot, fed by the two events of its main gateway. */

import type { MachineConfig } from "../gateway/index.ts";
import { Engine } from "../native/index.ts";
import type { EngineLike } from "../native/types.ts";
import { CadenzaError } from "../support/errors.ts";
import { type Logger, silentLogger } from "../support/logger.ts";
import type { GatewayAdapterCreator } from "./adapter.ts";
import { checkId } from "./checks.ts";
import { VoiceConnection } from "./connection.ts";
import type { Factories } from "./factories.ts";
import { parseVoiceServer, parseVoiceState } from "./main-gateway-events.ts";
import { MainGatewayLink, type VoiceStateUpdatePayload } from "./main-gateway-link.ts";
import { type GatewayOptions, resolveGatewayOptions } from "./options.ts";
import { SharedPlayer } from "./shared-player.ts";

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
  /** Makers of a connection's parts, where others than the library's own are wanted. */
  factories?: Factories;
}

/** Options of {@link VoiceManager.connection}; they count when the connection is made. */
export interface ConnectionOptions {
  /**
   * Where the guild's main-gateway events come from and op 4 goes to, instead of the manager's `sendPayload`
   * and handlers: `guild.voiceAdapterCreator` of discord.js, unchanged.
   */
  adapterCreator?: GatewayAdapterCreator;
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
    checkId(options?.userId, "userId");
    this.userId = options.userId;
    this.#options = options;
    this.#engine = options.engine;
    this.#machine = resolveGatewayOptions(options.gateway ?? {});
  }

  /**
   * The connection of a guild; the same one until it is destroyed.
   *
   * @throws CadenzaError `manager_closed` after {@link VoiceManager.close}, `invalid_argument` for an id that
   * is none; what the adapter's creator throws.
   */
  connection(guildId: string, options: ConnectionOptions = {}): VoiceConnection {
    checkId(guildId, "guildId");
    if (this.#closed)
      throw new CadenzaError("manager_closed", "The voice manager has been closed.");
    const known = this.#connections.get(guildId);
    if (known) return known;
    this.#engine ??= Engine.shared();
    const { logger = silentLogger, gateway, factories } = this.#options;
    let made: VoiceConnection | undefined;
    const link = new MainGatewayLink({
      guildId,
      logger,
      sendPayload: this.#options.sendPayload,
      adapterCreator: options.adapterCreator,
      voiceState: (d) => this.#onVoiceState(d, made),
      voiceServer: (d) => this.#onVoiceServer(d, made),
      destroy: () => void made?.destroy(),
    });
    const connection = new VoiceConnection({
      guildId,
      userId: this.userId,
      engine: this.#engine,
      machine: this.#machine,
      tls: gateway?.tls ?? {},
      logger,
      updateVoiceState: link.updateVoiceState,
      forget: () => {
        this.#connections.delete(guildId);
        link.destroy();
      },
      factories,
    });
    made = connection;
    this.#connections.set(guildId, connection);
    return connection;
  }

  /** A player for any number of connections, which encodes once for all of them. */
  createSharedPlayer(): SharedPlayer {
    if (this.#closed)
      throw new CadenzaError("manager_closed", "The voice manager has been closed.");
    this.#engine ??= Engine.shared();
    return new SharedPlayer(this.#engine);
  }

  /** The connection of a guild, if there is one. */
  get(guildId: string): VoiceConnection | undefined {
    return this.#connections.get(guildId);
  }

  /** Destroys the connection of a guild, if there is one. */
  async remove(guildId: string): Promise<void> {
    await this.#connections.get(guildId)?.destroy();
  }

  /** Takes any dispatch of the main gateway, as raw gateway clients give them; others than the two are ignored. */
  handleDispatch(packet: { t?: unknown; d?: unknown }): void {
    if (packet.t === "VOICE_STATE_UPDATE") this.handleVoiceStateUpdate(packet.d);
    else if (packet.t === "VOICE_SERVER_UPDATE") this.handleVoiceServerUpdate(packet.d);
  }

  /** Takes the `d` of a VOICE_STATE_UPDATE; other users' and malformed ones are ignored. */
  handleVoiceStateUpdate(d: unknown): void {
    this.#onVoiceState(d);
  }

  /** Takes the `d` of a VOICE_SERVER_UPDATE; malformed ones are ignored. */
  handleVoiceServerUpdate(d: unknown): void {
    this.#onVoiceServer(d);
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

  /** @param only The one connection that an adapter feeds; undefined before it is made. */
  #onVoiceState(d: unknown, only?: VoiceConnection): void {
    const state = parseVoiceState(d, this.userId);
    const connection = state && this.#connections.get(state.guildId);
    if (only && only !== connection) return;
    if (state) connection?.handleVoiceState(state.channelId, state.sessionId);
  }

  #onVoiceServer(d: unknown, only?: VoiceConnection): void {
    const server = parseVoiceServer(d);
    const connection = server && this.#connections.get(server.guildId);
    if (only && only !== connection) return;
    if (server) connection?.handleVoiceServer(server.token, server.endpoint);
  }
}

export type { VoiceStateUpdatePayload };
