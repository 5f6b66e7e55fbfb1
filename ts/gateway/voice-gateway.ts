/** One bot's connection to a voice gateway: performs what the machine decides about sockets and timers. */

import { SafeEmitter } from "../support/emitter.ts";
import { CadenzaError } from "../support/errors.ts";
import { type Logger, silentLogger } from "../support/logger.ts";
import { checkCredentials } from "./credentials.ts";
import type { DaveReply } from "./dave.ts";
import { type ClientGatewayMessage, serialiseGatewayMessage } from "./gateway-message.ts";
import type { GatewayLatency, GatewayParts, VoiceGatewayEvents } from "./gateway-parts.ts";
import { InputQueue } from "./input-queue.ts";
import { step } from "./machine.ts";
import type { ServerMessage } from "./messages.ts";
import { GatewaySocket } from "./socket.ts";
import {
  type GatewayStatus,
  initialState,
  type MachineInput,
  type MachineOutput,
  type Reason,
  type TimerName,
  type VoiceCredentials,
} from "./state.ts";
import { Timers } from "./timers.ts";
import { untilReady } from "./until-ready.ts";

/** What a socket says that broke, and one that could not be opened. */
const ABNORMAL_CLOSE = 1006;

/** What a host must not fail at: without these there is no session. */
const HOST_OUTPUTS: ReadonlySet<string> = new Set(["open_transport", "start_session", "dave"]);

/** A voice gateway connection that keeps itself alive: beats, resumes and backs off by the table of close codes. */
export class VoiceGateway extends SafeEmitter<VoiceGatewayEvents> {
  readonly #parts: GatewayParts;
  readonly #logger: Logger;
  readonly #inputs: InputQueue<MachineInput>;
  readonly #timers: Timers<TimerName>;
  readonly #sockets = new Set<GatewaySocket>();
  #machine;
  #socket: GatewaySocket | undefined;
  #reason: Reason | undefined;
  #beats = { lastMs: 0, sumMs: 0, count: 0 };
  #badFrames = 0;
  #destroyed: Promise<void> | undefined;

  constructor(parts: GatewayParts) {
    super();
    this.#parts = parts;
    this.#logger = parts.logger ?? silentLogger;
    // Who cannot encrypt end to end must not offer it.
    const maxDaveProtocolVersion = parts.host.dave ? parts.config?.maxDaveProtocolVersion : 0;
    this.#machine = initialState({
      ...parts.config,
      ...(maxDaveProtocolVersion !== undefined && { maxDaveProtocolVersion }),
    });
    this.#inputs = new InputQueue((input) => this.#step(input));
    this.#timers = new Timers((timer) => this.#inputs.push({ type: "timer", timer }));
  }

  /** Where the gateway stands. */
  get status(): GatewayStatus {
    return this.#machine.status;
  }

  /** Why it stands there, where there is something to say. */
  get reason(): Reason | undefined {
    return this.#reason;
  }

  /** The SSRC that the server assigned to this session; 0 before the first Ready. */
  get ssrc(): number {
    return this.#machine.ssrc;
  }

  /** The speaking flags that hold: the bits of `SpeakingFlags`. */
  get speaking(): number {
    return this.#machine.speaking;
  }

  /** Round trip of the heartbeats, last and average; undefined before the first answer. */
  get latency(): GatewayLatency | undefined {
    const { lastMs, sumMs, count } = this.#beats;
    return count === 0 ? undefined : { lastMs, averageMs: sumMs / count };
  }

  /** Frames that could not be understood. */
  get badFrames(): number {
    return this.#badFrames;
  }

  /**
   * Opens a session; resolves when it is ready, which needs the transport that the host opens.
   *
   * @throws CadenzaError `gateway_already_connected` while there is a session or one is being opened; the
   * reason's code when it ends; `aborted` by the signal, which closes the gateway.
   */
  async open(credentials: VoiceCredentials, signal?: AbortSignal): Promise<void> {
    if (this.status !== "unconnected" && this.status !== "disconnected") {
      const message = "The voice gateway is connected already; close it first.";
      throw new CadenzaError("gateway_already_connected", message);
    }
    checkCredentials(credentials);
    const ready = untilReady(this, {
      ...(signal && { signal }),
      giveUp: () => this.close(),
    });
    this.provide(credentials);
    await ready;
  }

  /** Takes credentials: identical ones change nothing, others replace the session. */
  provide(credentials: VoiceCredentials): void {
    checkCredentials(credentials);
    this.#inputs.push({ type: "credentials", credentials });
  }

  /** New credentials are on their way; a session that works lives on until they come. */
  awaitCredentials(): void {
    this.#inputs.push({ type: "awaiting_credentials" });
  }

  /** The server vanished: drops everything and waits for the next credentials. */
  serverLost(): void {
    this.#inputs.push({ type: "server_lost" });
  }

  /** The transport of that generation was found to be reached at this external address. */
  discovered(found: { generation: number; address: string; port: number }): void {
    const { generation, address, port } = found;
    this.#inputs.push({ type: "discovered", generation, address, port });
  }

  /** The transport of that generation failed. */
  transportFailed(failure: { generation: number; message: string }): void {
    const { generation, message } = failure;
    this.#inputs.push({ type: "transport_failed", generation, message });
  }

  /** Sends an answer of the end-to-end encryption group; kept while the socket is being resumed. */
  daveReply(reply: DaveReply): void {
    this.#inputs.push({ type: "dave_reply", reply });
  }

  /** The end-to-end encryption group cannot be brought back: a new session is asked for. */
  daveFailed(reason: Reason): void {
    this.#inputs.push({ type: "dave_failed", reason });
  }

  /** Sets the speaking flags, bits of `SpeakingFlags`; told to the server when they change and in each new session. */
  setSpeaking(flags: number): void {
    this.#inputs.push({ type: "speaking", flags });
  }

  /**
   * Sends a message of the caller's own.
   *
   * @throws CadenzaError `gateway_not_connected` when no socket is open.
   */
  send(message: ClientGatewayMessage): void {
    const frame = serialiseGatewayMessage(message, this.#machine.config.version);
    if (this.#machine.socketLive && this.#socket?.sendFrame(frame)) return;
    const why = "The voice gateway is not connected; the message was not sent.";
    throw new CadenzaError("gateway_not_connected", why);
  }

  /** Ends the session for a reason; {@link VoiceGateway.open} may follow. Idempotent. */
  close(reason?: Reason): void {
    this.#inputs.push(reason ? { type: "leave", reason } : { type: "leave" });
  }

  /**
   * Closes the socket with a code of the caller's choice and does what the table says about that code, as if
   * the server had closed it: a code from 4900 on, for example, resumes.
   *
   * @param code 1000, or from 3000 to 4999.
   * @param reason At most 123 bytes, sent to the server.
   * @throws CadenzaError `invalid_argument` for another code or a longer reason.
   */
  closeWithCode(code: number, reason = ""): void {
    const sendable = code === 1000 || (code >= 3000 && code <= 4999);
    if (!sendable || !Number.isInteger(code) || Buffer.byteLength(reason) > 123) {
      const message = "A close code is 1000 or from 3000 to 4999, its reason 123 bytes at most.";
      throw new CadenzaError("invalid_argument", message);
    }
    const generation = this.#machine.socket;
    this.#socket?.close(code, reason);
    this.#inputs.push({ type: "socket_closed", generation, code });
  }

  /** Ends everything; resolves when every socket is closed. Idempotent. */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy();
    return this.#destroyed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }

  async #destroy(): Promise<void> {
    this.close();
    this.#timers.clearAll();
    await Promise.all([...this.#sockets].map((socket) => socket.gone));
  }

  #step(input: MachineInput): void {
    if (this.#destroyed && input.type !== "leave") return;
    if (input.type === "message") this.emit("message", input.message);
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
      this.#logger.warn({ ...this.#parts.context, output: output.type, code }, message);
      if (output.type === "connect") {
        const { generation } = output;
        this.#inputs.push({ type: "socket_closed", generation, code: ABNORMAL_CLOSE });
      } else if (HOST_OUTPUTS.has(output.type)) {
        this.transportFailed({ generation: this.#machine.transport, message });
      }
    }
  }

  #perform(output: MachineOutput): void {
    const { host } = this.#parts;
    switch (output.type) {
      case "connect":
        return this.#connect(output.generation, output.url);
      case "close_socket":
        return this.#socket?.close(output.code);
      case "send":
        return this.#socket?.send(output.message);
      case "open_transport":
        return host.openTransport(output.target);
      case "start_session":
        return host.startSession({ mode: output.mode, key: output.key });
      case "close_transport":
        return host.closeTransport();
      case "dave":
        return host.dave?.(output.command);
      case "set_timer":
        return this.#timers.set(output.timer, output.afterMs);
      case "clear_timer":
        return this.#timers.clear(output.timer);
      case "status":
        return this.#onStatus(output.status, output.reason);
      case "rejoin":
        return host.rejoin();
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
      badFrame: (code: string) => this.#onBadFrame(code),
      closed: (code: number) => {
        this.emit("closed", code);
        this.#inputs.push({ type: "socket_closed", generation, code });
      },
    };
    const socket = new GatewaySocket(url, events, this.#parts.tls ?? {});
    this.#socket = socket;
    this.#sockets.add(socket);
    void socket.gone.then(() => this.#sockets.delete(socket));
  }

  #onBadFrame(code: string): void {
    this.#badFrames += 1;
    this.#logger.debug({ ...this.#parts.context, code }, "ignored a voice gateway frame");
    this.emit("badFrame", code);
  }

  #onStatus(status: GatewayStatus, reason: Reason | undefined): void {
    this.#reason = reason;
    this.#logger.debug({ ...this.#parts.context, status, ...reason }, "voice connection");
    this.emit("stateChange", status, reason);
  }

  #onLatency(ms: number): void {
    const { sumMs, count } = this.#beats;
    this.#beats = { lastMs: ms, sumMs: sumMs + ms, count: count + 1 };
    this.emit("latency", ms);
  }
}
