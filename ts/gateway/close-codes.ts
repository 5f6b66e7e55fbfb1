/** Close codes of the voice gateway as data: what each means and what to do about it. */

/**
 * What to do after a close.
 *
 * - `resume`: open a new socket and continue the session; the sound goes on meanwhile.
 * - `rejoin`: the session is lost; ask the main gateway for a new one.
 * - `wait`: the next main-gateway events decide (a move, a kick).
 * - `stop`: trying again cannot help.
 */
export type CloseAction = "resume" | "rejoin" | "wait" | "stop";

/** One row of the table. */
export interface CloseCode {
  code: number;
  name: string;
  action: CloseAction;
  /** How often `action` is taken before `next` is; counted until a minute passes without a failure. */
  attempts: number;
  /** What follows when the attempts are used up. */
  next: CloseAction;
  /** Milliseconds to wait at least before the action, because events on their way may decide. */
  delayMs: number;
  /** What happened and what to do, for the user. */
  explanation: string;
}

const row = (
  code: number,
  name: string,
  explanation: string,
  steps: Pick<CloseCode, "action"> & Partial<CloseCode>,
): CloseCode => ({ code, name, explanation, attempts: 1, next: "stop", delayMs: 0, ...steps });

const RESUME = { action: "resume", next: "rejoin", attempts: 3 } as const;
const RESUME_ONCE = { ...RESUME, attempts: 1 } as const;
const REJOIN = { action: "rejoin", attempts: 3 } as const;
const REJOIN_ONCE = { ...REJOIN, attempts: 1 } as const;
const WAIT = { action: "wait", next: "wait" } as const;
const STOP = { action: "stop", attempts: 0 } as const;

/** Time for the other side's events to arrive where they make the action unnecessary. */
const GRACE_MS = 2000;

/** Every known code. Sources: Discord's opcode tables and the field reports of voice libraries. */
export const CLOSE_CODES: readonly CloseCode[] = [
  row(1000, "normal", "The voice server closed the connection without a reason.", {
    ...RESUME_ONCE,
    delayMs: GRACE_MS,
  }),
  row(1001, "going_away", "The voice server is being restarted.", RESUME),
  row(1002, "protocol_error", "The WebSocket protocol was violated.", RESUME_ONCE),
  row(1003, "unsupported_data", "The voice server refused a kind of frame.", RESUME_ONCE),
  row(1005, "no_status", "The connection was closed without a code.", RESUME),
  row(1006, "abnormal", "The connection broke.", RESUME),
  row(1007, "invalid_payload", "A frame was not valid text.", RESUME_ONCE),
  row(1008, "policy_violation", "The voice server refused a frame.", RESUME_ONCE),
  row(1009, "message_too_big", "A frame was too large.", RESUME_ONCE),
  row(1010, "missing_extension", "The voice server misses an extension.", RESUME_ONCE),
  row(1011, "internal_error", "The voice server failed.", RESUME_ONCE),
  row(4000, "unknown_error", "The voice server met an unknown error.", RESUME_ONCE),
  row(4001, "unknown_opcode", "The voice server did not know an opcode.", REJOIN_ONCE),
  row(4002, "decode_error", "The voice server could not decode a message.", REJOIN_ONCE),
  row(4003, "not_authenticated", "Something was sent before Identify.", REJOIN),
  row(4004, "authentication_failed", "The voice server refused the token.", REJOIN_ONCE),
  row(4005, "already_authenticated", "Identify was sent twice on one connection.", REJOIN),
  row(4006, "session_invalid", "The voice session is no longer valid.", REJOIN),
  row(4009, "session_timeout", "The voice session timed out for want of heartbeats.", RESUME_ONCE),
  row(4011, "server_not_found", "The voice server is gone.", { ...REJOIN, delayMs: GRACE_MS }),
  row(4012, "unknown_protocol", "The voice server refused the transport protocol.", STOP),
  row(4013, "rtc_worker_crashed", "The voice server's media worker crashed.", RESUME_ONCE),
  row(4014, "disconnected", "The bot was disconnected from the channel, or moved.", WAIT),
  row(4015, "server_crashed", "The voice server crashed.", RESUME),
  // The machine tries the next mode that is allowed; where there is none, it stops at once.
  row(4016, "unknown_encryption_mode", "The voice server refused the encryption mode.", {
    ...REJOIN_ONCE,
  }),
  row(4017, "e2ee_required", "This channel requires end-to-end encryption.", STOP),
  row(4020, "bad_request", "The voice server found a message malformed.", REJOIN_ONCE),
  row(4021, "rate_limited", "The bot sent too much; wait minutes before joining again.", STOP),
  row(4022, "call_terminated", "The call was ended for everybody, or moved.", WAIT),
];

const BY_CODE = new Map(CLOSE_CODES.map((entry) => [entry.code, entry]));

/** The row of a code; unknown codes from 4000 on rejoin once, others resume once. */
export function closeCode(code: number): CloseCode {
  const known = BY_CODE.get(code);
  if (known) return known;
  const explanation = `The voice server closed the connection with the unknown code ${code}.`;
  return row(code, "unknown", explanation, code >= 4000 ? REJOIN_ONCE : RESUME_ONCE);
}

/** Milliseconds before the nth try in a row; the last step repeats. The first is spread over itself. */
export const BACKOFF_MS: readonly number[] = [500, 1000, 2000, 4000, 8000, 10_000];

/** Share by which a delay may be shorter or longer. */
export const BACKOFF_JITTER = 0.25;

/**
 * How long to wait before a try.
 *
 * @param failures How many tries failed before, without a stable minute between.
 * @param random From 0 to 1; it spreads the many calls of one broken server.
 */
export function backoffMs(failures: number, random: number): number {
  const last = BACKOFF_MS.length - 1;
  const base = BACKOFF_MS[Math.min(Math.max(failures, 0), last)] ?? 0;
  if (failures <= 0) return Math.round(base * random);
  return Math.round(base * (1 - BACKOFF_JITTER + 2 * BACKOFF_JITTER * random));
}
