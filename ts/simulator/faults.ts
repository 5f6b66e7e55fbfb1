/** Faults on demand: what the simulator does wrong, and when. */

/** The moments at which a connection can be closed. */
export type Phase =
  | "before_hello"
  | "before_ready"
  | "before_session_description"
  | "connected"
  | "resuming";

/** Switches that tests turn; everything is off at first. */
export class Faults {
  /** Acknowledges no heartbeat. */
  withholdHeartbeatAcks = false;
  /** Acknowledges heartbeats with a wrong nonce. */
  wrongHeartbeatNonce = false;
  /** Answers every Resume with Ready, as for a fresh session. */
  readyInsteadOfResumed = false;
  /** Refuses every Resume with close code 4006. */
  refuseResume = false;
  /** Leaves discovery requests unanswered whose address field is not all zero, as some real servers do. */
  strictDiscovery = false;
  /** Milliseconds by which Hello comes late. */
  helloDelayMs = 0;
  #discoveriesToDrop = 0;
  readonly #closes = new Map<Phase, { code: number; times: number }>();

  /** Leaves the next `count` discovery requests unanswered. */
  dropDiscovery(count: number): void {
    this.#discoveriesToDrop = count;
  }

  /** Closes the next `times` connections that reach `phase` with `code`; 1006 cuts the TCP stream. */
  closeAt(phase: Phase, code: number, times = 1): void {
    this.#closes.set(phase, { code, times });
  }

  /** Whether this discovery request is to be dropped. */
  takesDiscovery(): boolean {
    if (this.#discoveriesToDrop <= 0) return false;
    this.#discoveriesToDrop -= 1;
    return true;
  }

  /** The code to close with now, if a close is set for this phase. */
  takesClose(phase: Phase): number | undefined {
    const planned = this.#closes.get(phase);
    if (!planned || planned.times <= 0) return undefined;
    planned.times -= 1;
    return planned.code;
  }
}
