/** Commits that wait to be chosen from: at once as a rule, or gathered for a while so that a test decides who wins. */

import type { Commit } from "./mls.ts";
import type { Peer } from "./peer.ts";
import type { DaveSettings } from "./settings.ts";

/** A commit and its sender. */
export interface Entry {
  peer: Peer;
  commit: Commit;
}

/** Commits of one client that are kept. */
const MAX_COMMITS = 8;

/** The race of one channel; each client's latest commit takes part, or with `oldCommitsFirst` its earlier ones, too. */
export class CommitRace {
  readonly #settings: DaveSettings;
  readonly #decide: () => void;
  #entries: Entry[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: DaveSettings, decide: () => void) {
    this.#settings = settings;
    this.#decide = decide;
  }

  /** Who takes part. */
  get userIds(): string[] {
    return [...new Set(this.#entries.map(({ peer }) => peer.userId))];
  }

  /** Takes a commit; the decision follows at once or when the window closes. */
  enter(peer: Peer, commit: Commit): void {
    const earlier = this.#entries.filter((entry) => entry.peer === peer);
    const kept = this.#settings.oldCommitsFirst ? MAX_COMMITS - 1 : 0;
    const dropped = new Set(earlier.slice(0, Math.max(0, earlier.length - kept)));
    this.#entries = this.#entries.filter((entry) => !dropped.has(entry));
    this.#entries.push({ peer, commit });
    const { commitWindowMs } = this.#settings;
    if (commitWindowMs === 0) this.#decide();
    else this.#timer ??= setTimeout(() => this.#close(), commitWindowMs);
  }

  /** Everybody who takes part, the first to be tried in front; the race is empty then. */
  take(): Entry[] {
    const { preferredUserId, avoidedUserId } = this.#settings;
    const entries = this.#entries;
    this.#entries = [];
    const rank = ({ peer: { userId } }: Entry): number =>
      userId === preferredUserId ? 0 : userId === avoidedUserId ? 2 : 1;
    return entries.sort((one, other) => rank(one) - rank(other));
  }

  /** The client lost its group, or left. */
  forget(peer: Peer): void {
    this.#entries = this.#entries.filter((entry) => entry.peer !== peer);
  }

  /** Drops everything. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#entries = [];
  }

  #close(): void {
    this.#timer = undefined;
    this.#decide();
  }
}
