/** How the end-to-end encryption of a simulated member stands. */

/** What a simulated member can tell about its end-to-end encryption. */
export interface DaveStatus {
  /** Version in force. */
  version: number;
  /** Whether it can be heard: it has keys, or version 0 is in force. */
  isReady: boolean;
  /** Epoch of its group; 0 before it has one. */
  epoch: number;
  /** Everybody in the group, itself included. */
  members: string[];
  /** The same for everybody in an epoch; empty before there is a group. */
  privacyCode: string;
  counts: Readonly<DaveClientCounts>;
}

/** What a client did so far. */
export interface DaveClientCounts {
  commits: number;
  /** Commits and Welcomes that it could not use (op 31). */
  failures: number;
  /** Messages that made no sense to it. */
  ignored: number;
  /** Frames of others: decrypted, passed on in clear, not usable. */
  opened: number;
  plain: number;
  unopened: number;
  /** Own frames: encrypted, and kept back because there was no key. */
  sealed: number;
  held: number;
}
