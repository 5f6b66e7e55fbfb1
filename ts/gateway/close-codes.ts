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
  /** Tries of `action` before the next harsher one is taken. */
  attempts: number;
  /** What happened and what to do, for the user. */
  explanation: string;
}

const row = (
  code: number,
  name: string,
  action: CloseAction,
  attempts: number,
  explanation: string,
): CloseCode => ({
  code,
  name,
  action,
  attempts,
  explanation,
});

/** Every known code. Sources: Discord's opcode tables and the field reports of voice libraries. */
export const CLOSE_CODES: readonly CloseCode[] = [
  row(1000, "normal", "resume", 1, "The voice server closed the connection without a reason."),
  row(1001, "going_away", "resume", 3, "The voice server is being restarted."),
  row(1002, "protocol_error", "resume", 1, "The WebSocket protocol was violated."),
  row(1003, "unsupported_data", "resume", 1, "The voice server refused a kind of frame."),
  row(1005, "no_status", "resume", 3, "The connection was closed without a code."),
  row(1006, "abnormal", "resume", 3, "The connection broke."),
  row(1007, "invalid_payload", "resume", 1, "A frame was not valid text."),
  row(1008, "policy_violation", "resume", 1, "The voice server refused a frame."),
  row(1009, "message_too_big", "resume", 1, "A frame was too large."),
  row(1010, "missing_extension", "resume", 1, "The voice server misses an extension."),
  row(1011, "internal_error", "resume", 1, "The voice server failed."),
  row(4000, "unknown_error", "resume", 1, "The voice server met an unknown error."),
  row(4001, "unknown_opcode", "rejoin", 1, "The voice server did not know an opcode."),
  row(4002, "decode_error", "rejoin", 1, "The voice server could not decode a message."),
  row(4003, "not_authenticated", "rejoin", 1, "Something was sent before Identify."),
  row(
    4004,
    "authentication_failed",
    "rejoin",
    1,
    "The voice token was refused; a new one is needed.",
  ),
  row(4005, "already_authenticated", "rejoin", 1, "Identify was sent twice on one connection."),
  row(
    4006,
    "session_invalid",
    "rejoin",
    3,
    "The voice session is no longer valid; the bot has to join again.",
  ),
  row(4009, "session_timeout", "resume", 1, "The voice session timed out for want of heartbeats."),
  row(4011, "server_not_found", "rejoin", 1, "The voice server is gone."),
  row(4012, "unknown_protocol", "stop", 0, "The voice server refused the transport protocol."),
  row(4013, "rtc_worker_crashed", "resume", 1, "The voice server's media worker crashed."),
  row(4014, "disconnected", "wait", 0, "The bot was disconnected from the channel, or moved."),
  row(4015, "server_crashed", "resume", 3, "The voice server crashed."),
  row(4016, "unknown_encryption_mode", "stop", 0, "The voice server refused the encryption mode."),
  row(
    4017,
    "e2ee_required",
    "stop",
    0,
    "This channel requires end-to-end encryption, which was not offered.",
  ),
  row(4020, "bad_request", "rejoin", 1, "The voice server found a message malformed."),
  row(
    4021,
    "rate_limited",
    "stop",
    0,
    "The bot sent too much; wait some minutes before joining again.",
  ),
  row(4022, "call_terminated", "wait", 0, "The call was ended for everybody, or moved."),
];

const BY_CODE = new Map(CLOSE_CODES.map((entry) => [entry.code, entry]));

/** The row of a code; unknown codes from 4000 on rejoin once, others resume once. */
export function closeCode(code: number): CloseCode {
  const known = BY_CODE.get(code);
  if (known) return known;
  const action: CloseAction = code >= 4000 ? "rejoin" : "resume";
  return row(
    code,
    "unknown",
    action,
    1,
    `The voice server closed the connection with the unknown code ${code}.`,
  );
}
