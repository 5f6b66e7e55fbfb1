/** End-to-end encryption in one channel, as the simulator's users see it. */

import type { CommitCounts } from "./delivery.ts";
import type { HostileProposal } from "./forged.ts";

/** What happened in a channel so far. */
export interface DaveCounts {
  commits: Readonly<CommitCounts>;
  /** Reports of a bad commit or Welcome (op 31). */
  failures: number;
  /** Transitions that were executed because somebody did not answer in time. */
  timeouts: number;
}

/** End-to-end encryption in a channel, as tests see it. */
export interface DaveChannel {
  /** The version in force, or the one that a transition under way leads to. */
  readonly version: number;
  /** Commits of the present group; 0 while none stands. */
  readonly epoch: number;
  /** User ids of the group's members by leaf; undefined for a blank one. */
  readonly members: (string | undefined)[];
  /** Transitions that were announced but not executed. */
  readonly pendingTransitions: number[];
  /** Users whose commits are held back, or gathered until one is chosen. */
  readonly waitingCommits: string[];
  readonly counts: DaveCounts;
  /** Ends encryption: op 21 with version 0, then op 22 once all are ready. */
  downgrade(): void;
  /** Begins encryption in a call without: op 24 with epoch 1, then a first group. */
  upgrade(): void;
  /** Begins anew with a new group, as when the gateway lost its state: op 24 with epoch 1 to every member. */
  restart(): void;
  /** Sends op 25 with another key to everybody, as no sound server does within a call. */
  renewExternalSender(): void;
  /** Sends every member a proposal that it must not commit; it names `userId` where it adds one. */
  sendHostileProposal(kind: HostileProposal, userId?: string): void;
}
