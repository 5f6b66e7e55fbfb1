/** Every message of the voice gateway, of either side, as one union; frames in, values out, and back. */

import { type ClientMessage, parseBinary, parseText, type ServerMessage } from "./messages.ts";
import { VoiceOpcode } from "./opcodes.ts";

/** What a client may say. `token` and `sessionId` are secrets. */
export type ClientGatewayMessage =
  | {
      kind: "identify";
      guildId: string;
      userId: string;
      sessionId: string;
      token: string;
      channelId?: string;
      /** Highest end-to-end encryption version offered. Default 0: none. */
      maxDaveProtocolVersion?: number;
    }
  | {
      kind: "resume";
      guildId: string;
      sessionId: string;
      token: string;
      channelId?: string;
      /** Last sequence number received; −1 for none. */
      seqAck?: number;
    }
  | { kind: "select_protocol"; protocol: string; address: string; port: number; mode: string }
  /** Who speaks, from a client; `speaking` holds the bits of `SpeakingFlags`. */
  | { kind: "set_speaking"; speaking: number; ssrc: number; delay?: number }
  /** `nonce` comes back in the acknowledgement; by custom the time in milliseconds. */
  | { kind: "beat"; nonce: number; seqAck?: number }
  /** Anything else as text: its opcode and data go out as they are. */
  | { kind: "raw"; op: number; d: unknown }
  /** Anything else in a binary frame. */
  | { kind: "raw_binary"; op: number; payload: Uint8Array };

/** Any message of the voice gateway; `kind` tells which. Unknown opcodes are `other` or `binary`, with their data raw. */
export type GatewayMessage = ServerMessage | ClientGatewayMessage;

/**
 * Reads a frame from the server: text as a string, binary as bytes.
 *
 * @throws GatewayMessageError `not_json`, `missing_field`, `wrong_type`, `truncated` or `frame_too_large`.
 */
export function parseGatewayMessage(frame: string | Uint8Array): ServerMessage {
  return typeof frame === "string" ? parseText(frame) : parseBinary(frame);
}

/**
 * Writes a message as it goes over the wire: text as a string, binary as bytes.
 *
 * @param version The gateway version; below 8 heartbeats are bare numbers and nothing is acknowledged.
 */
export function serialiseGatewayMessage(message: GatewayMessage, version = 8): string | Uint8Array {
  if (message.kind === "raw_binary") return framed([message.op], message.payload);
  if (message.kind === "binary") {
    return framed([message.seq >> 8, message.seq & 0xff, message.op], message.payload);
  }
  const seq = "seq" in message ? message.seq : undefined;
  const wire = isClient(message) ? clientWire(message, version) : serverWire(message, version);
  return JSON.stringify(seq === undefined ? wire : { ...wire, seq });
}

/** The wire form of a client message for the socket. */
export function toClientMessage(
  message: Exclude<ClientGatewayMessage, { kind: "raw_binary" }>,
  version: number,
): ClientMessage {
  return clientWire(message, version) as ClientMessage;
}

function framed(head: readonly number[], payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(head.length + payload.length);
  frame.set(head);
  frame.set(payload, head.length);
  return frame;
}

type Wire = { op: number; d: unknown };
type TextClient = Exclude<ClientGatewayMessage, { kind: "raw_binary" }>;
type TextServer = Exclude<ServerMessage, { kind: "binary" }>;

const CLIENT_KINDS: ReadonlySet<string> = new Set<TextClient["kind"]>([
  "identify",
  "resume",
  "select_protocol",
  "set_speaking",
  "beat",
  "raw",
]);

function isClient(message: TextClient | TextServer): message is TextClient {
  return CLIENT_KINDS.has(message.kind);
}

function clientWire(message: TextClient, version: number): Wire {
  switch (message.kind) {
    case "identify":
      return { op: VoiceOpcode.Identify, d: identify(message) };
    case "resume":
      return { op: VoiceOpcode.Resume, d: resume(message, version) };
    case "select_protocol": {
      const { protocol, address, port, mode } = message;
      return { op: VoiceOpcode.SelectProtocol, d: { protocol, data: { address, port, mode } } };
    }
    case "set_speaking": {
      const { speaking, ssrc, delay = 0 } = message;
      return { op: VoiceOpcode.Speaking, d: { speaking, delay, ssrc } };
    }
    case "beat": {
      const { nonce: t, seqAck = -1 } = message;
      return { op: VoiceOpcode.Heartbeat, d: version >= 8 ? { t, seq_ack: seqAck } : t };
    }
    case "raw":
      return { op: message.op, d: message.d };
  }
}

function identify(message: Extract<ClientGatewayMessage, { kind: "identify" }>): object {
  const d: Record<string, unknown> = {
    server_id: message.guildId,
    user_id: message.userId,
    session_id: message.sessionId,
    token: message.token,
    max_dave_protocol_version: message.maxDaveProtocolVersion ?? 0,
  };
  if (message.channelId !== undefined) d.channel_id = message.channelId;
  return d;
}

function resume(
  message: Extract<ClientGatewayMessage, { kind: "resume" }>,
  version: number,
): object {
  const d: Record<string, unknown> = {
    server_id: message.guildId,
    session_id: message.sessionId,
    token: message.token,
  };
  if (message.channelId !== undefined) d.channel_id = message.channelId;
  if (version >= 8) d.seq_ack = message.seqAck ?? -1;
  return d;
}

function serverWire(message: TextServer, version: number): Wire {
  switch (message.kind) {
    case "hello": {
      const { heartbeatIntervalMs: heartbeat_interval } = message;
      return { op: VoiceOpcode.Hello, d: { v: version, heartbeat_interval } };
    }
    case "ready": {
      const { ssrc, ip, port, modes } = message;
      return { op: VoiceOpcode.Ready, d: { ssrc, ip, port, modes } };
    }
    case "session_description": {
      const { mode, secretKey, daveProtocolVersion: dave_protocol_version } = message;
      const d = { mode, secret_key: [...secretKey], dave_protocol_version };
      return { op: VoiceOpcode.SessionDescription, d };
    }
    case "speaking": {
      const { userId: user_id, ssrc, speaking } = message;
      return { op: VoiceOpcode.Speaking, d: { user_id, ssrc, speaking } };
    }
    case "heartbeat":
      return { op: VoiceOpcode.Heartbeat, d: null };
    case "heartbeat_ack":
      return {
        op: VoiceOpcode.HeartbeatAck,
        d: version >= 8 ? { t: message.nonce } : message.nonce,
      };
    case "resumed":
      return { op: VoiceOpcode.Resumed, d: null };
    case "clients_connect":
      return { op: VoiceOpcode.ClientsConnect, d: { user_ids: message.userIds } };
    case "client_disconnect":
      return { op: VoiceOpcode.ClientDisconnect, d: { user_id: message.userId } };
    case "dave_prepare_transition":
    case "dave_execute_transition":
    case "dave_prepare_epoch":
      return daveWire(message);
    case "other":
      return { op: message.op, d: message.d };
  }
}

function daveWire(message: Extract<TextServer, { kind: `dave_${string}` }>): Wire {
  switch (message.kind) {
    case "dave_prepare_transition": {
      const d = { protocol_version: message.protocolVersion, transition_id: message.transitionId };
      return { op: VoiceOpcode.DavePrepareTransition, d };
    }
    case "dave_execute_transition":
      return { op: VoiceOpcode.DaveExecuteTransition, d: { transition_id: message.transitionId } };
    case "dave_prepare_epoch": {
      const d = { protocol_version: message.protocolVersion, epoch: message.epoch };
      return { op: VoiceOpcode.DavePrepareEpoch, d };
    }
  }
}
