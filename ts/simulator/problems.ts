/** What a faithful server would object to in a client, as data with stable codes. */

/** Everything that is checked. */
export type ProblemCode =
  | "identify_late"
  | "identify_twice"
  | "heartbeat_late"
  | "seq_ack_wrong"
  | "discovery_malformed"
  | "address_mismatch"
  | "protocol_violation"
  | "unexpected_dave_message"
  | "dave_key_package_invalid"
  | "dave_key_package_missing"
  | "dave_commit_invalid"
  | "dave_ready_for_zero"
  | "dave_plaintext"
  | "dave_nonce_order"
  | "speaking_wrong_ssrc"
  | "audio_before_session_description"
  | "audio_before_speaking"
  | "audio_while_not_speaking"
  | "wrong_ssrc"
  | "wrong_header"
  | "tag_invalid"
  | "nonce_reused"
  | "sequence_gap"
  | "sequence_order"
  | "timestamp_step"
  | "timestamp_order"
  | "timestamp_behind_clock"
  | "timestamp_ahead_of_clock"
  | "silence_missing"
  | "keepalive_missing";

/** Something a faithful server would object to. */
export interface Problem {
  code: ProblemCode;
  message: string;
  /** Whose fault; absent when the client never got as far as a valid Identify. */
  userId?: string;
  guildId?: string;
  channelId?: string;
}

/** Problems kept; the ones beyond are only counted. */
export const MAX_PROBLEMS = 1000;

/** A bounded list of problems that others can watch. */
export class ProblemLog {
  readonly list: Problem[] = [];
  /** Problems beyond the limit. */
  dropped = 0;
  readonly #watchers = new Set<(problem: Problem) => void>();

  /** Adds a problem and tells the watchers. */
  add(problem: Problem): void {
    if (this.list.length < MAX_PROBLEMS) this.list.push(problem);
    else this.dropped += 1;
    for (const watcher of [...this.#watchers]) watcher(problem);
  }

  /** Calls `watcher` for every further problem; the function returned ends it. */
  watch(watcher: (problem: Problem) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
