/** What to do when a connection is lost: resume, rejoin, wait or stop, with backoff and a loop breaker. */

import { backoffMs, type CloseAction, type CloseCode, closeCode } from "./close-codes.ts";
import type { Reason } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Closes the socket so that the session can be resumed: neither 1000 nor 1001. */
const RESUMABLE_CLOSE = 4900;
/** So many failures within the window end the connection. */
const BREAKER_FAILURES = 5;
const BREAKER_WINDOW_MS = 60_000;
const MODE_REFUSED = 4016;

/** The socket closed without being asked to. */
export function onSocketClosed(turn: Turn, code: number): void {
  if (!turn.state.socketLive) return;
  turn.set({ socketLive: false });
  const row = closeCode(code);
  const reason = { code: `closed_${row.name}`, message: row.explanation, closeCode: code };
  lost(turn, chooseAction(turn, row), reason, row.delayMs);
}

/** The connection is lost; `action` says what comes next, after `delayMs` at least. */
export function lost(turn: Turn, action: CloseAction, reason: Reason, delayMs = 0): void {
  const moving = turn.awaitsMove();
  turn.dropSocket(RESUMABLE_CLOSE);
  if (action === "stop") return turn.end(reason);
  // Credentials for another server are on their way: there is nothing to save here.
  if (moving) return turn.dropSession();
  // Moves and kicks are no failures, however many come.
  if (action === "wait") return wait(turn, reason);
  const failures = [...recentFailures(turn), turn.nowMs];
  turn.set({ failures });
  if (failures.length >= BREAKER_FAILURES) {
    const message = `The voice connection failed ${failures.length} times within a minute; the last time: ${reason.message}`;
    return turn.end({ ...reason, code: "reconnect_loop", message });
  }
  const afterMs = Math.max(delayMs, backoffMs(failures.length - 1, turn.random));
  if (action === "resume" && turn.state.established) return resumeLater(turn, reason, afterMs);
  if (action === "resume" && !turn.state.identified) return dialLater(turn, reason, afterMs);
  // A refused session is asked for anew at once the first time; from the second on that could be a storm.
  const atOnce = delayMs === 0 && failures.length === 1;
  return rejoin(turn, reason, atOnce ? 0 : afterMs);
}

/** The row's action, or the harsher one once its attempts are used up. */
function chooseAction(turn: Turn, row: CloseCode): CloseAction {
  const tries = recentFailures(turn).length === 0 ? new Map<number, number>() : turn.state.tries;
  const tried = (tries.get(row.code) ?? 0) + 1;
  turn.set({ tries: new Map(tries).set(row.code, tried) });
  if (row.code === MODE_REFUSED && !refuseMode(turn)) return "stop";
  return tried > row.attempts ? row.next : row.action;
}

/** Leaves out the refused mode from here on; false when no other is allowed. */
function refuseMode(turn: Turn): boolean {
  const { mode, refusedModes, config } = turn.state;
  if (mode === undefined) return false;
  const refused = [...refusedModes, mode];
  turn.set({ refusedModes: refused });
  return config.modes.some((candidate) => !refused.includes(candidate));
}

function recentFailures(turn: Turn): number[] {
  return turn.state.failures.filter((at) => turn.nowMs - at < BREAKER_WINDOW_MS);
}

/** The transport stays open and the sound goes on; only the socket is opened anew. */
function resumeLater(turn: Turn, reason: Reason, afterMs: number): void {
  turn.enter("resuming", { reason });
  turn.emit({ type: "set_timer", timer: "retry", afterMs });
}

/** The credentials have reached nobody yet: they are as good as before. */
function dialLater(turn: Turn, reason: Reason, afterMs: number): void {
  turn.dropSession();
  turn.enter("unconnected", { reason });
  turn.emit({ type: "set_timer", timer: "retry", afterMs });
}

/** The session is gone: the owner of the main gateway has to ask for another. */
function rejoin(turn: Turn, reason: Reason, afterMs: number): void {
  const why = "Discord did not bring a new voice session.";
  const message = `${why} It was needed because: ${reason.message}`;
  turn.forget({ ...reason, code: "no_credentials", message });
  turn.enter("unconnected", { reason });
  if (afterMs === 0) askAgain(turn);
  else turn.emit({ type: "set_timer", timer: "retry", afterMs });
}

/** Asks for a new session; it has to come in time. */
export function askAgain(turn: Turn): void {
  const afterMs = turn.state.config.timeouts.credentials;
  turn.emit({ type: "set_timer", timer: "phase", afterMs });
  turn.emit({ type: "rejoin" });
}

/** The next main-gateway events decide; if none comes, that was the end. */
function wait(turn: Turn, reason: Reason): void {
  turn.forget(reason);
  turn.enter("unconnected", { phaseMs: turn.state.config.timeouts.wait, reason });
}
