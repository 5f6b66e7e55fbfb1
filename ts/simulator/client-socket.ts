/** One client at the voice gateway: checks every message as the real server does, and answers. */

import type { WebSocket } from "ws";
import { VoiceOpcode } from "../gateway/opcodes.ts";
import { MODES, type Mode } from "./crypto.ts";
import type { GatewayServer } from "./gateway-server.ts";
import type { Seat } from "./rooms.ts";
import { Session } from "./session.ts";

type Fields = Record<string, unknown>;

/** A client's socket. */
export class ClientSocket {
  session: Session | undefined;
  readonly #socket: WebSocket;
  readonly #server: GatewayServer;
  readonly #version: number;
  #lastBeatMs = performance.now();

  constructor(socket: WebSocket, server: GatewayServer, version: number) {
    this.#socket = socket;
    this.#server = server;
    this.#version = version;
    socket.on("message", (data, isBinary) => this.#receive(String(data), isBinary));
    socket.on("close", (code) => this.#onClosed(code));
    socket.on("error", () => undefined);
    setTimeout(() => this.#hello(), server.faults.helloDelayMs).unref();
  }

  /** Sends a text frame as it is. */
  sendText(text: string): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(text);
  }

  /** Sends a message without a number. */
  send(op: number, d: unknown): void {
    this.sendText(JSON.stringify({ op, d }));
  }

  /** Sends a numbered message. */
  sendNumbered(op: number, d: unknown): void {
    if (this.session) this.sendText(this.session.numbered(op, d));
  }

  /** Closes; 1006 cuts the TCP stream. A session closed by the server can be resumed. */
  close(code: number, reason = ""): void {
    if (code === 1006) this.#socket.terminate();
    else this.#socket.close(code, reason);
  }

  /** Closes with 4009 when no heartbeat came for too long. */
  checkHeart(nowMs: number): void {
    if (nowMs - this.#lastBeatMs > this.#server.options.heartbeatIntervalMs * 3)
      this.close(4009, "Session timed out.");
  }

  #hello(): void {
    if (this.#closesAt("before_hello")) return;
    const interval = this.#server.options.heartbeatIntervalMs;
    this.send(VoiceOpcode.Hello, { v: this.#version, heartbeat_interval: interval });
  }

  #closesAt(phase: Parameters<GatewayServer["faults"]["takesClose"]>[0]): boolean {
    const code = this.#server.faults.takesClose(phase);
    if (code !== undefined) this.close(code);
    return code !== undefined;
  }

  #receive(text: string, isBinary: boolean): void {
    const frame = isBinary ? undefined : parse(text);
    if (!frame) return this.close(4002, "Failed to decode payload.");
    const { op, d } = frame;
    const isFirst = op === VoiceOpcode.Identify || op === VoiceOpcode.Resume;
    if (!this.session && !isFirst) return this.close(4003, "Not authenticated.");
    if (op === VoiceOpcode.Heartbeat) return this.#heartbeat(d);
    if (typeof d !== "object" || d === null) return this.close(4020, "Bad request.");
    const fields = d as Fields;
    switch (op) {
      case VoiceOpcode.Identify:
        return this.#identify(fields);
      case VoiceOpcode.Resume:
        return this.#resume(fields);
      case VoiceOpcode.SelectProtocol:
        return this.#selectProtocol(fields);
      case VoiceOpcode.Speaking:
        return this.#speaking(fields);
      case VoiceOpcode.Video:
      case VoiceOpcode.SessionUpdate:
      case VoiceOpcode.MediaSinkWants:
        return;
      case VoiceOpcode.VoiceBackendVersion:
        return this.send(VoiceOpcode.VoiceBackendVersion, {
          voice: "0.22.1",
          rtc_worker: "1.6.92",
        });
      default:
        return this.close(4001, "Unknown opcode.");
    }
  }

  #heartbeat(d: unknown): void {
    const { faults } = this.#server;
    this.#lastBeatMs = performance.now();
    const nonce = this.#version >= 8 ? (d as Fields | null)?.t : d;
    if (typeof nonce !== "number") return this.close(4020, "Bad request.");
    if (faults.withholdHeartbeatAcks) return;
    const t = faults.wrongHeartbeatNonce ? nonce + 1 : nonce;
    this.send(VoiceOpcode.HeartbeatAck, this.#version >= 8 ? { t } : t);
  }

  #identify(d: Fields): void {
    if (this.session) return this.close(4005, "Already authenticated.");
    const { server_id, user_id, session_id, token } = d;
    for (const value of [server_id, user_id, session_id, token]) {
      if (typeof value !== "string") return this.close(4020, "Bad request.");
    }
    const seat = this.#server.rooms.seat(String(server_id), String(user_id));
    if (!seat) return this.close(4011, "Server not found.");
    if (seat.token !== token) return this.close(4004, "Authentication failed.");
    if (seat.sessionId !== session_id) return this.close(4006, "Session is no longer valid.");
    this.#begin(seat);
  }

  #begin(seat: Seat): void {
    if (this.#closesAt("before_ready")) return;
    this.session = new Session(seat, this.#server.nextSsrc(), this.#version);
    this.#server.enter(this);
    const { address, port } = this.#server.media.address;
    this.send(VoiceOpcode.Ready, {
      ssrc: this.session.ssrc,
      ip: address,
      port,
      modes: this.#server.options.modes,
      experiments: ["fixed_keyframe_interval"],
      streams: [],
    });
    this.#server.introduce(this);
  }

  #resume(d: Fields): void {
    const { faults, rooms } = this.#server;
    if (this.#closesAt("resuming")) return;
    if (this.session) return this.close(4005, "Already authenticated.");
    const seat = rooms.bySession(String(d.server_id), String(d.session_id), String(d.token));
    const session = seat && this.#server.sessionOf(seat);
    if (!seat || !session || faults.refuseResume)
      return this.close(4006, "Session is no longer valid.");
    if (faults.readyInsteadOfResumed) return this.#begin(seat);
    const missed = this.#version < 8 ? [] : session.since(Number(d.seq_ack ?? -1));
    if (!missed) return this.close(4006, "Session is no longer valid.");
    this.session = session;
    session.lostAtMs = undefined;
    this.#server.enter(this);
    this.send(VoiceOpcode.Resumed, null);
    for (const text of missed) this.sendText(text);
  }

  #selectProtocol(d: Fields): void {
    const { session } = this;
    if (!session || this.#closesAt("before_session_description")) return;
    const data = (d.data ?? {}) as Fields;
    if (d.protocol !== "udp") return this.close(4012, "Unknown protocol.");
    const mode = this.#server.options.modes.find((offered) => offered === data.mode);
    if (!mode || !isMode(mode)) return this.close(4016, "Unknown encryption mode.");
    if (data.address !== session.remote?.address || data.port !== session.remote?.port) {
      this.#server.object(
        session,
        "select_protocol",
        "op 1 does not repeat the discovered address and port",
      );
    }
    session.mode = mode;
    this.#server.describe(this);
    const code = this.#server.faults.takesClose("connected");
    if (code !== undefined) this.close(code);
  }

  #speaking(d: Fields): void {
    const { session } = this;
    if (!session || typeof d.speaking !== "number") return this.close(4020, "Bad request.");
    session.speaking = d.speaking;
    this.#server.tellOthers(this, VoiceOpcode.Speaking, {
      speaking: session.speaking,
      ssrc: session.ssrc,
      user_id: session.seat.userId,
    });
  }

  #onClosed(code: number): void {
    if (!this.session) return this.#server.exit(this, true);
    this.session.lostAtMs = performance.now();
    // A client that closes with 1000 or 1001 says that it is done; anything else may be resumed.
    this.#server.exit(this, code === 1000 || code === 1001);
  }
}

function isMode(name: string): name is Mode {
  return (MODES as readonly string[]).includes(name);
}

function parse(text: string): { op: unknown; d: unknown } | undefined {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null
      ? (frame as { op: unknown; d: unknown })
      : undefined;
  } catch {
    return undefined;
  }
}
