/** One bot's voice connection in one guild: performs what the gateway machine decides. */

import {
  type CreateGateway,
  type GatewayLike,
  type GatewayStatus,
  type MachineConfig,
  type Reason,
  type ServerMessage,
  type TlsOptions,
  type VoiceCredentials,
  VoiceGateway,
} from "../gateway/index.ts";
import type {
  EngineLike,
  FlowEvent,
  FlowLike,
  FlowStats,
  SessionKeys,
  TransportTarget,
} from "../native/types.ts";
import { SafeEmitter } from "../support/emitter.ts";
import { CadenzaError } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import { Membership } from "./membership.ts";
import { Player } from "./player.ts";
import { type JoinOptions, untilReady } from "./ready.ts";

const KICKED = {
  code: "kicked",
  message: "The bot was disconnected from the voice channel, or the channel was deleted.",
};
const MAIN_GATEWAY_UNAVAILABLE = {
  code: "main_gateway_unavailable",
  message: "The main gateway did not take the voice state update.",
};

/** Events of a {@link VoiceConnection}. */
export type ConnectionEvents = {
  stateChange: [status: GatewayStatus, reason: Reason | undefined];
  /** Messages about others, and those this version does not know, as they came. */
  peer: [message: ServerMessage];
  ping: [ms: number];
  destroyed: [];
};

/** What a connection is made of; given by the manager. */
export interface ConnectionParts {
  guildId: string;
  userId: string;
  engine: EngineLike;
  machine: MachineConfig;
  tls: TlsOptions;
  logger: Logger;
  /** Sends the main gateway's op 4; undefined where somebody else owns the main gateway. */
  updateVoiceState: ((channelId: string | null) => boolean) | undefined;
  forget: () => void;
  /** Makes the gateway. Default: a {@link VoiceGateway}. */
  createGateway?: CreateGateway;
}

/** A voice connection. Create it with `VoiceManager.connection`. */
export class VoiceConnection extends SafeEmitter<ConnectionEvents> {
  readonly guildId: string;
  /** What plays here. */
  readonly player: Player;
  /** The voice gateway of the call. */
  readonly gateway: GatewayLike;
  readonly #parts: ConnectionParts;
  readonly #flow: FlowLike;
  readonly #membership: Membership;
  #destroyed: Promise<void> | undefined;

  constructor(parts: ConnectionParts) {
    super();
    this.#parts = parts;
    this.guildId = parts.guildId;
    this.gateway = this.#createGateway();
    this.#membership = new Membership(parts, parts.updateVoiceState, {
      credentials: (credentials) => this.gateway.provide(credentials),
      awaiting: () => this.gateway.awaitCredentials(),
      serverLost: () => this.serverLost(),
      kicked: () => this.gateway.close(KICKED),
      unavailable: () => this.gateway.close(MAIN_GATEWAY_UNAVAILABLE),
    });
    this.#flow = parts.engine.createFlow((event) => this.#onFlowEvent(event));
    this.player = new Player(this.#flow, (flags) => this.gateway.setSpeaking(flags));
  }

  /** Where the connection stands. */
  get status(): GatewayStatus {
    return this.gateway.status;
  }

  /** Why it stands there, where there is something to say. */
  get reason(): Reason | undefined {
    return this.gateway.reason;
  }

  /** The channel the bot is in or on its way to. */
  get channelId(): string | undefined {
    return this.#membership.channelId;
  }

  /** Round trip of the heartbeats, in milliseconds; undefined before the first answer. */
  get ping(): { lastMs: number; averageMs: number } | undefined {
    return this.gateway.latency;
  }

  /** Frames from the gateway that could not be understood. */
  get badFrames(): number {
    return this.gateway.badFrames;
  }

  /** Counters of the call. */
  stats(): FlowStats | undefined {
    return this.#flow.stats();
  }

  /**
   * Joins a channel, or moves to it; resolves when sound can be sent.
   *
   * @throws CadenzaError `no_main_gateway` without a `sendPayload`, `main_gateway_unavailable` when that
   * refuses, the connection's reason code when it fails, `join_timeout` after `timeoutMs`, `aborted` by
   * the signal; an aborted or late join leaves.
   */
  async join(channelId: string, options: JoinOptions = {}): Promise<void> {
    if (!this.#membership.canAsk) {
      throw new CadenzaError(
        "no_main_gateway",
        "Joining needs the option sendPayload, or credentials through provide().",
      );
    }
    if (this.status === "ready" && channelId === this.channelId) return;
    this.gateway.awaitCredentials();
    if (!this.#membership.join(channelId)) {
      this.gateway.close(MAIN_GATEWAY_UNAVAILABLE);
      throw new CadenzaError(MAIN_GATEWAY_UNAVAILABLE.code, MAIN_GATEWAY_UNAVAILABLE.message);
    }
    await untilReady(this, options);
  }

  /** Leaves the channel. What plays stops; the connection can join again. */
  leave(): void {
    this.#membership.leave();
    this.player.stop();
    this.gateway.close();
  }

  /** Takes complete credentials from whoever owns the main gateway. Identical ones change nothing. */
  provide(credentials: VoiceCredentials): void {
    this.#membership.provided(credentials.channelId);
    this.gateway.provide(credentials);
  }

  /** The server vanished (`endpoint: null`): drops the transport and waits for the next server. */
  serverLost(): void {
    this.gateway.serverLost();
  }

  /** Takes the bot's own voice state; called by the manager. */
  handleVoiceState(channelId: string | null, sessionId: string): void {
    this.#membership.onVoiceState(channelId, sessionId);
  }

  /** Takes the voice server; called by the manager. */
  handleVoiceServer(token: string, endpoint: string | null): void {
    this.#membership.onVoiceServer(token, endpoint);
  }

  /** Ends the connection for good; resolves when its sockets are closed. Idempotent. */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  async #destroy(): Promise<void> {
    this.leave();
    this.#membership.close();
    const gone = this.gateway.destroy();
    this.#flow.close();
    this.#parts.forget();
    this.emit("destroyed");
    await gone;
  }

  #createGateway(): GatewayLike {
    const { guildId, machine: config, tls, logger } = this.#parts;
    const create = this.#parts.createGateway ?? ((parts) => new VoiceGateway(parts));
    const host = {
      openTransport: (target: TransportTarget) => this.#flow.openTransport(target),
      startSession: (session: SessionKeys) => this.#flow.startSession(session),
      closeTransport: () => this.#flow.closeTransport(),
      rejoin: () => this.#membership.rejoin(),
    };
    const gateway = create({ host, config, tls, logger, context: { guildId } });
    gateway.on("stateChange", (status, reason) => this.emit("stateChange", status, reason));
    gateway.on("latency", (ms) => this.emit("ping", ms));
    gateway.on("peer", (message) => this.emit("peer", message));
    return gateway;
  }

  #onFlowEvent(event: FlowEvent): void {
    switch (event.type) {
      case "discovered":
        return this.gateway.discovered(event);
      case "discovery_failed":
        return this.gateway.transportFailed({ ...event, message: event.reason });
      case "transport_failed":
        return this.gateway.transportFailed(event);
      default:
        return this.player.handle(event);
    }
  }
}
