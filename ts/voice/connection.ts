/** One bot's voice connection in one guild: performs what the gateway machine decides. */

import {
  checkCredentials,
  type GatewayHost,
  type GatewayLike,
  type GatewayStatus,
  type Reason,
  type ServerMessage,
  type VoiceCredentials,
  VoiceGateway,
} from "../gateway/index.ts";
import type { StreamLike } from "../native/stream.ts";
import type {
  FlowEvent,
  FlowLike,
  FlowStats,
  SessionKeys,
  TransportTarget,
} from "../native/types.ts";
import { SafeEmitter } from "../support/emitter.ts";
import { CadenzaError } from "../support/errors.ts";
import { type CallStatistics, callStatistics } from "./call-statistics.ts";
import { CallTransport } from "./call-transport.ts";
import { checkId, checkMs, checkProvider, checkReceiver, checkSpeaking } from "./checks.ts";
import type { ConnectionEvents, ConnectionParts } from "./connection-parts.ts";
import type { VoiceSessionState } from "./connection-state.ts";
import { Encryption, isDaveEvent } from "./encryption.ts";
import type { VoiceFlags } from "./factories.ts";
import { FramePorts } from "./frame-ports.ts";
import type { OpusFrameProvider, OpusFrameReceiver, UserFilter } from "./frames.ts";
import { Membership } from "./membership.ts";
import { Player } from "./player.ts";
import { type JoinOptions, untilReady } from "./ready.ts";
import { VoiceReceiver } from "./receive/voice-receiver.ts";
import { SsrcMap } from "./ssrc-map.ts";
import type { UdpLike } from "./udp-connection.ts";

const KICKED = {
  code: "kicked",
  message: "The bot was disconnected from the voice channel, or the channel was deleted.",
};
const MAIN_GATEWAY_UNAVAILABLE = {
  code: "main_gateway_unavailable",
  message: "The main gateway did not take the voice state update.",
};

/** A voice connection. Create it with `VoiceManager.connection`. */
export class VoiceConnection extends SafeEmitter<ConnectionEvents> {
  readonly guildId: string;
  /** What plays here. */
  readonly player: Player;
  /** What the other members of the call say. */
  readonly receiver: VoiceReceiver;
  /** The voice gateway of the call. */
  readonly gateway: GatewayLike;
  /** End-to-end encryption of the call. */
  readonly encryption: Encryption;
  readonly #parts: ConnectionParts;
  readonly #flow: FlowLike;
  readonly #membership: Membership;
  readonly #transport: CallTransport;
  readonly #ssrcs = new SsrcMap();
  readonly #ports: FramePorts;
  #flags: VoiceFlags = { selfMute: false, selfDeaf: true };
  #destroyed: Promise<void> | undefined;

  /** @internal */
  constructor(parts: ConnectionParts) {
    super();
    this.#parts = parts;
    this.guildId = parts.guildId;
    this.gateway = this.#createGateway();
    const { updateVoiceState } = parts;
    const ask = updateVoiceState && ((id: string | null) => updateVoiceState(id, this.#flags));
    this.#membership = new Membership(parts, ask, {
      credentials: (credentials) => this.gateway.provide(credentials),
      awaiting: () => this.gateway.awaitCredentials(),
      serverLost: () => this.serverLost(),
      kicked: () => this.gateway.close(KICKED),
      unavailable: () => this.gateway.close(MAIN_GATEWAY_UNAVAILABLE),
    });
    this.#flow = parts.engine.createFlow((event) => this.#onFlowEvent(event));
    this.encryption = new Encryption(this.#flow, () => this.gateway);
    this.receiver = new VoiceReceiver(this.#flow.receiver);
    this.player = new Player(this.#flow, (flags) => this.gateway.setSpeaking(flags));
    this.#transport = new CallTransport(this.#flow, parts.factories?.udp, () => this.gateway);
    this.#ports = this.#createPorts();
  }

  /** Where the connection stands. */
  get status(): GatewayStatus {
    return this.gateway.status;
  }

  /** Why it stands there, where there is something to say. */
  get reason(): Reason | undefined {
    return this.gateway.reason;
  }

  /** The UDP side of the call. */
  get udp(): UdpLike {
    return this.#transport.udp;
  }

  /** The channel the bot is in or on its way to. */
  get channelId(): string | undefined {
    return this.#membership.channelId;
  }

  /** Where the call stands, as one value that does not change any more. */
  get state(): VoiceSessionState {
    const { guildId, channelId, status, reason } = this;
    const { ssrc, speaking } = this.gateway;
    const place = { guildId, userId: this.#parts.userId, channelId };
    return Object.freeze({ ...place, status, reason, ssrc, speaking, ...this.#flags });
  }

  /** Round trip of the heartbeats, in milliseconds; undefined before the first answer. */
  get ping(): { lastMs: number; averageMs: number } | undefined {
    return this.gateway.latency;
  }

  /** Frames from the gateway that could not be understood. */
  get badFrames(): number {
    return this.gateway.badFrames;
  }

  /** Plays what a stream plays until the player is used; a {@link SharedPlayer} calls it. */
  subscribe(stream: StreamLike | undefined): void {
    this.#flow.subscribe(stream);
  }

  /** Counters of the native side alone; see {@link VoiceConnection.statistics}. */
  stats(): FlowStats | undefined {
    return this.#flow.stats();
  }

  /** Everything that is counted about the call. */
  statistics(): CallStatistics {
    return callStatistics(this.gateway, this.#flow);
  }

  /**
   * Joins a channel, or moves to it; resolves when sound can be sent.
   *
   * @throws CadenzaError `no_main_gateway` without a `sendPayload`, `main_gateway_unavailable` when that
   * refuses, `invalid_argument` for an id that is none, the connection's reason code when it fails, `join_timeout` after `timeoutMs`, `aborted` by
   * the signal; an aborted or late join leaves.
   */
  async join(channelId: string, options: JoinOptions = {}): Promise<void> {
    checkId(channelId, "channelId");
    checkMs(options.timeoutMs, "timeoutMs", 1);
    if (!this.#membership.canAsk) {
      throw new CadenzaError(
        "no_main_gateway",
        "Joining needs the option sendPayload, or credentials through provide().",
      );
    }
    const { selfMute = this.#flags.selfMute, selfDeaf = this.#flags.selfDeaf } = options;
    const same = selfMute === this.#flags.selfMute && selfDeaf === this.#flags.selfDeaf;
    this.#flags = { selfMute, selfDeaf };
    if (this.status === "ready" && channelId === this.channelId) {
      if (!same) this.#parts.updateVoiceState?.(channelId, this.#flags);
      return;
    }
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
    checkCredentials(credentials);
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

  /** Whose stream an SSRC is; undefined until the voice server has said. */
  userIdBySsrc(ssrc: number): string | undefined {
    return this.#ssrcs.userOf(ssrc);
  }

  /**
   * Sets the speaking flags, bits of `SpeakingFlags`. What plays sets them by itself: Microphone while it
   * sounds, None after five silence frames.
   */
  setSpeaking(flags: number): void {
    checkSpeaking(flags);
    this.gateway.setSpeaking(flags);
  }

  /** Sends what a provider gives, until another is set, or none; each is told when it is no longer asked. */
  setOpusFrameProvider(provider: OpusFrameProvider | undefined): void {
    if (provider !== undefined) checkProvider(provider);
    this.#ports.setProvider(provider);
  }

  /**
   * Gives the frames of others to a receiver, until another is set, or none; each is told at its end. The filter is
   * asked when a user first speaks; packets of those it refuses are not even decrypted.
   */
  setOpusFrameReceiver(receiver: OpusFrameReceiver | undefined, filter?: UserFilter): void {
    if (receiver !== undefined) checkReceiver(receiver);
    this.#ports.setReceiver(receiver, filter);
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
    this.#ports.close();
    this.leave();
    this.#membership.close();
    const gone = this.gateway.destroy();
    this.receiver.close();
    this.#flow.close();
    this.#parts.forget();
    this.emit("destroyed");
    await gone;
  }

  #createGateway(): GatewayLike {
    const { guildId, machine: config, tls, logger } = this.#parts;
    const create = this.#parts.factories?.gateway ?? ((parts) => new VoiceGateway(parts));
    const host: GatewayHost = {
      openTransport: (target: TransportTarget) => {
        this.#ssrcs.clear();
        this.#transport.open(target);
      },
      startSession: (session: SessionKeys) => this.#transport.startSession(session),
      closeTransport: () => this.#transport.close(),
      rejoin: () => this.#membership.rejoin(),
    };
    // Frames that another UDP connection sends do not pass through the engine, which encrypts them.
    if (!this.#parts.factories?.udp) host.dave = (command) => this.encryption.perform(command);
    const gateway = create({ host, config, tls, logger, context: { guildId } });
    gateway.on("stateChange", (status, reason) => this.emit("stateChange", status, reason));
    gateway.on("latency", (ms) => this.emit("ping", ms));
    gateway.on("message", (message) => this.#onMessage(message));
    gateway.on("peer", (message) => this.emit("peer", message));
    return gateway;
  }

  #createPorts(): FramePorts {
    const { factories, logger, guildId } = this.#parts;
    const { player, udp, receiver: incoming } = this;
    const setSpeaking = (flags: number): void => this.setSpeaking(flags);
    const failed = ({ code, message }: CadenzaError): void =>
      logger.warn({ guildId, code }, message);
    const userIdBySsrc = (ssrc: number): string | undefined => this.userIdBySsrc(ssrc);
    return new FramePorts({ player, udp, incoming, setSpeaking, failed, userIdBySsrc }, factories);
  }

  #onMessage(message: ServerMessage): void {
    this.receiver.handle(message);
    const gone = this.#ssrcs.handle(message);
    if (gone !== undefined) this.#ports.cleanupUser(gone);
  }

  #onFlowEvent(event: FlowEvent): void {
    if (isDaveEvent(event)) return this.encryption.handle(event);
    this.#transport.handle(event);
    this.player.handle(event);
  }
}

export type { ConnectionEvents, ConnectionParts };
