/** What to do when a connection is lost: resume, rejoin, wait or stop, with backoff and a loop breaker. */

import { type CloseAction, closeCode } from "./close-codes.ts";
import type { Reason } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Closes the socket so that the session can be resumed: neither 1000 nor 1001. */
const RESUMABLE_CLOSE = 4900;
/** Milliseconds before the nth try. */
const BACKOFF_MS = [0, 1000, 2000, 4000, 8000];
/** So many failures within the window end the connection. */
const BREAKER_FAILURES = 5;
const BREAKER_WINDOW_MS = 60_000;

/** The socket closed without being asked to. */
export function onSocketClosed(turn: Turn, code: number): void {
  if (!turn.state.socketLive) return;
  const row = closeCode(code);
  // A minute without a failure makes old tries irrelevant.
  const stable = turn.state.failures.every((at) => turn.nowMs - at >= BREAKER_WINDOW_MS);
  if (stable) turn.set({ tries: new Map() });
  const tried = (turn.state.tries.get(code) ?? 0) + 1;
  turn.set({ socketLive: false, tries: new Map(turn.state.tries).set(code, tried) });
  const action = row.action === "resume" && tried > row.attempts ? "rejoin" : row.action;
  lost(turn, action, { code: `closed_${row.name}`, message: row.explanation, closeCode: code });
}

/** The connection is lost; `action` says what comes next. */
export function lost(turn: Turn, action: CloseAction, reason: Reason): void {
  turn.dropSocket(RESUMABLE_CLOSE);
  const failures = [...turn.state.failures, turn.nowMs].filter(
    (at) => turn.nowMs - at < BREAKER_WINDOW_MS,
  );
  turn.set({ failures });
  if (failures.length > BREAKER_FAILURES && action !== "stop") {
    const message = `The voice connection failed ${failures.length} times within a minute; the last time: ${reason.message}`;
    return turn.end({ ...reason, code: "reconnect_loop", message });
  }
  switch (action) {
    case "resume":
      return turn.state.established ? retry(turn, reason) : rejoin(turn, reason);
    case "rejoin":
      return rejoin(turn, reason);
    case "wait":
      return wait(turn, reason);
    case "stop":
      return turn.end(reason);
  }
}

/** The transport stays open and the sound goes on; only the socket is opened anew. */
function retry(turn: Turn, reason: Reason): void {
  turn.enter("resuming", { reason });
  turn.emit({ type: "set_timer", timer: "retry", afterMs: backoff(turn) });
}

/** The session is gone: the owner of the main gateway has to ask for another. */
function rejoin(turn: Turn, reason: Reason): void {
  turn.dropSession();
  turn.set({ credentials: undefined });
  turn.clear("retry");
  turn.enter("unconnected", { phaseMs: turn.state.config.timeouts.credentials, reason });
  turn.emit({ type: "rejoin" });
}

/** The next main-gateway events decide; if none comes, that was the end. */
function wait(turn: Turn, reason: Reason): void {
  turn.dropSession();
  turn.set({ credentials: undefined });
  turn.clear("retry");
  turn.enter("unconnected", { phaseMs: turn.state.config.timeouts.wait, reason });
}

function backoff(turn: Turn): number {
  const tries = turn.state.failures.length - 1;
  return BACKOFF_MS[Math.min(tries, BACKOFF_MS.length - 1)] ?? 0;
}
