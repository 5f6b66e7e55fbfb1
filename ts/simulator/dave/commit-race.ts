/** Commits that wait to be chosen from: at once as a rule, or gathered for a while so that a test decides who wins. */

import type { Commit } from "./mls.ts";
import type { Peer } from "./peer.ts";
import type { DaveSettings } from "./settings.ts";

/** A commit and its sender. */
export interface Entry {
  peer: Peer;
  commit: Commit;
}

/** The race of one channel; each client's latest commit takes part. */
export class CommitRace {
  readonly #settings: DaveSettings;
  readonly #decide: () => void;
  readonly #entries = new Map<Peer, Commit>();
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: DaveSettings, decide: () => void) {
    this.#settings = settings;
    this.#decide = decide;
  }

  /** Who takes part. */
  get userIds(): string[] {
    return [...this.#entries.keys()].map(({ userId }) => userId);
  }

  /** Takes a commit; the decision follows at once or when the window closes. */
  enter(peer: Peer, commit: Commit): void {
    this.#entries.delete(peer);
    this.#entries.set(peer, commit);
    const { commitWindowMs } = this.#settings;
    if (commitWindowMs === 0) this.#decide();
    else this.#timer ??= setTimeout(() => this.#close(), commitWindowMs);
  }

  /** Everybody who takes part, the first to be tried in front; the race is empty then. */
  take(): Entry[] {
    const { preferredUserId, avoidedUserId } = this.#settings;
    const entries = [...this.#entries].map(([peer, commit]) => ({ peer, commit }));
    this.#entries.clear();
    const rank = ({ peer: { userId } }: Entry): number =>
      userId === preferredUserId ? 0 : userId === avoidedUserId ? 2 : 1;
    return entries.sort((one, other) => rank(one) - rank(other));
  }

  /** The client lost its group, or left. */
  forget(peer: Peer): void {
    this.#entries.delete(peer);
  }

  /** Drops everything. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#entries.clear();
  }

  #close(): void {
    this.#timer = undefined;
    this.#decide();
  }
}
