/** The voice gateway as a pure state machine: state, input and time in; new state and outputs out. */

import { lost, onSocketClosed } from "./loss.ts";
import { onMessage } from "./on-message.ts";
import { VoiceOpcode } from "./opcodes.ts";
import type { MachineInput, MachineOutput, MachineState, VoiceCredentials } from "./state.ts";
import { isEndpoint, Turn } from "./turn.ts";

/**
 * Takes one step. Reads no clock, opens nothing, keeps nothing: perform the outputs in order.
 *
 * @param nowMs Milliseconds of any clock that does not go back.
 */
export function step(
  state: MachineState,
  input: MachineInput,
  nowMs: number,
): { state: MachineState; outputs: MachineOutput[] } {
  const turn = new Turn(state, nowMs);
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
    case "timer":
      return onTimer(turn, input.timer);
    case "leave":
      return turn.end({ code: "left", message: "The bot left the voice channel." });
  }
}

/** New credentials win over everything; identical ones on a live connection change nothing. */
function onCredentials(turn: Turn, credentials: VoiceCredentials): void {
  const { config, credentials: before, status } = turn.state;
  if (!isEndpoint(credentials.endpoint, config.insecureEndpoints)) {
    const message =
      "The voice endpoint is not host:port; pass it on exactly as the main gateway sent it.";
    return turn.end({ code: "invalid_endpoint", message });
  }
  const live = status !== "disconnected" && status !== "unconnected";
  if (live && before && sameSession(before, credentials)) return;
  turn.dropSocket(1000);
  turn.dropSession();
  turn.set({ credentials, tries: new Map() });
  turn.connect();
}

function sameSession(a: VoiceCredentials, b: VoiceCredentials): boolean {
  return a.token === b.token && a.sessionId === b.sessionId && a.endpoint === b.endpoint;
}

function awaitCredentials(turn: Turn): void {
  turn.enter("unconnected", { phaseMs: turn.state.config.timeouts.credentials });
}

/** The server vanished and the main gateway looks for another: drop everything, try nothing, wait. */
function onServerLost(turn: Turn): void {
  turn.dropSocket(1000);
  turn.dropSession();
  turn.clear("retry");
  turn.set({ credentials: undefined });
  const reason = { code: "server_lost", message: "Discord is looking for another voice server." };
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
  if (turn.state.status === "ready") turn.speak(flags);
  else turn.set({ speaking: flags });
}

function onTimer(turn: Turn, timer: "phase" | "heartbeat" | "retry"): void {
  if (timer === "retry") return turn.connect();
  if (timer === "phase") return onPhaseTimeout(turn);
  const outstanding = turn.state.heartbeat?.outstanding.length ?? 0;
  if (outstanding < 2) return turn.beat();
  lost(turn, "resume", {
    code: "heartbeat_timeout",
    message: "The voice server stopped answering heartbeats.",
  });
}

function onPhaseTimeout(turn: Turn): void {
  switch (turn.state.status) {
    case "unconnected":
      return turn.end({
        code: "no_credentials",
        message:
          "Discord did not answer the join. The channel may be full, or the bot may lack the permission to connect.",
      });
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
    case "identifying":
    case "waiting_for_ready":
      return lost(turn, "rejoin", {
        code: "handshake_timeout",
        message: "The voice server broke off the handshake.",
      });
    case "ready":
    case "disconnected":
      return;
  }
}
