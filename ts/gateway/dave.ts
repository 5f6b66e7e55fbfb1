/** End-to-end encryption (DAVE) as the gateway sees it: which messages go to the group, and which come back. */

import { lost } from "./loss.ts";
import type { ServerMessage } from "./messages.ts";
import { VoiceOpcode } from "./opcodes.ts";
import type { MachineOutput, Reason } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Replies that are kept while the socket is being resumed. */
const MAX_HELD_REPLIES = 32;

/** What the voice server says to the group: the fields of JSON messages, or the bytes after the opcode. */
export type DaveServerMessage =
  | { op: typeof VoiceOpcode.DavePrepareTransition; transitionId: number; protocolVersion: number }
  | { op: typeof VoiceOpcode.DaveExecuteTransition; transitionId: number }
  | { op: typeof VoiceOpcode.DavePrepareEpoch; epoch: number; protocolVersion: number }
  | { op: DaveBinaryOpcode; payload: Uint8Array };

/** Opcodes of the group's binary messages. */
export type DaveBinaryOpcode =
  | typeof VoiceOpcode.MlsExternalSender
  | typeof VoiceOpcode.MlsProposals
  | typeof VoiceOpcode.MlsAnnounceCommitTransition
  | typeof VoiceOpcode.MlsWelcome;

/** What the group answers. */
export type DaveReply =
  | {
      op: typeof VoiceOpcode.DaveTransitionReady | typeof VoiceOpcode.MlsInvalidCommitWelcome;
      transitionId: number;
    }
  | {
      op: typeof VoiceOpcode.MlsKeyPackage | typeof VoiceOpcode.MlsCommitWelcome;
      payload: Uint8Array;
    };

/** What the group has to do; in order, and before the outputs that follow. */
export type DaveCommand =
  /** A new session: version 0 sends in clear, from 1 on nothing leaves before there are keys. */
  | { type: "open"; version: number; userId: string; channelId: string }
  | { type: "message"; message: DaveServerMessage }
  | { type: "members"; joined?: readonly string[]; left?: readonly string[] }
  /** The session is over. */
  | { type: "close" };

const BINARY_OPS: ReadonlySet<number> = new Set<DaveBinaryOpcode>([
  VoiceOpcode.MlsExternalSender,
  VoiceOpcode.MlsProposals,
  VoiceOpcode.MlsAnnounceCommitTransition,
  VoiceOpcode.MlsWelcome,
]);

/** Hands a message to the group; false when it is none of the group's, or encryption was not offered. */
export function onDaveMessage(turn: Turn, message: ServerMessage): boolean {
  if (turn.state.config.maxDaveProtocolVersion === 0) return false;
  const forGroup = toDaveMessage(message);
  if (!forGroup) return false;
  const upgrade = "protocolVersion" in forGroup && forGroup.protocolVersion > 0;
  if (upgrade && turn.state.credentials?.channelId === undefined) endWithoutChannel(turn);
  else command(turn, { type: "message", message: forGroup });
  return true;
}

/** Tells the group who came and who went: it admits nobody else. */
export function onDaveMembers(
  turn: Turn,
  members: { joined?: readonly string[]; left?: readonly string[] },
): void {
  if (turn.state.config.maxDaveProtocolVersion > 0) command(turn, { type: "members", ...members });
}

/**
 * Opens the group of a new session; goes out before the session's keys, so that no frame can leave in clear.
 *
 * @returns False when the session cannot be: the connection has ended.
 */
export function openDave(turn: Turn, version: number): boolean {
  const { config, credentials } = turn.state;
  if (version > config.maxDaveProtocolVersion) {
    const message = "This call is end-to-end encrypted, which this connection did not offer.";
    turn.end({ code: "e2ee_required", message });
    return false;
  }
  if (config.maxDaveProtocolVersion === 0 || !credentials) return true;
  const { userId, channelId } = credentials;
  if (channelId !== undefined) {
    command(turn, { type: "open", version, userId, channelId });
    return true;
  }
  if (version > 0) endWithoutChannel(turn);
  return version === 0;
}

/** Sends what the group answers; while the socket is being resumed it is kept. */
export function onDaveReply(turn: Turn, reply: DaveReply): void {
  const { status, heldReplies, daveOpen } = turn.state;
  if (!daveOpen) return;
  if (status === "ready" || turn.awaitsMove()) turn.emit(sending(reply));
  else turn.set({ heldReplies: [...heldReplies, reply].slice(-MAX_HELD_REPLIES) });
}

/** Sends what was kept. */
export function releaseReplies(turn: Turn): void {
  for (const reply of turn.state.heldReplies) turn.emit(sending(reply));
  turn.set({ heldReplies: [] });
}

/** The group cannot be brought back: only a new session helps. */
export function onDaveFailed(turn: Turn, reason: Reason): void {
  if (turn.state.daveOpen) lost(turn, "rejoin", reason);
}

function sending(reply: DaveReply): MachineOutput {
  if ("payload" in reply) return { type: "send", message: reply };
  return { type: "send", message: { op: reply.op, d: { transition_id: reply.transitionId } } };
}

function command(turn: Turn, dave: DaveCommand): void {
  turn.set({ daveOpen: true });
  turn.emit({ type: "dave", command: dave });
}

function endWithoutChannel(turn: Turn): void {
  turn.end({
    code: "channel_id_required",
    message: "This call is end-to-end encrypted, which needs channel_id beside the credentials.",
  });
}

function toDaveMessage(message: ServerMessage): DaveServerMessage | undefined {
  switch (message.kind) {
    case "dave_prepare_transition": {
      const { transitionId, protocolVersion } = message;
      return { op: VoiceOpcode.DavePrepareTransition, transitionId, protocolVersion };
    }
    case "dave_execute_transition":
      return { op: VoiceOpcode.DaveExecuteTransition, transitionId: message.transitionId };
    case "dave_prepare_epoch": {
      const { epoch, protocolVersion } = message;
      return { op: VoiceOpcode.DavePrepareEpoch, epoch, protocolVersion };
    }
    case "binary": {
      const { op, payload } = message;
      return BINARY_OPS.has(op) ? { op: op as DaveBinaryOpcode, payload } : undefined;
    }
    default:
      return undefined;
  }
}
