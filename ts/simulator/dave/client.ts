/** A simulated member's end of DAVE, over @snazzah/davey with the workarounds that it needs. */

import { VoiceOpcode } from "../../gateway/opcodes.ts";
import type { DaveClientMessage } from "../client-messages.ts";
import { MalformedError, vec } from "./bytes.ts";
import type { DaveClientCounts, DaveStatus } from "./client-status.ts";
import type { Davey, DaveyKeyPair, DaveySession } from "./davey.ts";
import { parseFrame } from "./frame-codec.ts";
import { type ProposalMessage, splitProposals } from "./mls.ts";

const SILENCE_FRAME = Buffer.from([0xf8, 0xff, 0xfe]);
/** Plaintext may still be under way for so long after encryption began. */
const PLAIN_GRACE_MS = 10_000;
/** Own commits that are remembered within an epoch. */
const MAX_COMMITS = 100;
const APPEND = 0;
const REVOKE = 1;
const AUDIO = 0;
/** Errors of a commit that is not for us: there is no group yet, or only our own. */
const IGNORED = /PendingGroup|NoGroup|pending group|no group/i;
const EVICTED = /evict/i;

/** Who a client is, and where its messages go. */
export interface DaveClientOptions {
  userId: string;
  channelId: string;
  keys: DaveyKeyPair;
  /** Sends a message to the voice gateway. */
  reply: (message: DaveClientMessage) => void;
}

/** One MLS life after another, for one voice session. */
export class DaveClient {
  readonly counts: DaveClientCounts = {
    commits: 0,
    failures: 0,
    ignored: 0,
    opened: 0,
    plain: 0,
    unopened: 0,
    sealed: 0,
    held: 0,
  };
  readonly #options: DaveClientOptions;
  readonly #session: DaveySession;
  readonly #recognised = new Set<string>();
  /** Versions of announced transitions by their ids. */
  readonly #pending = new Map<number, number>();
  /** Adds of this epoch: davey leaves out the Welcome for those of an earlier message. */
  #adds: ProposalMessage[] = [];
  #lastCommit: Buffer | undefined;
  /** Own commits of this epoch before the last: davey has forgotten them, and would take the last for them. */
  #formerCommits: Buffer[] = [];
  #externalSender: Buffer | undefined;
  #version = 0;
  #isDescribed = false;
  #hasGroup = false;
  #plainUntilMs = Number.POSITIVE_INFINITY;

  constructor(davey: Davey, options: DaveClientOptions) {
    const { userId, channelId, keys } = options;
    this.#options = options;
    this.#session = new davey.DAVESession(1, userId, channelId, keys);
    this.#recognised.add(userId);
  }

  /** Takes the version of a session description: with it, a life begins. */
  describe(version: number): void {
    this.#isDescribed = true;
    this.#version = version;
    if (version === 0) return;
    this.#plainUntilMs = 0;
    this.#begin();
  }

  get status(): DaveStatus {
    const isReady = this.#isDescribed && (this.#hasGroup || this.#version === 0);
    return {
      version: this.#version,
      isReady,
      epoch: this.#hasGroup ? Number(this.#session.epoch ?? 0n) : 0,
      members: this.#hasGroup ? this.#session.getUserIds() : [],
      privacyCode: this.#hasGroup ? this.#session.voicePrivacyCode : "",
      counts: { ...this.counts },
    };
  }

  /** 45 digits that both sides of a pair see; costs about a second of CPU on another thread. */
  verificationCode(userId: string): Promise<string> {
    return this.#session.getVerificationCode(userId);
  }

  /** Takes a text message of the voice gateway. */
  json(op: number, d: Record<string, unknown>): void {
    switch (op) {
      case VoiceOpcode.ClientsConnect:
        for (const id of d.user_ids as string[]) this.#recognised.add(id);
        return;
      case VoiceOpcode.ClientDisconnect:
        this.#recognised.delete(String(d.user_id));
        return;
      case VoiceOpcode.DavePrepareTransition:
        return this.#prepare(Number(d.transition_id), Number(d.protocol_version));
      case VoiceOpcode.DaveExecuteTransition:
        return this.#execute(Number(d.transition_id));
      case VoiceOpcode.DavePrepareEpoch:
        if (d.epoch === 1) this.#begin();
        return;
    }
  }

  /** Takes a binary message of the voice gateway: what follows its opcode. */
  binary(op: number, payload: Buffer): void {
    switch (op) {
      case VoiceOpcode.MlsExternalSender:
        return this.#setExternalSender(payload);
      case VoiceOpcode.MlsProposals:
        return this.#try(() => this.#proposals(payload));
      case VoiceOpcode.MlsAnnounceCommitTransition:
        return this.#announced(payload.readUInt16BE(0), payload.subarray(2));
      case VoiceOpcode.MlsWelcome:
        return this.#change(payload.readUInt16BE(0), () =>
          this.#session.processWelcome(payload.subarray(2)),
        );
    }
  }

  /** Encrypts an Opus packet; undefined while there is encryption but no key yet. */
  seal(opus: Buffer): Buffer | undefined {
    if (this.#version === 0 || SILENCE_FRAME.equals(opus)) return opus;
    if (!this.#hasGroup) {
      this.counts.held += 1;
      return undefined;
    }
    this.counts.sealed += 1;
    return this.#session.encryptOpus(opus);
  }

  /** Decrypts what a user sent; undefined when it cannot be used. */
  open(userId: string, payload: Buffer): Buffer | undefined {
    if (!parseFrame(payload)) {
      const isRight = SILENCE_FRAME.equals(payload) || performance.now() <= this.#plainUntilMs;
      this.counts[isRight ? "plain" : "unopened"] += 1;
      return isRight ? payload : undefined;
    }
    try {
      const opus = this.#session.decrypt(userId, AUDIO, payload);
      this.counts.opened += 1;
      return opus;
    } catch {
      this.counts.unopened += 1;
      return undefined;
    }
  }

  #begin(): void {
    const { userId, channelId, keys } = this.#options;
    this.#session.reinit(1, userId, channelId, keys);
    this.#hasGroup = false;
    this.#adds = [];
    this.#forgetCommits();
    this.#sendKeyPackage();
  }

  #sendKeyPackage(): void {
    const payload = this.#session.getSerializedKeyPackage();
    this.#options.reply({ op: VoiceOpcode.MlsKeyPackage, payload });
  }

  #setExternalSender(payload: Buffer): void {
    // davey keeps it over a new beginning, and takes none while a group stands.
    if (this.#externalSender?.equals(payload)) return;
    this.#externalSender = Buffer.from(payload);
    this.#try(() => this.#session.setExternalSender(payload));
  }

  #proposals(payload: Buffer): void {
    const operation = payload[0];
    const list = payload.subarray(1);
    if (operation === REVOKE) return this.#revoke(list);
    if (operation !== APPEND) throw new MalformedError("an operation that does not exist");
    const fresh = splitProposals(list);
    this.#commit([...this.#adds, ...fresh]);
    this.#adds.push(...fresh.filter(({ isAdd }) => isAdd));
  }

  #revoke(list: Buffer): void {
    const result = this.#session.processProposals(REVOKE, list);
    const refs = list.toString("hex");
    this.#adds = this.#adds.filter(({ ref }) => !refs.includes(ref.toString("hex")));
    if (!result.commit) return;
    if (this.#adds.length > 0) return this.#commit(this.#adds);
    this.#sendCommit(result.commit, undefined);
  }

  #commit(proposals: readonly ProposalMessage[]): void {
    const list = vec(Buffer.concat(proposals.map(({ bytes }) => bytes)));
    const { commit, welcome } = this.#session.processProposals(APPEND, list, [...this.#recognised]);
    if (commit) this.#sendCommit(commit, welcome);
  }

  #sendCommit(commit: Buffer, welcome: Buffer | undefined): void {
    this.counts.commits += 1;
    if (this.#lastCommit) this.#formerCommits.push(this.#lastCommit);
    if (this.#formerCommits.length > MAX_COMMITS) this.#formerCommits.shift();
    this.#lastCommit = commit;
    const payload = Buffer.concat([commit, welcome ?? Buffer.alloc(0)]);
    this.#options.reply({ op: VoiceOpcode.MlsCommitWelcome, payload });
  }

  #announced(id: number, commit: Buffer): void {
    const isOwn = this.#lastCommit?.equals(commit) || isOneOf(this.#formerCommits, commit);
    const isForeign = !this.#hasGroup && !isOwn;
    // Somebody else founded the group; our Welcome is under way.
    if (isForeign) this.counts.ignored += 1;
    else if (!this.#lastCommit?.equals(commit) && isOneOf(this.#formerCommits, commit)) {
      this.#fail(id, "a commit of ours that was replaced");
    } else this.#change(id, () => this.#session.processCommit(commit));
  }

  /** Enters a new epoch; the keys of receivers are there at once, and with davey the sender's, too. */
  #change(id: number, enter: () => void): void {
    try {
      enter();
    } catch (error) {
      return this.#fail(id, String(error));
    }
    this.#hasGroup = true;
    this.#adds = [];
    this.#forgetCommits();
    this.#prepare(id, Math.max(1, this.#version));
  }

  #forgetCommits(): void {
    this.#lastCommit = undefined;
    this.#formerCommits = [];
  }

  #fail(id: number, why: string): void {
    if (IGNORED.test(why)) {
      this.counts.ignored += 1;
      return;
    }
    if (!EVICTED.test(why)) {
      this.counts.failures += 1;
      this.#options.reply({ op: VoiceOpcode.MlsInvalidCommitWelcome, transitionId: id });
    }
    this.#begin();
  }

  #prepare(id: number, version: number): void {
    this.#pending.set(id, version);
    if (version === 0) this.#plainUntilMs = Number.POSITIVE_INFINITY;
    if (id === 0) return this.#execute(id);
    this.#options.reply({ op: VoiceOpcode.DaveTransitionReady, transitionId: id });
  }

  #execute(id: number): void {
    const version = this.#pending.get(id);
    if (version === undefined) return;
    this.#pending.delete(id);
    const wasPlain = this.#version === 0;
    this.#version = version;
    if (version === 0) {
      this.#hasGroup = false;
      this.#session.reset();
    } else if (wasPlain) this.#plainUntilMs = performance.now() + PLAIN_GRACE_MS;
  }

  #try(act: () => void): void {
    try {
      act();
    } catch {
      this.counts.ignored += 1;
    }
  }
}

function isOneOf(known: readonly Buffer[], bytes: Buffer): boolean {
  return known.some((one) => one.equals(bytes));
}
