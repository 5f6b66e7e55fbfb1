/** One bot's voice connection in one guild: performs what the gateway machine decides. */

import {
  GatewaySocket,
  type GatewayStatus,
  initialState,
  type MachineConfig,
  type MachineInput,
  type MachineOutput,
  type Reason,
  type ServerMessage,
  step,
  type TimerName,
  type TlsOptions,
  type VoiceCredentials,
} from "../gateway/index.ts";
import type { EngineLike, FlowEvent, FlowLike, FlowStats } from "../native/types.ts";
import { SafeEmitter } from "../support/emitter.ts";
import { CadenzaError } from "../support/errors.ts";
import type { Logger } from "../support/logger.ts";
import { Player } from "./player.ts";
import { untilReady } from "./ready.ts";
import { Timers } from "./timers.ts";

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
}

/** A voice connection. Create it with `VoiceManager.connection`. */
export class VoiceConnection extends SafeEmitter<ConnectionEvents> {
  readonly guildId: string;
  /** What plays here. */
  readonly player: Player;
  /** Frames from the gateway that could not be understood. */
  badFrames = 0;
  readonly #parts: ConnectionParts;
  readonly #flow: FlowLike;
  readonly #timers: Timers<TimerName>;
  #machine;
  #socket: GatewaySocket | undefined;
  #reason: Reason | undefined;
  #channelId: string | undefined;
  #sessionId: string | undefined;
  #server: { token: string; endpoint: string } | undefined;
  #pings: { last: number; sum: number; count: number } | undefined;
  /** The channel to join again once Discord has confirmed the leave. */
  #rejoinTo: string | undefined;
  #destroyed = false;

  constructor(parts: ConnectionParts) {
    super();
    this.#parts = parts;
    this.guildId = parts.guildId;
    this.#machine = initialState(parts.machine);
    this.#timers = new Timers((timer) => this.#feed({ type: "timer", timer }));
    this.#flow = parts.engine.createFlow((event) => this.#onFlowEvent(event));
    this.player = new Player(this.#flow, (flags) => this.#feed({ type: "speaking", flags }));
  }

  /** Where the connection stands. */
  get status(): GatewayStatus {
    return this.#machine.status;
  }

  /** Why it stands there, where there is something to say. */
  get reason(): Reason | undefined {
    return this.#reason;
  }

  /** The channel the bot is in or on its way to. */
  get channelId(): string | undefined {
    return this.#channelId;
  }

  /** Round trip of the heartbeats, in milliseconds; undefined before the first answer. */
  get ping(): { lastMs: number; averageMs: number } | undefined {
    return (
      this.#pings && { lastMs: this.#pings.last, averageMs: this.#pings.sum / this.#pings.count }
    );
  }

  /** Counters of the call. */
  stats(): FlowStats | undefined {
    return this.#flow.stats();
  }

  /**
   * Joins a channel, or moves to it; resolves when sound can be sent.
   *
   * @throws CadenzaError `no_main_gateway` without a `sendPayload`, `main_gateway_unavailable` when that
   * refuses, the connection's reason code when it fails, `aborted` by the signal.
   */
  async join(channelId: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { updateVoiceState } = this.#parts;
    if (!updateVoiceState) {
      throw new CadenzaError(
        "no_main_gateway",
        "Joining needs the option sendPayload, or credentials through provide().",
      );
    }
    const moving = this.#channelId !== channelId;
    this.#channelId = channelId;
    if (this.status === "ready" && !moving) return;
    this.#feed({ type: "awaiting_credentials" });
    if (!updateVoiceState(channelId)) {
      this.#feed({ type: "leave" });
      throw new CadenzaError(
        "main_gateway_unavailable",
        "The main gateway did not take the voice state update.",
      );
    }
    await untilReady(this, options.signal);
  }

  /** Leaves the channel. What plays stops; the connection can join again. */
  leave(): void {
    this.#channelId = undefined;
    this.#rejoinTo = undefined;
    this.#server = undefined;
    this.#parts.updateVoiceState?.(null);
    this.player.stop();
    this.#feed({ type: "leave" });
  }

  /** Takes complete credentials from whoever owns the main gateway. Identical ones change nothing. */
  provide(credentials: VoiceCredentials): void {
    this.#channelId = credentials.channelId ?? this.#channelId;
    this.#feed({ type: "credentials", credentials });
  }

  /** The server vanished (`endpoint: null`): drops the transport and waits for the next server. */
  serverLost(): void {
    this.#server = undefined;
    this.#feed({ type: "server_lost" });
  }

  /** Takes the bot's own voice state; called by the manager. */
  handleVoiceState(channelId: string | null, sessionId: string): void {
    if (channelId === null && this.#rejoinTo !== undefined) {
      this.#parts.updateVoiceState?.(this.#rejoinTo);
      this.#rejoinTo = undefined;
      return;
    }
    if (channelId === null) {
      this.#channelId = undefined;
      this.#server = undefined;
      this.#feed({ type: "leave" });
      return;
    }
    this.#channelId = channelId;
    this.#sessionId = sessionId;
    this.#tryConnect();
  }

  /** Takes the voice server; called by the manager. */
  handleVoiceServer(token: string, endpoint: string | null): void {
    if (endpoint === null) return this.serverLost();
    this.#server = { token, endpoint };
    this.#tryConnect();
  }

  /** Ends the connection for good. Idempotent. */
  async destroy(): Promise<void> {
    if (this.#destroyed) return;
    this.leave();
    this.#destroyed = true;
    this.#timers.clearAll();
    this.#flow.close();
    this.#parts.forget();
    this.emit("destroyed");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  #tryConnect(): void {
    if (!this.#server || this.#sessionId === undefined || this.#channelId === undefined) return;
    const { guildId, userId } = this.#parts;
    const { token, endpoint } = this.#server;
    const session = { sessionId: this.#sessionId, channelId: this.#channelId };
    this.#feed({
      type: "credentials",
      credentials: { guildId, userId, token, endpoint, ...session },
    });
  }

  #feed(input: MachineInput): void {
    if (this.#destroyed) return;
    const { state, outputs } = step(
      this.#machine,
      input,
      performance.timeOrigin + performance.now(),
    );
    this.#machine = state;
    for (const output of outputs) this.#perform(output);
  }

  #perform(output: MachineOutput): void {
    switch (output.type) {
      case "connect":
        return this.#connect(output.generation, output.url);
      case "close_socket":
        this.#socket?.close(output.code);
        return;
      case "send":
        this.#socket?.send(output.message);
        return;
      case "open_transport":
        return this.#flow.openTransport(output.target);
      case "start_session":
        return this.#flow.startSession({ mode: output.mode, key: output.key });
      case "close_transport":
        return this.#flow.closeTransport();
      case "set_timer":
        return this.#timers.set(output.timer, output.afterMs);
      case "clear_timer":
        return this.#timers.clear(output.timer);
      case "status":
        return this.#onStatus(output.status, output.reason);
      case "rejoin":
        return this.#rejoin();
      case "latency":
        return this.#onLatency(output.ms);
      case "peer":
        return this.emit("peer", output.message);
    }
  }

  #connect(generation: number, url: string): void {
    const events = {
      opened: () => this.#feed({ type: "socket_open", generation }),
      message: (message: ServerMessage) => this.#feed({ type: "message", generation, message }),
      badFrame: (code: string) => {
        this.badFrames += 1;
        this.#parts.logger.debug({ guildId: this.guildId, code }, "ignored a voice gateway frame");
      },
      closed: (code: number) => this.#feed({ type: "socket_closed", generation, code }),
    };
    this.#socket = new GatewaySocket(url, events, this.#parts.tls);
  }

  #onStatus(status: GatewayStatus, reason: Reason | undefined): void {
    this.#reason = reason;
    this.#parts.logger.debug({ guildId: this.guildId, status, ...reason }, "voice connection");
    this.emit("stateChange", status, reason);
  }

  /** Leaving first makes the main gateway answer with a new server even for the same channel. */
  #rejoin(): void {
    this.#server = undefined;
    const channelId = this.#channelId;
    const { updateVoiceState } = this.#parts;
    if (channelId === undefined || !updateVoiceState) return;
    this.#rejoinTo = channelId;
    updateVoiceState(null);
  }

  #onLatency(ms: number): void {
    const { sum = 0, count = 0 } = this.#pings ?? {};
    this.#pings = { last: ms, sum: sum + ms, count: count + 1 };
    this.emit("ping", ms);
  }

  #onFlowEvent(event: FlowEvent): void {
    switch (event.type) {
      case "discovered":
        return this.#feed(event);
      case "discovery_failed":
        return this.#feed({
          type: "transport_failed",
          generation: event.generation,
          message: event.reason,
        });
      case "transport_failed":
        return this.#feed(event);
      default:
        return this.player.handle(event);
    }
  }
}
