/** What each message of the voice server changes. */

import type { TransportMode } from "../native/types.ts";
import { onDaveMembers, onDaveMessage, openDave, releaseReplies } from "./dave.ts";
import { lost } from "./loss.ts";
import type { ServerMessage } from "./messages.ts";
import { VoiceOpcode } from "./opcodes.ts";
import type { Turn } from "./turn.ts";

type Message<Kind extends ServerMessage["kind"]> = Extract<ServerMessage, { kind: Kind }>;

/** No server may make this client beat faster, in milliseconds. */
const MIN_HEARTBEAT_INTERVAL_MS = 50;

/** Handles one message of the present socket. */
export function onMessage(turn: Turn, message: ServerMessage): void {
  // Zero is a valid sequence number, and the last one seen counts, not the largest.
  if (message.seq !== undefined) turn.set({ seqAck: message.seq });
  switch (message.kind) {
    case "hello":
      return onHello(turn, message.heartbeatIntervalMs);
    case "ready":
      return onReady(turn, message);
    case "session_description":
      return onSessionDescription(turn, message);
    case "resumed":
      return onResumed(turn);
    case "heartbeat":
      return turn.sendHeartbeat();
    case "heartbeat_ack":
      return onHeartbeatAck(turn, message.nonce);
    case "clients_connect":
      onDaveMembers(turn, { joined: message.userIds });
      return turn.emit({ type: "peer", message });
    case "client_disconnect":
      onDaveMembers(turn, { left: [message.userId] });
      return turn.emit({ type: "peer", message });
    case "dave_prepare_transition":
    case "dave_execute_transition":
    case "dave_prepare_epoch":
    case "binary":
      if (onDaveMessage(turn, message)) return;
      return turn.emit({ type: "peer", message });
    case "speaking":
    case "other":
      return turn.emit({ type: "peer", message });
  }
}

/** Identify or Resume go out before the first heartbeat: anything else before them is refused. */
function onHello(turn: Turn, intervalMs: number): void {
  const { status, config } = turn.state;
  const interval = Math.max(intervalMs, MIN_HEARTBEAT_INTERVAL_MS);
  turn.set({ heartbeat: { intervalMs: interval, outstanding: [], unanswered: 0 } });
  if (status === "waiting_for_hello") {
    const phaseMs = config.timeouts.answer;
    if (turn.state.established) {
      turn.enter("resuming", { phaseMs });
      resume(turn);
    } else {
      turn.enter("identifying", { phaseMs });
      identify(turn);
    }
  }
  turn.beat();
}

function identify(turn: Turn): void {
  const { credentials, config } = turn.state;
  if (!credentials) return;
  turn.set({ seqAck: -1, identified: true });
  const d: Record<string, unknown> = {
    server_id: credentials.guildId,
    user_id: credentials.userId,
    session_id: credentials.sessionId,
    token: credentials.token,
    max_dave_protocol_version: config.maxDaveProtocolVersion,
  };
  if (credentials.channelId !== undefined) d.channel_id = credentials.channelId;
  turn.emit({ type: "send", message: { op: VoiceOpcode.Identify, d } });
}

function resume(turn: Turn): void {
  const { credentials, config, seqAck } = turn.state;
  if (!credentials) return;
  const d: Record<string, unknown> = {
    server_id: credentials.guildId,
    session_id: credentials.sessionId,
    token: credentials.token,
  };
  if (config.version >= 8) d.seq_ack = seqAck;
  turn.emit({ type: "send", message: { op: VoiceOpcode.Resume, d } });
}

/** Also the answer to a Resume that the server turned into a fresh session: new SSRC, new socket. */
function onReady(turn: Turn, message: Message<"ready">): void {
  const { config, status, refusedModes } = turn.state;
  if (status !== "identifying" && status !== "resuming") return;
  const allowed = config.modes.filter((candidate) => !refusedModes.includes(candidate));
  const mode = allowed.find((candidate) => message.modes.includes(candidate));
  if (!mode) {
    return turn.end({
      code: "no_common_mode",
      message: `The voice server offers no encryption mode that is allowed here (${allowed.join(", ")}).`,
    });
  }
  turn.dropSession();
  const generation = turn.state.transport;
  const target = { address: message.ip, port: message.port, ssrc: message.ssrc, generation };
  // A message may stand before Ready in the numbering; dropping the session must not forget it.
  turn.set({ mode, ssrc: message.ssrc, seqAck: message.seq ?? -1 });
  turn.emit({ type: "open_transport", target });
  turn.enter("waiting_for_ready", { phaseMs: config.timeouts.discovery });
}

/** Speaking goes out before the keys are handed to the flow: no packet may be sent before it. */
function onSessionDescription(turn: Turn, message: Message<"session_description">): void {
  const { status, mode } = turn.state;
  if (status !== "waiting_for_ready" && status !== "ready") return;
  if (message.mode !== mode) {
    return lost(turn, "rejoin", {
      code: "wrong_mode",
      message: "The voice server answered with another encryption mode.",
    });
  }
  // A description while ready brings new transport keys; the group lives on.
  if (status !== "ready" && !openDave(turn, message.daveProtocolVersion)) return;
  turn.set({ established: true });
  if (status !== "ready") turn.enter("ready");
  turn.speak(turn.state.speaking);
  turn.emit({ type: "start_session", mode: message.mode as TransportMode, key: message.secretKey });
}

function onResumed(turn: Turn): void {
  if (turn.state.status !== "resuming") return;
  turn.enter("ready");
  turn.speak(turn.state.speaking);
  releaseReplies(turn);
}

/** An acknowledgement that fits no outstanding beat is ignored: only a missing one is fatal. */
function onHeartbeatAck(turn: Turn, nonce: number): void {
  const { heartbeat } = turn.state;
  const sentAt = heartbeat?.outstanding.find((at) => Math.round(at) === nonce);
  if (!heartbeat || sentAt === undefined) return;
  const outstanding = heartbeat.outstanding.filter((at) => at > sentAt);
  turn.set({ heartbeat: { ...heartbeat, outstanding, unanswered: 0 } });
  turn.emit({ type: "latency", ms: Math.max(0, turn.nowMs - sentAt) });
}
