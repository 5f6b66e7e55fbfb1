/** One client at the voice gateway: every message checked as the real server does, and answered. */

import type { WebSocket } from "ws";
import { VoiceOpcode } from "../gateway/opcodes.ts";
import {
  type ClientMessage,
  type DaveClientMessage,
  parseBinary,
  parseEnvelope,
  parseMessage,
  type Refusal,
} from "./client-messages.ts";
import type { Phase } from "./faults.ts";
import type { GatewayHost } from "./gateway-server.ts";
import { HeartbeatWatch } from "./heartbeat-watch.ts";
import { withExtraKeys } from "./hostile.ts";
import type { SessionLink, VoiceSession } from "./session.ts";

/** Identify is expected at once; this allows for a busy machine. */
const IDENTIFY_WITHIN_MS = 2500;
/** A client that reads nothing is cut off when so much waits for it. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
const INVALID_SESSION = "Session is no longer valid.";

/** The server's end of one WebSocket. */
export class GatewayConnection implements SessionLink {
  readonly #socket: WebSocket;
  readonly #host: GatewayHost;
  readonly #version: number;
  readonly #reset: () => void;
  readonly #heartbeat: HeartbeatWatch;
  readonly #openedMs = performance.now();
  #helloTimer: NodeJS.Timeout | undefined;
  #session: VoiceSession | undefined;
  #isClosed = false;
  #isFrozen = false;

  constructor(socket: WebSocket, host: GatewayHost, version: number, reset: () => void) {
    this.#socket = socket;
    this.#host = host;
    this.#version = version;
    this.#reset = reset;
    this.#heartbeat = new HeartbeatWatch(host.heartbeatIntervalMs, () => this.#starve());
    socket.on("message", (data, isBinary) => this.#receive(data as Buffer, isBinary));
    socket.on("close", (code) => this.#onClosed(code));
    // A broken stream or a frame beyond the limit; `close` follows.
    socket.on("error", () => undefined);
    const { helloDelayMs } = host.faults;
    if (helloDelayMs === 0) this.#hello();
    else this.#helloTimer = setTimeout(() => this.#hello(), helloDelayMs);
  }

  transmit(frame: string | Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#isFrozen) return;
    if (this.#socket.bufferedAmount > MAX_BUFFERED_BYTES) return this.close(1006);
    const isDecorated = this.#host.faults.extraKeys && typeof frame === "string";
    this.#socket.send(isDecorated ? withExtraKeys(frame) : frame);
  }

  freeze(): void {
    this.#isFrozen = true;
    this.#stopTimers();
    this.#socket.pause();
  }

  close(code: number, reason = ""): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopTimers();
    if (code === 1006 || code === 1015) this.#reset();
    else if (code === 1005) this.#socket.close();
    else this.#socket.close(code, reason);
    this.#detach();
  }

  #send(op: number, d: unknown): void {
    this.transmit(JSON.stringify({ op, d }));
  }

  #hello(): void {
    if (this.#closesAt("before_hello")) return;
    const interval = this.#host.heartbeatIntervalMs;
    const number = this.#host.faults.heartbeatIntervalFloat ? interval.toFixed(1) : `${interval}`;
    const hello = `{"op":8,"d":{"v":${this.#version},"heartbeat_interval":${number}}}`;
    this.transmit(hello);
    if (this.#host.faults.helloTwice) this.transmit(hello);
    this.#heartbeat.start();
  }

  #closesAt(phase: Phase): boolean {
    const code = this.#host.faults.takePhase(phase);
    if (code !== undefined) this.close(code);
    return code !== undefined;
  }

  /** No heartbeat for too long. The session can be resumed. */
  #starve(): void {
    this.close(4009, "Session timed out.");
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#isClosed) return;
    const message = isBinary ? this.#binary(data) : this.#text(data.toString("utf8"));
    if (message.type === "refused") return this.#refuse(message);
    this.#act(message);
  }

  #text(text: string): ClientMessage | Refusal {
    const envelope = parseEnvelope(text);
    if ("type" in envelope) return envelope;
    const begins = envelope.op === VoiceOpcode.Identify || envelope.op === VoiceOpcode.Resume;
    if (!this.#session && !begins) {
      return { type: "refused", code: 4003, reason: "Not authenticated." };
    }
    return parseMessage(envelope.op, envelope.d, this.#version);
  }

  #binary(frame: Buffer): ClientMessage | Refusal {
    if (!this.#session) return { type: "refused", code: 4003, reason: "Not authenticated." };
    return parseBinary(frame);
  }

  #refuse({ code, reason }: Refusal): void {
    this.#session?.object("protocol_violation", `a message earned close code ${code}: ${reason}`);
    this.#abandon(code, reason);
  }

  /** Closes for the client's own fault, which the session does not survive. */
  #abandon(code: number, reason: string): void {
    const session = this.#session;
    if (session) this.#host.sessions.end(session, code, reason);
    this.close(code, reason);
  }

  #act(message: ClientMessage): void {
    switch (message.type) {
      case "identify":
        return this.#identify(message);
      case "resume":
        return this.#resume(message);
      case "select_protocol":
        return this.#selectProtocol(message);
      case "heartbeat":
        return this.#onHeartbeat(message.nonce, message.seqAck);
      case "speaking":
        return this.#speaking(message.speaking, message.ssrc);
      case "backend_version":
        return this.#send(VoiceOpcode.VoiceBackendVersion, {
          voice: "0.22.1",
          rtc_worker: "1.6.92",
        });
      case "dave":
        return this.#dave(message.message);
      case "ignored":
        return;
    }
  }

  #identify(message: Extract<ClientMessage, { type: "identify" }>): void {
    if (this.#session) {
      this.#session.object("identify_twice", "a second Identify came on one connection");
      return this.#abandon(4005, "Already authenticated.");
    }
    const place = this.#host.authenticate(message);
    if ("code" in place) return this.close(place.code, place.reason);
    if (this.#closesAt("before_ready")) return;
    const session = this.#begin(message.serverId, message.userId, place.channelId, message);
    const afterMs = performance.now() - this.#openedMs - this.#host.faults.helloDelayMs;
    if (afterMs > IDENTIFY_WITHIN_MS) {
      session.object("identify_late", `Identify came ${Math.round(afterMs)} ms after the open`);
    }
  }

  #begin(
    guildId: string,
    userId: string,
    channelId: string,
    secrets: { sessionId: string; token: string; daveVersion: number },
  ): VoiceSession {
    const { sessions, modes } = this.#host;
    const media = this.#host.media();
    const { sessionId, token, daveVersion } = secrets;
    const credentials = { sessionId, token, version: this.#version, daveVersion };
    const session = sessions.open({ guildId, channelId, userId, ...credentials });
    this.#attach(session);
    this.#send(VoiceOpcode.Ready, {
      ssrc: session.seed.ssrc,
      ip: media.address,
      port: media.port,
      modes,
      experiments: ["fixed_keyframe_interval"],
      streams: [],
    });
    sessions.introduce(session);
    return session;
  }

  #resume(message: Extract<ClientMessage, { type: "resume" }>): void {
    if (this.#session) return this.#abandon(4005, "Already authenticated.");
    if (this.#closesAt("resuming")) return;
    const session = this.#host.sessions.named(message.serverId, message.sessionId);
    if (!session) return this.close(4006, INVALID_SESSION);
    if (session.seed.token !== message.token) return this.close(4004, "Authentication failed.");
    const fault = this.#host.faults.takeResume();
    if (fault === "ready") {
      const { guildId, userId, channelId } = session.seed;
      this.#begin(guildId, userId, channelId, session.seed);
      return;
    }
    const missed = this.#version < 8 ? [] : session.outbox.since(message.seqAck);
    if (fault || !missed) {
      const code = fault?.close ?? 4006;
      this.#host.sessions.end(session, code);
      return this.close(code, INVALID_SESSION);
    }
    // The former socket may not have noticed yet that it is dead.
    session.link?.close(1006);
    this.#attach(session);
    session.counts.resumes += 1;
    this.#send(VoiceOpcode.Resumed, null);
    for (const frame of missed) this.transmit(frame);
  }

  #attach(session: VoiceSession): void {
    clearTimeout(session.expiry);
    this.#session = session;
    session.link = this;
    this.#host.activity();
  }

  #selectProtocol(message: Extract<ClientMessage, { type: "select_protocol" }>): void {
    const session = this.#session;
    if (!session || this.#closesAt("before_session_description")) return;
    if (message.protocol !== "udp") return this.#abandon(4012, "Unknown protocol.");
    const mode = this.#host.modes.find((offered) => offered === message.mode);
    if (!mode) return this.#abandon(4016, "Unknown encryption mode.");
    if (!session.hasDiscovered(message)) {
      session.object("address_mismatch", "op 1 does not repeat the discovered address and port");
    }
    this.#host.describe(session, mode, message);
    this.#closesAt("connected");
  }

  #dave(message: DaveClientMessage): void {
    const refusal = this.#session && this.#host.dave.message(this.#session, message);
    if (refusal) this.#abandon(refusal.code, refusal.reason);
  }

  #onHeartbeat(nonce: number, seqAck: number | undefined): void {
    const session = this.#session;
    if (!session) return;
    session.counts.heartbeats += 1;
    this.#heartbeat.beat(session, seqAck);
    const { faults } = this.#host;
    if (faults.heartbeatAcksWithheld) return;
    const t = faults.heartbeatNonceWrong ? nonce + 1 : nonce;
    this.#send(VoiceOpcode.HeartbeatAck, this.#version >= 8 ? { t } : t);
  }

  #speaking(flags: number, ssrc: number | undefined): void {
    const session = this.#session;
    if (!session) return;
    if (ssrc !== undefined && ssrc !== session.seed.ssrc) {
      session.object("speaking_wrong_ssrc", `op 5 names ssrc ${ssrc}, not ${session.seed.ssrc}`);
    }
    this.#host.speaking(session, flags);
  }

  #onClosed(code: number): void {
    this.#isClosed = true;
    this.#stopTimers();
    const session = this.#session;
    // A client that closes with 1000 or 1001 says that it is done; anything else may be resumed.
    const isDone = code === 1000 || code === 1001;
    if (isDone && session?.link === this) this.#host.sessions.end(session, code);
    this.#detach();
  }

  /** Leaves the session to be resumed, unless another connection has it already. */
  #detach(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session?.link !== this) return;
    session.link = undefined;
    this.#host.expectResume(session);
  }

  #stopTimers(): void {
    clearTimeout(this.#helloTimer);
    this.#heartbeat.stop();
  }
}
