/** End-to-end encryption (DAVE) of a flow: what goes in and comes out, and how the binding spells it. */

import { CadenzaError } from "../support/errors.ts";
import type {
  BindingDaveEvent,
  BindingDaveState,
  BindingDaveStatus,
  BindingEngine,
} from "./generated/binding.js";
import { succeed } from "./unwrap.ts";

/** A session that begins. */
export interface DaveOptions {
  /** `dave_protocol_version` of the session description; 0 is no encryption. */
  version: number;
  /** The bot's user id. */
  userId: string;
  /** The channel's id. A wrong one makes a group that nobody else is in. */
  channelId: string;
}

/** A message of the voice gateway: the fields of JSON messages, or the bytes after the opcode. */
export type DaveServerMessage =
  | { op: 21; transitionId: number; protocolVersion: number }
  | { op: 22; transitionId: number }
  | { op: 24; protocolVersion: number; epoch: number }
  | { op: 25 | 27 | 29 | 30; payload: Uint8Array };

/** Users who came and went (ops 11, 12 and 13). */
export interface DaveMembers {
  joined?: readonly string[];
  left?: readonly string[];
}

/** How a call is encrypted. */
export interface DaveState {
  /** 0 is no encryption. */
  protocolVersion: number;
  /** Whether sound is sent: there is a key, or none is needed. */
  ready: boolean;
  /** The group's epoch, once there is a group with others; a decimal string from 2^53 on. */
  epoch?: number | string;
  /** User ids of the group's members, the bot among them. */
  members: string[];
  /** Thirty digits that are the same for every member in an epoch. */
  privacyCode?: string;
}

/** What the group's owner has to send, or to know. */
export type DaveFlowEvent =
  | { type: "dave_send"; op: 23 | 31; transitionId: number }
  | { type: "dave_send"; op: 26 | 28; payload: Uint8Array }
  | ({ type: "dave_state" } & DaveState)
  | { type: "dave_transition"; transitionId: number; protocolVersion: number }
  | { type: "dave_failed"; code: string; message: string };

/** State and counters of a flow's encryption. */
export interface DaveStatus extends DaveState {
  /** Key packages sent: one for each life of a group. */
  keyPackages: number;
  commitsSent: number;
  /** Commits of our own that the gateway chose. */
  commitsWon: number;
  commitsApplied: number;
  welcomes: number;
  transitions: number;
  /** Times that op 31 was sent. */
  recoveries: number;
  /** Messages that were malformed or out of place and had no consequence. */
  ignored: number;
  /** Proposals refused because they add a user whom the gateway had not announced. */
  unknownUsers: number;
  framesEncrypted: number;
  /** Frames whose time passed unheard for want of a key. */
  framesHeld: number;
  /** Silence frames sent; they go in clear. */
  silenceSent: number;
  /** Frames of others: opened, and not opened by cause. */
  opened: {
    ok: number;
    noKey: number;
    malformed: number;
    authentication: number;
    replay: number;
    unencrypted: number;
  };
}

/** The end-to-end side of a flow. */
export interface DaveFlow {
  /**
   * A session begins: a new group if its version is not 0, and then nothing but silence frames is
   * sent until there is a key. Call it before {@link FlowLike.startSession}.
   *
   * @throws CadenzaError `dave_version_unsupported`; `invalid_argument` for ids that are none.
   */
  daveOpen(options: DaveOptions): void;
  /** Hands over a message of the voice gateway, in order. Op 25 may come before {@link daveOpen}. */
  daveMessage(message: DaveServerMessage): void;
  /** Users came and went; may come before {@link daveOpen}. */
  daveMembers(members: DaveMembers): void;
  /** The session is over. A flow that was encrypted stays silent until the next one is open. */
  daveClose(): void;
  /** State and counters; undefined when encryption was never asked for. */
  daveStatus(): DaveStatus | undefined;
  /**
   * The 45 digits that this bot and a member of the group compare; takes up to a second.
   *
   * @throws CadenzaError `dave_not_a_member` when the user is not in the group.
   */
  verificationCode(userId: string): Promise<string>;
}

const TWO_TO_53 = Number.MAX_SAFE_INTEGER;

/** The typed event, or undefined for one that this code does not know. */
export function toDaveEvent(event: BindingDaveEvent): DaveFlowEvent | undefined {
  const transitionId = event.transitionId ?? 0;
  switch (event.kind) {
    case "send":
      return toReply(event);
    case "state":
      return event.state && { type: "dave_state", ...toDaveState(event.state) };
    case "transition": {
      const protocolVersion = event.protocolVersion ?? 0;
      return { type: "dave_transition", transitionId, protocolVersion };
    }
    case "failed":
      return { type: "dave_failed", code: event.code ?? "", message: event.message ?? "" };
    default:
      return undefined;
  }
}

/** The methods of {@link DaveFlow} for one flow of the binding. */
export function openDave(native: BindingEngine, id: number, options: DaveOptions): void {
  succeed(native.daveOpen(id, options));
}

/** See {@link DaveFlow.daveMessage}. */
export function passDaveMessage(
  native: BindingEngine,
  id: number,
  message: DaveServerMessage,
): void {
  succeed(native.daveMessage(id, message));
}

/** See {@link DaveFlow.daveMembers}. */
export function passDaveMembers(native: BindingEngine, id: number, members: DaveMembers): void {
  succeed(native.daveMembers(id, [...(members.joined ?? [])], [...(members.left ?? [])]));
}

/** See {@link DaveFlow.daveStatus}. */
export function readDaveStatus(native: BindingEngine, id: number): DaveStatus | undefined {
  const status: BindingDaveStatus | null = native.daveStatus(id);
  if (!status) return undefined;
  const { state, ...counters } = status;
  return { ...toDaveState(state), ...counters };
}

/** See {@link DaveFlow.verificationCode}. */
export async function computeVerificationCode(
  native: BindingEngine,
  id: number,
  userId: string,
): Promise<string> {
  const code = native.verificationCode(id, userId);
  if ("code" in code) throw new CadenzaError(code.code, code.message);
  return await code;
}

function toReply(event: BindingDaveEvent): DaveFlowEvent | undefined {
  const { op, transitionId, payload } = event;
  if ((op === 23 || op === 31) && transitionId !== undefined) {
    return { type: "dave_send", op, transitionId };
  }
  return (op === 26 || op === 28) && payload ? { type: "dave_send", op, payload } : undefined;
}

function toDaveState(state: BindingDaveState): DaveState {
  const { epoch, privacyCode, ...rest } = state;
  return {
    ...rest,
    ...(epoch === undefined ? {} : { epoch: toEpoch(epoch) }),
    ...(privacyCode === undefined ? {} : { privacyCode }),
  };
}

function toEpoch(decimal: string): number | string {
  const epoch = Number(decimal);
  return epoch <= TWO_TO_53 ? epoch : decimal;
}
