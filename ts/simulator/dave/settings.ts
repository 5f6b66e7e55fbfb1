/** How the end-to-end encryption side of the server behaves, and what it does wrong on demand. */

/** A message of the server about end-to-end encryption, before it is numbered. */
export interface DaveMessage {
  op: number;
  guildId: string;
  channelId: string;
  toUserId: string;
  /** Data of a JSON message. */
  d?: Record<string, unknown>;
  /** What follows the opcode of a binary message. */
  payload?: Buffer;
}

/** What becomes of a message. */
export type DaveMessageFate =
  | "pass"
  | "drop"
  | "duplicate"
  /** A bit near its end is changed. */
  | "corrupt"
  /** Ops 29 and 30: another group's commit, or a Welcome for another key package. */
  | "foreign"
  | { delayMs: number }
  | { payload: Buffer }
  | { d: Record<string, unknown> };

/** Switches; the defaults are what the real server is believed to do. */
export class DaveSettings {
  /** Milliseconds after which a transition is executed though not everybody is ready. */
  transitionTimeoutMs = 2000;
  /** When transitions are executed. "early": at once, before anybody is ready. */
  executes: "when_ready" | "early" | "never" = "when_ready";
  /** The first transition id other than 0; later ones count on, and after 65,535 comes 1. */
  firstTransitionId = 1;
  /** Transition id of a channel's first group. A group made by an upgrade never has 0. */
  groupTransitionId: "zero" | "next" = "zero";
  /**
   * Whether op 25 comes before op 4, after it, or drawn. After it is what Discord must do as a rule, for
   * @discordjs/voice drops an earlier one.
   */
  externalSender: "first" | "last" | "drawn" = "last";
  /** Milliseconds for which proposals are gathered into one op 27. */
  proposalDelayMs = 0;
  /** After op 31, whether Remove and Add come in one op 27 or in two. */
  recovery: "together" | "separate" = "together";
  /** `protocol_version` of the op 21 that goes to a channel's last member; after 0, the next join is an upgrade. */
  soleMemberVersion: 0 | 1 = 1;
  /** Milliseconds for which commits are gathered before one is chosen; 0 takes the first valid one. */
  commitWindowMs = 0;
  /** Within the commit window, whose commit is taken if it comes, or only if no other does. */
  preferredUserId: string | undefined;
  avoidedUserId: string | undefined;
  /**
   * Tries a client's earlier commits of the epoch before its latest: one that was made before an Add came and went
   * again carries what is asked for, too.
   */
  oldCommitsFirst = false;
  /** Sends op 29 to those who are welcomed, too, which they cannot make sense of. */
  announcesToPending = false;
  /** Sends the whole Welcome to everybody who is welcomed, not just each one's part. */
  sendsWholeWelcome = false;
  /** Decides about each message; undefined lets it pass. */
  intercept: ((message: DaveMessage) => DaveMessageFate | undefined) | undefined;
  /** Told when commits are no longer held. */
  onRelease: () => void = () => undefined;
  #holdsCommits = false;
  readonly #planned: { op: number; userId: string | undefined; fate: DaveMessageFate }[] = [];

  /** Takes no commit at all until this is switched off, as if all were still under way. */
  get holdsCommits(): boolean {
    return this.#holdsCommits;
  }

  set holdsCommits(on: boolean) {
    this.#holdsCommits = on;
    if (!on) this.onRelease();
  }

  /** Lets the next message with an opcode, to a user or to anybody, meet a fate. Plans for one opcode queue up. */
  plan(op: number, fate: DaveMessageFate, userId?: string): void {
    this.#planned.push({ op, userId, fate });
  }

  /** What becomes of this message. */
  fateOf(message: DaveMessage): DaveMessageFate {
    const at = this.#planned.findIndex(
      ({ op, userId }) => op === message.op && (userId ?? message.toUserId) === message.toUserId,
    );
    if (at >= 0) return this.#planned.splice(at, 1)[0]?.fate ?? "pass";
    return this.intercept?.(message) ?? "pass";
  }
}
