/** The MLS delivery service of one call: who is proposed to whom, whose commit counts, and who is welcomed. */

import { VoiceOpcode } from "../../gateway/opcodes.ts";
import { MalformedError, u16 } from "./bytes.ts";
import { CommitRace } from "./commit-race.ts";
import { appendMessage, type ExternalSender, revokeMessage } from "./external-sender.ts";
import { Group, type Judgement, type Proposal } from "./group.ts";
import { narrowWelcome, parseCommit, parseKeyPackage } from "./mls.ts";
import type { Peer } from "./peer.ts";
import type { DaveSettings } from "./settings.ts";

type ValidCommit = Extract<Judgement, { verdict: "valid" }>;

/** What the delivery service needs from the call around it. */
export interface DeliveryHost {
  readonly channelId: string;
  readonly settings: DaveSettings;
  /** Everybody in the call. */
  peers(): Iterable<Peer>;
  /** The client starts again; nothing is to be expected from it until it is welcomed. */
  lost(peer: Peer): void;
  /** A commit was taken; the id of the transition that its members make. */
  transition(isFirst: boolean): number;
  /** Its members know of the commit. */
  committed(id: number, members: readonly Peer[]): void;
}

/** What became of the commits of a call. */
export interface CommitCounts {
  won: number;
  /** Too late for their epoch. */
  lost: number;
  /** Without a proposal that came meanwhile. */
  incomplete: number;
  invalid: number;
}

/** One group after another, under one external sender at a time. */
export class Delivery {
  readonly commits: CommitCounts = { won: 0, lost: 0, incomplete: 0, invalid: 0 };
  readonly #host: DeliveryHost;
  readonly #race: CommitRace;
  #sender: ExternalSender;
  #group: Group;
  #proposing: NodeJS.Timeout | undefined;

  constructor(host: DeliveryHost, sender: ExternalSender) {
    this.#host = host;
    this.#sender = sender;
    this.#group = new Group(sender, host.channelId);
    this.#race = new CommitRace(host.settings, () => this.release());
  }

  /** The present group. */
  get group(): Group {
    return this.#group;
  }

  /** Users whose commits wait to be chosen from. */
  get waitingCommits(): string[] {
    return this.#race.userIds;
  }

  /** Begins a new life: nobody is a member, and key packages that nobody has used are proposed again. */
  begin(sender: ExternalSender = this.#sender): void {
    this.#sender = sender;
    this.#race.clear();
    this.#group = new Group(sender, this.#host.channelId);
    for (const peer of this.#host.peers()) {
      peer.hasFailed = false;
      peer.signatureKey = undefined;
    }
  }

  /**
   * Takes op 26.
   *
   * @throws MalformedError when it is not a sound package of this client, or one of too many.
   */
  keyPackage(peer: Peer, payload: Buffer): void {
    if (!peer.noteKeyPackage()) throw new MalformedError("key packages come too fast");
    const keyPackage = parseKeyPackage(payload);
    if (keyPackage.userId !== peer.userId) {
      throw new MalformedError(`the key package is user ${keyPackage.userId}'s`);
    }
    if (!peer.noteReference(keyPackage.ref)) {
      throw new MalformedError("the key package was sent before");
    }
    this.#takeBack(peer);
    peer.keyPackage = keyPackage;
    if (this.#group.leafOf(peer) !== undefined) this.#lose(peer);
    this.propose();
  }

  /**
   * Takes op 28.
   *
   * @throws MalformedError when it cannot be read to its end.
   */
  commit(peer: Peer, payload: Buffer): void {
    this.#race.enter(peer, parseCommit(payload));
  }

  /** Takes op 31: the member is removed and added again as soon as its new key package is there. */
  failed(peer: Peer): void {
    if (this.#group.leafOf(peer) !== undefined) this.#lose(peer);
  }

  /** The client is gone: what was proposed for it is taken back. */
  forget(peer: Peer): void {
    this.#race.forget(peer);
    this.#takeBack(peer);
  }

  /** Proposes whom to remove and whom to add, at once or after the delay that is set. */
  propose(): void {
    const { proposalDelayMs } = this.#host.settings;
    if (proposalDelayMs === 0) return this.#propose();
    this.#proposing ??= setTimeout(() => this.#propose(), proposalDelayMs);
  }

  /** Takes the first valid commit of the race. */
  release(): void {
    if (this.#host.settings.holdsCommits) return;
    for (const { peer, commit } of this.#race.take()) {
      const judgement = this.#group.judge(commit, peer);
      switch (judgement.verdict) {
        case "valid":
          this.commits.won += 1;
          this.#accept(peer, commit.message, judgement);
          break;
        case "invalid":
          this.commits.invalid += 1;
          peer.session.object("dave_commit_invalid", judgement.why);
          break;
        case "stale":
          this.commits.lost += 1;
          break;
        case "incomplete":
          this.commits.incomplete += 1;
          break;
      }
    }
  }

  /** Ends all timers. */
  close(): void {
    clearTimeout(this.#proposing);
    this.#proposing = undefined;
    this.#race.clear();
  }

  #lose(peer: Peer): void {
    peer.hasFailed = true;
    this.#race.forget(peer);
    this.#host.lost(peer);
  }

  #takeBack(peer: Peer): void {
    const proposal = this.#group.addOf(peer);
    if (!proposal) return;
    this.#group.revoke(proposal);
    for (const other of this.#recipients()) {
      other.sendBinary(VoiceOpcode.MlsProposals, revokeMessage([proposal]));
    }
  }

  /** Who takes part in the present epoch: members, or before there are any, everybody who is proposed. */
  #recipients(): Peer[] {
    if (this.#group.isEstablished) return this.#group.healthy;
    return [...this.#host.peers()].filter((peer) => this.#group.addOf(peer));
  }

  #propose(): void {
    clearTimeout(this.#proposing);
    this.#proposing = undefined;
    // Nobody is left who could commit anything.
    if (this.#group.isEstablished && this.#group.healthy.length === 0) this.begin();
    const removes = this.#proposeRemoves();
    if (this.#host.settings.recovery === "separate") {
      this.#send(removes);
      this.#send(this.#proposeAdds());
    } else this.#send([...removes, ...this.#proposeAdds()]);
  }

  #proposeRemoves(): Proposal[] {
    return this.#group.leaves.flatMap((peer, leaf) => {
      const isOut = peer?.isGone || (peer?.hasFailed && peer.keyPackage);
      return (isOut && this.#group.remove(leaf)) || [];
    });
  }

  #proposeAdds(): Proposal[] {
    return [...this.#host.peers()].flatMap((peer) => {
      const isMember = this.#group.leafOf(peer) !== undefined && !peer.hasFailed;
      const { keyPackage } = peer;
      if (!keyPackage || isMember || this.#group.addOf(peer)) return [];
      return this.#group.add(peer, keyPackage);
    });
  }

  /** Members get what is new; who is proposed before there is a group also gets the Adds of the others. */
  #send(fresh: readonly Proposal[]): void {
    if (fresh.length === 0) return;
    for (const peer of this.#recipients()) {
      const isOwn = (known: Proposal): boolean => known.kind === "add" && known.peer === peer;
      const isNew = !this.#group.isEstablished && fresh.some(isOwn);
      const known = isNew ? this.#group.proposals : fresh;
      const others = known.filter((proposal) => !isOwn(proposal));
      if (others.length === 0) continue;
      peer.sendBinary(VoiceOpcode.MlsProposals, appendMessage(others));
    }
  }

  #accept(from: Peer, commit: Buffer, { proposals, welcome }: ValidCommit): void {
    const { settings } = this.#host;
    const isFirst = !this.#group.isEstablished;
    const prior = isFirst ? [from] : this.#group.healthy;
    const adds = proposals.flatMap((known) => (known.kind === "add" ? [known] : []));
    const members = [...prior, ...this.#group.apply(proposals, from)];
    const id = this.#host.transition(isFirst);
    for (const peer of settings.announcesToPending ? members : prior) {
      const announcement = Buffer.concat([u16(id), commit]);
      peer.sendBinary(VoiceOpcode.MlsAnnounceCommitTransition, announcement);
    }
    for (const { peer, keyPackage } of adds) {
      if (!welcome) continue;
      const part = narrowWelcome(welcome, keyPackage.ref);
      const bytes = settings.sendsWholeWelcome || !part ? welcome.bytes : part;
      peer.sendBinary(VoiceOpcode.MlsWelcome, Buffer.concat([u16(id), bytes]));
    }
    this.#host.committed(id, members);
    this.propose();
  }
}
