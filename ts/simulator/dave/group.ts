/** One MLS group as its delivery service sees it: epoch, leaves and proposals, but no secrets and no tree. */

import type { ExternalSender, SignedProposal } from "./external-sender.ts";
import { type Commit, type KeyPackage, narrowWelcome, type Welcome } from "./mls.ts";
import type { Peer } from "./peer.ts";

/** References of revoked proposals that are remembered within an epoch. */
const MAX_REVOKED = 1000;

/** A proposal of the present epoch that was not taken back. */
export type Proposal = SignedProposal &
  ({ kind: "add"; peer: Peer; keyPackage: KeyPackage } | { kind: "remove"; leaf: number });

/** What the server makes of a commit. */
export type Judgement =
  | { verdict: "valid"; proposals: Proposal[]; welcome: Welcome | undefined }
  /** Of another epoch, or without proposals that came meanwhile: lost a race, nobody's fault. */
  | { verdict: "stale" | "incomplete" }
  /** Nothing that a sound client sends. */
  | { verdict: "invalid"; why: string };

/** A client that a commit added, and its part of the Welcome. */
export interface Welcomed {
  peer: Peer;
  welcome: Buffer;
}

/** A group from its first proposal to its end; nothing is established before the first commit. */
export class Group {
  readonly #sender: ExternalSender;
  readonly #groupId: Buffer;
  /** Members by leaf; those who left stay until a commit removes them. */
  readonly #leaves: (Peer | undefined)[] = [];
  #proposals: Proposal[] = [];
  /** References of the epoch that were taken back. */
  readonly #revoked = new Set<string>();
  #epoch = 0n;

  constructor(sender: ExternalSender, channelId: string) {
    this.#sender = sender;
    this.#groupId = Buffer.alloc(8);
    this.#groupId.writeBigUInt64BE(BigInt(channelId), 0);
  }

  get epoch(): bigint {
    return this.#epoch;
  }

  /** Whether a first commit was taken. */
  get isEstablished(): boolean {
    return this.#epoch > 0n;
  }

  /** Members by leaf. */
  get leaves(): readonly (Peer | undefined)[] {
    return this.#leaves;
  }

  /** What the next commit has to carry, in the order in which it was proposed. */
  get proposals(): readonly Proposal[] {
    return this.#proposals;
  }

  /** Members that can follow the group. */
  get healthy(): Peer[] {
    return this.#leaves.flatMap((peer) => (peer && !peer.isGone && !peer.hasFailed ? peer : []));
  }

  /** Where a client sits; undefined when it is no member. */
  leafOf(peer: Peer): number | undefined {
    const leaf = this.#leaves.indexOf(peer);
    return leaf < 0 ? undefined : leaf;
  }

  /** Proposes a client with a key package. */
  add(peer: Peer, keyPackage: KeyPackage): Proposal {
    const signed = this.#sender.add(this.#epoch, keyPackage.bytes);
    const proposal: Proposal = { ...signed, kind: "add", peer, keyPackage };
    this.#proposals.push(proposal);
    return proposal;
  }

  /** Proposes to clear a leaf; undefined when that is proposed already. */
  remove(leaf: number): Proposal | undefined {
    const isKnown = this.#proposals.some((known) => known.kind === "remove" && known.leaf === leaf);
    if (isKnown) return undefined;
    const proposal: Proposal = {
      ...this.#sender.remove(this.#epoch, leaf),
      kind: "remove",
      leaf,
    };
    this.#proposals.push(proposal);
    return proposal;
  }

  /** A client's Add that was proposed and not taken back. */
  addOf(peer: Peer): Proposal | undefined {
    return this.#proposals.find((known) => known.kind === "add" && known.peer === peer);
  }

  /** Takes a proposal back. */
  revoke(proposal: Proposal): void {
    this.#proposals = this.#proposals.filter((known) => known !== proposal);
    this.#revoked.add(hex(proposal.ref));
    for (const oldest of this.#revoked) {
      if (this.#revoked.size <= MAX_REVOKED) break;
      this.#revoked.delete(oldest);
    }
  }

  /** What a client has to commit: before a group stands, nobody can add itself. */
  expectedFrom(peer: Peer): Proposal[] {
    if (this.isEstablished) return [...this.#proposals];
    return this.#proposals.filter((known) => known.kind !== "add" || known.peer !== peer);
  }

  /** Checks a commit by the rules of the gateway, which can verify neither its signature nor its tags. */
  judge(commit: Commit, from: Peer): Judgement {
    if (!commit.groupId.equals(this.#groupId)) return invalid("it is for another group");
    // A higher one may come from the group before this one.
    if (commit.epoch !== this.#epoch) return { verdict: "stale" };
    if (commit.hasInline) return invalid("it carries a proposal of its own");
    const leaf = this.isEstablished ? this.leafOf(from) : 0;
    if (leaf === undefined) return invalid("its sender is no member");
    if (commit.senderLeaf !== leaf) return invalid(`it names leaf ${commit.senderLeaf}`);
    const { path } = commit;
    if (path && path.userId !== from.userId) return invalid("its path is another user's");
    const known = from.signatureKey ?? from.keyPackage?.signatureKey;
    if (path && known && !path.signatureKey.equals(known)) {
      return invalid("it changes the committer's signature key");
    }
    return this.#judgeProposals(commit, from);
  }

  /** Takes a valid commit: leaves change in its order, Removes first. */
  apply(proposals: readonly Proposal[], from: Peer): Peer[] {
    if (!this.isEstablished) {
      this.#leaves[0] = from;
      from.signatureKey = from.keyPackage?.signatureKey;
      from.keyPackage = undefined;
    }
    for (const proposal of proposals) {
      if (proposal.kind === "remove") this.#leaves[proposal.leaf] = undefined;
    }
    const added: Peer[] = [];
    for (const proposal of proposals) {
      if (proposal.kind !== "add") continue;
      const { peer, keyPackage } = proposal;
      const blank = this.#leaves.indexOf(undefined);
      this.#leaves[blank < 0 ? this.#leaves.length : blank] = peer;
      peer.signatureKey = keyPackage.signatureKey;
      if (peer.keyPackage === keyPackage) peer.keyPackage = undefined;
      peer.hasFailed = false;
      added.push(peer);
    }
    while (this.#leaves.length > 0 && !this.#leaves.at(-1)) this.#leaves.pop();
    this.#epoch += 1n;
    this.#proposals = [];
    this.#revoked.clear();
    return added;
  }

  #judgeProposals(commit: Commit, from: Peer): Judgement {
    const expected = new Map(this.expectedFrom(from).map((known) => [hex(known.ref), known]));
    const refs = commit.refs.map(hex);
    const foreign = refs.find((ref) => !expected.has(ref) && !this.#revoked.has(ref));
    if (foreign !== undefined) return invalid("it names a proposal that was never made");
    if (refs.length === 0) return invalid("it names no proposal");
    if (new Set(refs).size !== refs.length) return invalid("it names a proposal twice");
    const proposals = refs.flatMap((ref) => expected.get(ref) ?? []);
    const isWhole = refs.length === expected.size && proposals.length === refs.length;
    if (!isWhole) return { verdict: "incomplete" };
    return judgeWelcome(commit, proposals);
  }
}

/** Every added client has to find its part in the Welcome. */
function judgeWelcome(commit: Commit, proposals: Proposal[]): Judgement {
  const adds = proposals.filter((proposal) => proposal.kind === "add");
  if (adds.length === 0) {
    if (commit.welcome) return invalid("a Welcome follows though nobody is added");
    return { verdict: "valid", proposals, welcome: undefined };
  }
  const { welcome } = commit;
  if (!welcome) return invalid("no Welcome follows");
  const isComplete = adds.every(({ keyPackage }) => narrowWelcome(welcome, keyPackage.ref));
  if (!isComplete) return invalid("the Welcome leaves out an added member");
  return { verdict: "valid", proposals, welcome };
}

function invalid(why: string): Judgement {
  return { verdict: "invalid", why };
}

function hex(bytes: Buffer): string {
  return bytes.toString("hex");
}
