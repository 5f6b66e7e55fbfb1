/** What clients send to the voice gateway: parsed once, with the close code that a fault in it earns. */

import { VoiceOpcode } from "../gateway/opcodes.ts";

type Fields = Record<string, unknown>;

/** A message whose types are right. */
export type ClientMessage =
  | {
      type: "identify";
      serverId: string;
      userId: string;
      sessionId: string;
      token: string;
      daveVersion: number;
    }
  | { type: "resume"; serverId: string; sessionId: string; token: string; seqAck: number }
  | { type: "select_protocol"; protocol: string; address: string; port: number; mode: string }
  | { type: "heartbeat"; nonce: number; seqAck: number | undefined }
  | { type: "speaking"; speaking: number; ssrc: number | undefined }
  | { type: "backend_version" }
  | { type: "dave"; message: DaveClientMessage }
  | { type: "ignored" };

/** What a client says about end-to-end encryption. */
export type DaveClientMessage =
  | { op: 23 | 31; transitionId: number }
  | { op: 26 | 28; payload: Buffer };

/** A frame that ends the connection. */
export interface Refusal {
  type: "refused";
  code: number;
  reason: string;
}

const UNDECODABLE = refusal(4002, "Failed to decode payload.");
const UNKNOWN_OPCODE = refusal(4001, "Unknown opcode.");
const BAD_REQUEST = refusal(4020, "Bad request.");

const IGNORED: readonly number[] = [
  VoiceOpcode.Signal,
  VoiceOpcode.Video,
  VoiceOpcode.SessionUpdate,
  VoiceOpcode.MediaSinkWants,
  VoiceOpcode.NoRoute,
];

/** The `op` and `d` of a text frame. */
export function parseEnvelope(text: string): { op: number; d: unknown } | Refusal {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return UNDECODABLE;
  }
  if (!isFields(frame)) return UNDECODABLE;
  if (typeof frame.op !== "number") return BAD_REQUEST;
  return { op: frame.op, d: frame.d };
}

/** The meaning of a text frame's contents under a gateway version. */
export function parseMessage(op: number, d: unknown, version: number): ClientMessage | Refusal {
  if (op === VoiceOpcode.Heartbeat) return heartbeat(d, version);
  if (IGNORED.includes(op)) return { type: "ignored" };
  if (op === VoiceOpcode.VoiceBackendVersion) return { type: "backend_version" };
  const parse = BODIES.get(op);
  if (!parse) return UNKNOWN_OPCODE;
  return (isFields(d) && parse(d)) || BAD_REQUEST;
}

/** The meaning of a binary frame: only end-to-end encryption uses them. */
export function parseBinary(frame: Buffer): ClientMessage | Refusal {
  const op = frame[0];
  if (op !== VoiceOpcode.MlsKeyPackage && op !== VoiceOpcode.MlsCommitWelcome) return UNDECODABLE;
  return { type: "dave", message: { op, payload: frame.subarray(1) } };
}

const BODIES = new Map<number, (d: Fields) => ClientMessage | undefined>([
  [VoiceOpcode.Identify, identify],
  [VoiceOpcode.Resume, resume],
  [VoiceOpcode.SelectProtocol, selectProtocol],
  [VoiceOpcode.Speaking, speaking],
  [VoiceOpcode.DaveTransitionReady, (d) => transition(VoiceOpcode.DaveTransitionReady, d)],
  [VoiceOpcode.MlsInvalidCommitWelcome, (d) => transition(VoiceOpcode.MlsInvalidCommitWelcome, d)],
]);

function identify(d: Fields): ClientMessage | undefined {
  const { server_id: serverId, user_id: userId, session_id: sessionId, token } = d;
  const daveVersion = d.max_dave_protocol_version ?? 0;
  if (!isText(serverId) || !isText(userId) || !isText(sessionId) || !isText(token))
    return undefined;
  return typeof daveVersion === "number"
    ? { type: "identify", serverId, userId, sessionId, token, daveVersion }
    : undefined;
}

function resume(d: Fields): ClientMessage | undefined {
  const { server_id: serverId, session_id: sessionId, token, seq_ack: seqAck = -1 } = d;
  if (!isText(serverId) || !isText(sessionId) || !isText(token)) return undefined;
  return typeof seqAck === "number"
    ? { type: "resume", serverId, sessionId, token, seqAck }
    : undefined;
}

function selectProtocol(d: Fields): ClientMessage | undefined {
  const { protocol, data } = d;
  if (!isText(protocol)) return undefined;
  // The protocol decides what `data` holds, so an unknown one is told before its data is looked at.
  const { address, port, mode } = isFields(data) ? data : {};
  if (protocol !== "udp") {
    return { type: "select_protocol", protocol, address: "", port: 0, mode: "" };
  }
  if (!isText(address) || typeof port !== "number" || !isText(mode)) return undefined;
  return { type: "select_protocol", protocol, address, port, mode };
}

function speaking(d: Fields): ClientMessage | undefined {
  const { speaking: flags, ssrc } = d;
  if (typeof flags !== "number" && typeof flags !== "boolean") return undefined;
  if (ssrc !== undefined && typeof ssrc !== "number") return undefined;
  return { type: "speaking", speaking: Number(flags), ssrc };
}

function transition(op: 23 | 31, d: Fields): ClientMessage | undefined {
  const transitionId = d.transition_id;
  const isId = Number.isInteger(transitionId) && typeof transitionId === "number";
  if (!isId || transitionId < 0 || transitionId > 0xffff) return undefined;
  return { type: "dave", message: { op, transitionId } };
}

function heartbeat(d: unknown, version: number): ClientMessage | Refusal {
  if (version < 8) {
    return typeof d === "number" ? { type: "heartbeat", nonce: d, seqAck: undefined } : BAD_REQUEST;
  }
  if (!isFields(d) || typeof d.t !== "number") return BAD_REQUEST;
  const seqAck = d.seq_ack ?? undefined;
  if (seqAck !== undefined && typeof seqAck !== "number") return BAD_REQUEST;
  return { type: "heartbeat", nonce: d.t, seqAck };
}

function refusal(code: number, reason: string): Refusal {
  return { type: "refused", code, reason };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
