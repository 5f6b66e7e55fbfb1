/** The voice gateway as a pure state machine: state, input and time in; new state and outputs out. */

import { onDaveFailed, onDaveReply } from "./dave.ts";
import { askAgain, lost, onSocketClosed } from "./loss.ts";
import { onMessage } from "./on-message.ts";
import { VoiceOpcode } from "./opcodes.ts";
import type {
  MachineInput,
  MachineOutput,
  MachineState,
  TimerName,
  VoiceCredentials,
} from "./state.ts";
import { isEndpoint, Turn } from "./turn.ts";

const LEFT = { code: "left", message: "The bot left the voice channel." };
const NO_ANSWER = {
  code: "no_credentials",
  message:
    "Discord did not answer the join. The channel may be full, or the bot may lack the permission to connect.",
};

/**
 * Takes one step. Reads no clock, opens nothing, keeps nothing: perform the outputs in order.
 *
 * @param nowMs Milliseconds of any clock that does not go back.
 * @param random A number from 0 to 1 that spreads delays; the middle where none is given.
 */
export function step(
  state: MachineState,
  input: MachineInput,
  nowMs: number,
  random = 0.5,
): { state: MachineState; outputs: MachineOutput[] } {
  const turn = new Turn(state, nowMs, random);
  handle(turn, input);
  return { state: turn.state, outputs: turn.outputs };
}

function handle(turn: Turn, input: MachineInput): void {
  switch (input.type) {
    case "credentials":
      return onCredentials(turn, input.credentials);
    case "awaiting_credentials":
      return awaitCredentials(turn);
    case "server_lost":
      return onServerLost(turn);
    case "socket_open":
      return onSocketOpen(turn, input.generation);
    case "message":
      if (input.generation === turn.state.socket) onMessage(turn, input.message);
      return;
    case "socket_closed":
      if (input.generation === turn.state.socket) onSocketClosed(turn, input.code);
      return;
    case "discovered":
      return onDiscovered(turn, input);
    case "transport_failed":
      return onTransportFailed(turn, input);
    case "speaking":
      return onSpeaking(turn, input.flags);
    case "dave_reply":
      return onDaveReply(turn, input.reply);
    case "dave_failed":
      return onDaveFailed(turn, input.reason);
    case "timer":
      return onTimer(turn, input.timer);
    case "leave":
      return turn.end(input.reason ?? LEFT);
  }
}

/** New credentials win over everything; identical ones change nothing, nor do those of a dead session. */
function onCredentials(turn: Turn, credentials: VoiceCredentials): void {
  const { config, credentials: before, spent, status } = turn.state;
  if (!isEndpoint(credentials.endpoint, config.insecureEndpoints)) {
    const message =
      "The voice endpoint is not host:port; pass it on exactly as the main gateway sent it.";
    return turn.end({ code: "invalid_endpoint", message });
  }
  if (before && sameSession(before, credentials)) {
    const channelId = credentials.channelId ?? before.channelId;
    return turn.set({ credentials: channelId === undefined ? before : { ...before, channelId } });
  }
  if (status === "unconnected" && spent && sameSession(spent, credentials)) return;
  turn.dropSocket(1000);
  turn.dropSession();
  turn.set({ credentials, spent: undefined, identified: false });
  turn.connect();
}

function sameSession(a: VoiceCredentials, b: VoiceCredentials): boolean {
  // A channel that was not named before is a fact added, not another session.
  const channels = new Set([a.channelId, b.channelId].filter((id) => id !== undefined));
  const same = a.token === b.token && a.sessionId === b.sessionId && a.endpoint === b.endpoint;
  return same && channels.size <= 1;
}

/** A session that works lives on until the credentials of the next are there. */
function awaitCredentials(turn: Turn): void {
  const { status, config, credentials, spent } = turn.state;
  const live = status === "ready" || turn.awaitsMove();
  if (!live) turn.dropSocket(1000);
  if (!live) turn.dropSession();
  turn.clear("retry");
  turn.set({ credentials: undefined, awaitedBecause: undefined });
  turn.set({ spent: live ? (credentials ?? spent) : undefined });
  turn.enter("unconnected", { phaseMs: config.timeouts.credentials });
}

/** The server vanished and the main gateway looks for another: drop everything, try nothing, wait. */
function onServerLost(turn: Turn): void {
  const reason = { code: "server_lost", message: "Discord is looking for another voice server." };
  turn.dropSocket(1000);
  turn.forget(reason);
  turn.enter("unconnected", { phaseMs: turn.state.config.timeouts.wait * 3, reason });
}

function onSocketOpen(turn: Turn, generation: number): void {
  if (generation !== turn.state.socket || turn.state.status !== "connecting") return;
  turn.enter("waiting_for_hello", { phaseMs: turn.state.config.timeouts.answer });
}

function onDiscovered(
  turn: Turn,
  input: { generation: number; address: string; port: number },
): void {
  const { mode, status, transport, config } = turn.state;
  if (input.generation !== transport || status !== "waiting_for_ready" || !mode) return;
  const data = { address: input.address, port: input.port, mode };
  const codecs = [{ name: "opus", type: "audio", priority: 1000, payload_type: 120 }];
  turn.emit({
    type: "send",
    message: { op: VoiceOpcode.SelectProtocol, d: { protocol: "udp", data, codecs } },
  });
  turn.emit({ type: "set_timer", timer: "phase", afterMs: config.timeouts.answer });
}

function onTransportFailed(turn: Turn, input: { generation: number; message: string }): void {
  if (input.generation !== turn.state.transport || turn.state.status === "disconnected") return;
  lost(turn, "rejoin", { code: "transport_failed", message: input.message });
}

function onSpeaking(turn: Turn, flags: number): void {
  if (turn.state.speaking === flags) return;
  if (turn.state.status === "ready" || turn.awaitsMove()) turn.speak(flags);
  else turn.set({ speaking: flags });
}

function onTimer(turn: Turn, timer: TimerName): void {
  switch (timer) {
    case "phase":
      return onPhaseTimeout(turn);
    case "retry":
      return onRetry(turn);
    case "heartbeat":
      return onHeartbeatDue(turn);
  }
}

function onRetry(turn: Turn): void {
  const { status, credentials } = turn.state;
  if (status !== "resuming" && status !== "unconnected") return;
  if (credentials) turn.connect();
  else askAgain(turn);
}

function onHeartbeatDue(turn: Turn): void {
  if ((turn.state.heartbeat?.unanswered ?? 0) < 2) return turn.beat();
  lost(turn, "resume", {
    code: "heartbeat_timeout",
    message: "The voice server stopped answering heartbeats.",
  });
}

function onPhaseTimeout(turn: Turn): void {
  switch (turn.state.status) {
    case "unconnected":
      return turn.end(turn.state.awaitedBecause ?? NO_ANSWER);
    case "connecting":
      return lost(turn, "resume", {
        code: "connect_timeout",
        message: "The voice server did not accept the connection.",
      });
    case "resuming":
      return lost(turn, "rejoin", {
        code: "resume_timeout",
        message: "The voice server did not answer the resume.",
      });
    case "waiting_for_hello":
      return lost(turn, "resume", {
        code: "handshake_timeout",
        message: "The voice server did not greet.",
      });
    case "identifying":
      return lost(turn, "rejoin", {
        code: "handshake_timeout",
        message: "The voice server broke off the handshake.",
      });
    case "waiting_for_ready":
      return lost(turn, "rejoin", {
        code: "handshake_timeout",
        message:
          "The UDP path to the voice server was not set up in time; check that UDP gets through.",
      });
    case "ready":
    case "disconnected":
      return;
  }
}
