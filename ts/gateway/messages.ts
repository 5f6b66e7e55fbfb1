/** Voice gateway messages: bytes and JSON in, typed values out, and back. Wire names stay inside this folder. */

import { CadenzaError } from "../support/errors.ts";
import { VoiceOpcode } from "./opcodes.ts";

/** Largest frame that is accepted, in bytes. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** What the server says. */
export type ServerMessage =
  | { kind: "hello"; heartbeatIntervalMs: number; seq?: number }
  | { kind: "ready"; ssrc: number; ip: string; port: number; modes: string[]; seq?: number }
  | {
      kind: "session_description";
      mode: string;
      secretKey: Uint8Array;
      daveProtocolVersion: number;
      seq?: number;
    }
  | { kind: "speaking"; userId: string; ssrc: number; speaking: number; seq?: number }
  | { kind: "heartbeat"; seq?: number }
  | { kind: "heartbeat_ack"; nonce: number; seq?: number }
  | { kind: "resumed"; seq?: number }
  | { kind: "clients_connect"; userIds: string[]; seq?: number }
  | { kind: "client_disconnect"; userId: string; seq?: number }
  | {
      kind: "dave_prepare_transition";
      transitionId: number;
      protocolVersion: number;
      seq?: number;
    }
  | { kind: "dave_execute_transition"; transitionId: number; seq?: number }
  | { kind: "dave_prepare_epoch"; epoch: number; protocolVersion: number; seq?: number }
  | { kind: "binary"; op: number; payload: Uint8Array; seq: number }
  | { kind: "other"; op: number; d: unknown; seq?: number };

/** What the client says. */
export type ClientMessage =
  | { op: typeof VoiceOpcode.Identify; d: Record<string, unknown> }
  | { op: typeof VoiceOpcode.SelectProtocol; d: Record<string, unknown> }
  | { op: typeof VoiceOpcode.Heartbeat; d: number | { t: number; seq_ack: number } }
  | { op: typeof VoiceOpcode.Speaking; d: { speaking: number; delay: 0; ssrc: number } }
  | { op: typeof VoiceOpcode.Resume; d: Record<string, unknown> }
  | { op: DaveTextOpcode; d: { transition_id: number } }
  | { op: DaveBinaryClientOpcode; payload: Uint8Array };

type DaveTextOpcode =
  | typeof VoiceOpcode.DaveTransitionReady
  | typeof VoiceOpcode.MlsInvalidCommitWelcome;
type DaveBinaryClientOpcode =
  | typeof VoiceOpcode.MlsKeyPackage
  | typeof VoiceOpcode.MlsCommitWelcome;

/** A frame from the gateway that cannot be understood. Codes: `not_json`, `missing_field`, `wrong_type`, `truncated`, `frame_too_large`. */
export class GatewayMessageError extends CadenzaError {
  constructor(code: string, message: string) {
    super(code, message);
    this.name = "GatewayMessageError";
  }
}

type Fields = Record<string, unknown>;

/**
 * Reads a text frame.
 *
 * @throws GatewayMessageError when it is not JSON, lacks a field or has one of a wrong type.
 */
export function parseText(text: string): ServerMessage {
  if (text.length > MAX_FRAME_BYTES) throw tooLarge();
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    throw new GatewayMessageError(
      "not_json",
      "The voice gateway sent a text frame that is not JSON.",
    );
  }
  const fields = asObject(frame, "frame");
  const op = asInteger(fields, "op");
  const message = parseOp(op, fields.d);
  return fields.seq === undefined ? message : { ...message, seq: asInteger(fields, "seq") };
}

/**
 * Reads a binary frame: u16 sequence, u8 opcode, payload.
 *
 * @throws GatewayMessageError when it has fewer than three bytes or too many.
 */
export function parseBinary(frame: Uint8Array): ServerMessage {
  if (frame.length > MAX_FRAME_BYTES) throw tooLarge();
  const [high, low, op] = frame;
  if (high === undefined || low === undefined || op === undefined) {
    throw new GatewayMessageError(
      "truncated",
      "The voice gateway sent a binary frame of fewer than 3 bytes.",
    );
  }
  return { kind: "binary", seq: high * 256 + low, op, payload: frame.subarray(3) };
}

/** The frame of a client message: text, or opcode and payload in a binary one. */
export function serialise(message: ClientMessage): string | Uint8Array {
  if (!("payload" in message)) return JSON.stringify(message);
  const frame = new Uint8Array(1 + message.payload.length);
  frame[0] = message.op;
  frame.set(message.payload, 1);
  return frame;
}

function parseOp(op: number, d: unknown): ServerMessage {
  switch (op) {
    case VoiceOpcode.Hello:
      return {
        kind: "hello",
        heartbeatIntervalMs: asPositive(asObject(d, "d"), "heartbeat_interval"),
      };
    case VoiceOpcode.Ready:
      return parseReady(asObject(d, "d"));
    case VoiceOpcode.SessionDescription:
      return parseSessionDescription(asObject(d, "d"));
    case VoiceOpcode.Speaking:
      return parseSpeaking(asObject(d, "d"));
    case VoiceOpcode.Heartbeat:
      return { kind: "heartbeat" };
    case VoiceOpcode.HeartbeatAck:
      return {
        kind: "heartbeat_ack",
        nonce: typeof d === "number" ? d : asNumber(asObject(d, "d"), "t"),
      };
    case VoiceOpcode.Resumed:
      return { kind: "resumed" };
    case VoiceOpcode.ClientsConnect:
      return { kind: "clients_connect", userIds: asStrings(asObject(d, "d"), "user_ids") };
    case VoiceOpcode.ClientDisconnect:
      return { kind: "client_disconnect", userId: asString(asObject(d, "d"), "user_id") };
    case VoiceOpcode.DavePrepareTransition:
    case VoiceOpcode.DaveExecuteTransition:
    case VoiceOpcode.DavePrepareEpoch:
      return parseDave(op, asObject(d, "d"));
    default:
      return { kind: "other", op, d };
  }
}

function parseReady(d: Fields): ServerMessage {
  const port = asInteger(d, "port");
  const ip = asString(d, "ip");
  if (port < 1 || port > 65_535) throw wrongType("port", "a port from 1 to 65535");
  if (!/^\d{1,3}(\.\d{1,3}){3}$/.test(ip)) throw wrongType("ip", "an IPv4 literal");
  return { kind: "ready", ssrc: asUint32(d, "ssrc"), ip, port, modes: asStrings(d, "modes") };
}

function parseSessionDescription(d: Fields): ServerMessage {
  const key = d.secret_key;
  const isKey =
    Array.isArray(key) &&
    key.length === 32 &&
    key.every((byte) => Number.isInteger(byte) && byte >= 0 && byte <= 255);
  if (!isKey) throw wrongType("secret_key", "32 integers from 0 to 255");
  const version = d.dave_protocol_version === undefined ? 0 : asInteger(d, "dave_protocol_version");
  return {
    kind: "session_description",
    mode: asString(d, "mode"),
    secretKey: Uint8Array.from(key as number[]),
    daveProtocolVersion: version,
  };
}

function parseSpeaking(d: Fields): ServerMessage {
  return {
    kind: "speaking",
    userId: asString(d, "user_id"),
    ssrc: asUint32(d, "ssrc"),
    speaking: asInteger(d, "speaking"),
  };
}

function parseDave(op: number, d: Fields): ServerMessage {
  if (op === VoiceOpcode.DaveExecuteTransition) {
    return { kind: "dave_execute_transition", transitionId: asUint16(d, "transition_id") };
  }
  const protocolVersion = asUint16(d, "protocol_version");
  if (op === VoiceOpcode.DavePrepareTransition) {
    const transitionId = asUint16(d, "transition_id");
    return { kind: "dave_prepare_transition", transitionId, protocolVersion };
  }
  return { kind: "dave_prepare_epoch", epoch: asUint32(d, "epoch"), protocolVersion };
}

function asObject(value: unknown, name: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrongType(name, "an object");
}

function field(fields: Fields, name: string): unknown {
  const value = fields[name];
  if (value === undefined) {
    throw new GatewayMessageError(
      "missing_field",
      `A voice gateway message lacks the field ${name}.`,
    );
  }
  return value;
}

function asString(fields: Fields, name: string): string {
  const value = field(fields, name);
  if (typeof value === "string") return value;
  throw wrongType(name, "a string");
}

function asStrings(fields: Fields, name: string): string[] {
  const value = field(fields, name);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw wrongType(name, "an array of strings");
}

function asNumber(fields: Fields, name: string): number {
  const value = field(fields, name);
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw wrongType(name, "a number");
}

function asPositive(fields: Fields, name: string): number {
  const value = asNumber(fields, name);
  if (value > 0 && value <= 600_000) return value;
  throw wrongType(name, "a number of milliseconds from 1 to 600000");
}

function asInteger(fields: Fields, name: string): number {
  const value = asNumber(fields, name);
  if (Number.isInteger(value)) return value;
  throw wrongType(name, "an integer");
}

function asUint16(fields: Fields, name: string): number {
  const value = asInteger(fields, name);
  if (value >= 0 && value < 2 ** 16) return value;
  throw wrongType(name, "an integer of 16 bits");
}

function asUint32(fields: Fields, name: string): number {
  const value = asInteger(fields, name);
  if (value >= 0 && value < 2 ** 32) return value;
  throw wrongType(name, "an integer of 32 bits");
}

function wrongType(name: string, expected: string): GatewayMessageError {
  return new GatewayMessageError(
    "wrong_type",
    `The field ${name} of a voice gateway message is not ${expected}.`,
  );
}

function tooLarge(): GatewayMessageError {
  return new GatewayMessageError(
    "frame_too_large",
    `A voice gateway frame has more than ${MAX_FRAME_BYTES} bytes.`,
  );
}
