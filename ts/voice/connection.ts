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
import { InputQueue } from "./input-queue.ts";
import { Membership } from "./membership.ts";
import { Player } from "./player.ts";
import { type JoinOptions, untilReady } from "./ready.ts";
import { Timers } from "./timers.ts";

/** What a socket says that broke, and one that could not be opened. */
const ABNORMAL_CLOSE = 1006;
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
  readonly #membership: Membership;
  readonly #inputs: InputQueue<MachineInput>;
  readonly #timers: Timers<TimerName>;
  #machine;
  #socket: GatewaySocket | undefined;
  #reason: Reason | undefined;
  #pings: { last: number; sum: number; count: number } | undefined;
  #destroyed: Promise<void> | undefined;

  constructor(parts: ConnectionParts) {
    super();
    this.#parts = parts;
    this.guildId = parts.guildId;
    this.#machine = initialState(parts.machine);
    this.#inputs = new InputQueue((input) => this.#step(input));
    this.#timers = new Timers((timer) => this.#inputs.push({ type: "timer", timer }));
    this.#membership = new Membership(parts, parts.updateVoiceState, {
      credentials: (credentials) => this.#inputs.push({ type: "credentials", credentials }),
      awaiting: () => this.#inputs.push({ type: "awaiting_credentials" }),
      serverLost: () => this.serverLost(),
      kicked: () => this.#inputs.push({ type: "leave", reason: KICKED }),
      unavailable: () => this.#inputs.push({ type: "leave", reason: MAIN_GATEWAY_UNAVAILABLE }),
    });
    this.#flow = parts.engine.createFlow((event) => this.#onFlowEvent(event));
    const speak = (flags: number): void => this.#inputs.push({ type: "speaking", flags });
    this.player = new Player(this.#flow, speak);
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
    return this.#membership.channelId;
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
    this.#inputs.push({ type: "awaiting_credentials" });
    if (!this.#membership.join(channelId)) {
      this.#inputs.push({ type: "leave", reason: MAIN_GATEWAY_UNAVAILABLE });
      throw new CadenzaError(MAIN_GATEWAY_UNAVAILABLE.code, MAIN_GATEWAY_UNAVAILABLE.message);
    }
    await untilReady(this, options);
  }

  /** Leaves the channel. What plays stops; the connection can join again. */
  leave(): void {
    this.#membership.leave();
    this.player.stop();
    this.#inputs.push({ type: "leave" });
  }

  /** Takes complete credentials from whoever owns the main gateway. Identical ones change nothing. */
  provide(credentials: VoiceCredentials): void {
    this.#membership.provided(credentials.channelId);
    this.#inputs.push({ type: "credentials", credentials });
  }

  /** The server vanished (`endpoint: null`): drops the transport and waits for the next server. */
  serverLost(): void {
    this.#inputs.push({ type: "server_lost" });
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
    this.#timers.clearAll();
    this.#flow.close();
    this.#parts.forget();
    this.emit("destroyed");
    await this.#socket?.gone;
  }

  #step(input: MachineInput): void {
    if (this.#destroyed && input.type !== "leave") return;
    const nowMs = performance.timeOrigin + performance.now();
    const { state, outputs } = step(this.#machine, input, nowMs, Math.random());
    this.#machine = state;
    for (const output of outputs) this.#tryToPerform(output);
  }

  /** What the engine or the system refuses becomes an input like any other failure. */
  #tryToPerform(output: MachineOutput): void {
    try {
      this.#perform(output);
    } catch (error) {
      const { code = "failed", message } = error as Partial<CadenzaError> & Error;
      this.#parts.logger.warn({ guildId: this.guildId, output: output.type, code }, message);
      if (output.type === "connect") {
        const { generation } = output;
        this.#inputs.push({ type: "socket_closed", generation, code: ABNORMAL_CLOSE });
      } else if (output.type === "open_transport" || output.type === "start_session") {
        const generation = this.#machine.transport;
        this.#inputs.push({ type: "transport_failed", generation, message });
      }
    }
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
        return this.#membership.rejoin();
      case "latency":
        return this.#onLatency(output.ms);
      case "peer":
        return this.emit("peer", output.message);
    }
  }

  #connect(generation: number, url: string): void {
    const events = {
      opened: () => this.#inputs.push({ type: "socket_open", generation }),
      message: (message: ServerMessage) =>
        this.#inputs.push({ type: "message", generation, message }),
      badFrame: (code: string) => {
        this.badFrames += 1;
        this.#parts.logger.debug({ guildId: this.guildId, code }, "ignored a voice gateway frame");
      },
      closed: (code: number) => this.#inputs.push({ type: "socket_closed", generation, code }),
    };
    this.#socket = new GatewaySocket(url, events, this.#parts.tls);
  }

  #onStatus(status: GatewayStatus, reason: Reason | undefined): void {
    this.#reason = reason;
    this.#parts.logger.debug({ guildId: this.guildId, status, ...reason }, "voice connection");
    this.emit("stateChange", status, reason);
  }

  #onLatency(ms: number): void {
    const { sum = 0, count = 0 } = this.#pings ?? {};
    this.#pings = { last: ms, sum: sum + ms, count: count + 1 };
    this.emit("ping", ms);
  }

  #onFlowEvent(event: FlowEvent): void {
    switch (event.type) {
      case "discovered":
        return this.#inputs.push(event);
      case "discovery_failed":
        return this.#inputs.push({
          type: "transport_failed",
          generation: event.generation,
          message: event.reason,
        });
      case "transport_failed":
        return this.#inputs.push(event);
      default:
        return this.player.handle(event);
    }
  }
}
