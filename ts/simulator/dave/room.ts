/** End-to-end encryption of one channel as the voice gateway runs it: versions, transitions and the group. */

import { VoiceOpcode } from "../../gateway/opcodes.ts";
import type { DaveClientMessage, Refusal } from "../client-messages.ts";
import type { VoiceSession } from "../session.ts";
import { MalformedError } from "./bytes.ts";
import type { DaveChannel, DaveCounts } from "./channel.ts";
import { Delivery, type DeliveryHost } from "./delivery.ts";
import { appendMessage, ExternalSender } from "./external-sender.ts";
import { type HostileProposal, hostileProposal } from "./forged.ts";
import { Peer } from "./peer.ts";
import type { DaveSettings } from "./settings.ts";
import { Transitions } from "./transitions.ts";

/** A user that is in no call. */
const STRANGER = "999000000000000999";

/** One channel; call follows call in it. */
export class DaveRoom implements DeliveryHost, DaveChannel {
  readonly channelId: string;
  readonly settings: DaveSettings;
  readonly #peers = new Map<VoiceSession, Peer>();
  readonly #delivery: Delivery;
  readonly #transitions: Transitions;
  #sender: ExternalSender;
  #version = 0;
  /** The next group follows plaintext, which ends when its transition is executed. */
  #isUpgrade = false;
  /** Its last member was sent to version 0, which ends when somebody joins. */
  #isAsleep = false;
  /** Commits taken in all groups together: so often may a client begin a new key. */
  #keys = 0;
  #failures = 0;

  constructor(channelId: string, settings: DaveSettings) {
    this.channelId = channelId;
    this.settings = settings;
    this.#sender = new ExternalSender(channelId);
    this.#delivery = new Delivery(this, this.#sender);
    this.#transitions = new Transitions(settings, (peer, transition_id) =>
      peer.send(VoiceOpcode.DaveExecuteTransition, { transition_id }),
    );
  }

  get version(): number {
    return this.#version;
  }

  get epoch(): number {
    return Number(this.#delivery.group.epoch);
  }

  get members(): (string | undefined)[] {
    return this.#delivery.group.leaves.map((peer) => peer?.userId);
  }

  get pendingTransitions(): number[] {
    return this.#transitions.pending;
  }

  get waitingCommits(): string[] {
    return this.#delivery.waitingCommits;
  }

  get counts(): DaveCounts {
    const { timeouts } = this.#transitions;
    return { commits: { ...this.#delivery.commits }, failures: this.#failures, timeouts };
  }

  /** Whether nobody is in the call. */
  get isEmpty(): boolean {
    return this.#peers.size === 0;
  }

  peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  /** Begins a call in an empty channel. */
  begin(version: number): void {
    this.#version = version;
    this.#isUpgrade = false;
    this.#isAsleep = false;
    this.#sender = new ExternalSender(this.channelId);
    this.#delivery.begin(this.#sender);
  }

  /** A client gets its session description; the version that stands in it. */
  enter(session: VoiceSession): number {
    const version = Math.min(this.#version, session.seed.daveVersion);
    const known = this.#peers.get(session);
    const peer = known ?? new Peer(session, this.settings, { version, keys: this.#keys });
    this.#peers.set(session, peer);
    if (version > 0 && !known) peer.expectKeyPackage();
    return version;
  }

  /** Begins encryption again in a call that rested at version 0 while only one was in it. */
  wake(): void {
    if (this.#isAsleep && this.#peers.size > 1) this.upgrade();
  }

  /** Sends op 25. */
  introduce(session: VoiceSession): void {
    const peer = this.#peers.get(session);
    if (!peer || this.#version === 0) return;
    peer.knowsSender = true;
    peer.sendBinary(VoiceOpcode.MlsExternalSender, this.#sender.message);
  }

  /** A client is gone for good: it is proposed for removal, or its Add is taken back. */
  leave(session: VoiceSession): void {
    const peer = this.#peers.get(session);
    if (!peer) return;
    this.#peers.delete(session);
    peer.close();
    this.#transitions.forget(peer);
    if (this.#version === 0) return;
    this.#delivery.forget(peer);
    const [last] = this.#peers.values();
    const isSole = this.#peers.size === 1 && this.#delivery.group.isEstablished;
    if (last && isSole) this.#resetSole(last);
    else this.#delivery.propose();
  }

  /** Takes a client's message; the refusal closes its connection and ends its session. */
  message(session: VoiceSession, message: DaveClientMessage): Refusal | undefined {
    const peer = this.#peers.get(session);
    const isReady = message.op === VoiceOpcode.DaveTransitionReady;
    if (!peer || (this.#version === 0 && !isReady)) {
      // What was sent before a downgrade was heard of is nobody's fault.
      if (this.#keys > 0) return undefined;
      const why = "an end-to-end encryption message came though version 0 is in force";
      session.object("unexpected_dave_message", why);
      return undefined;
    }
    try {
      this.#take(peer, message);
      return undefined;
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      const isCommit = message.op === VoiceOpcode.MlsCommitWelcome;
      const code = isCommit ? "dave_commit_invalid" : "dave_key_package_invalid";
      session.object(code, error.message);
      return { type: "refused", code: 4020, reason: "Bad request." };
    }
  }

  /** Looks at a packet of audio. */
  inspect(session: VoiceSession, payload: Buffer, isSilence: boolean): void {
    this.#peers.get(session)?.inspect(payload, isSilence, this.#keys);
  }

  downgrade(): void {
    if (this.#version === 0) return;
    this.#version = 0;
    this.#delivery.close();
    const peers = [...this.#peers.values()];
    const id = this.#transitions.allocate();
    for (const peer of peers) {
      peer.allowPlain();
      peer.keyPackage = undefined;
      this.#announce(peer, id, 0);
    }
    this.#delivery.begin();
    this.#transitions.open(id, peers);
  }

  upgrade(version = 1): void {
    if (this.#version > 0) return;
    this.#version = version;
    this.#isAsleep = false;
    this.#isUpgrade = true;
    this.#delivery.begin();
    for (const [session, peer] of this.#peers) {
      if (!peer.knowsSender) this.introduce(session);
      this.#prepareEpoch(peer);
    }
    const [sole] = this.#peers.values();
    if (sole && this.#peers.size === 1) this.#announce(sole, 0, version);
  }

  restart(): void {
    const members = this.#delivery.group.healthy;
    this.#delivery.begin();
    for (const peer of members) {
      peer.keyPackage = undefined;
      this.#prepareEpoch(peer);
    }
    this.#delivery.propose();
  }

  renewExternalSender(): void {
    this.#sender = new ExternalSender(this.channelId);
    for (const session of this.#peers.keys()) this.introduce(session);
  }

  sendHostileProposal(kind: HostileProposal, userId = STRANGER): void {
    const { epoch } = this.#delivery.group;
    const proposal = hostileProposal(kind, this.#sender, { epoch, userId });
    for (const peer of this.#delivery.group.healthy) {
      peer.sendBinary(VoiceOpcode.MlsProposals, appendMessage([proposal]));
    }
  }

  /** Chooses among the commits that were held back. */
  release(): void {
    this.#delivery.release();
  }

  /** Ends all timers. */
  close(): void {
    this.#delivery.close();
    this.#transitions.close();
    for (const peer of this.#peers.values()) peer.close();
  }

  lost(peer: Peer): void {
    this.#transitions.forget(peer);
  }

  transition(isFirst: boolean): number {
    const isZero = isFirst && !this.#isUpgrade && this.settings.groupTransitionId === "zero";
    this.#isUpgrade = false;
    this.#keys += 1;
    return isZero ? 0 : this.#transitions.allocate();
  }

  committed(id: number, members: readonly Peer[]): void {
    const forbid = (): void => {
      for (const peer of members) peer.forbidPlain();
    };
    if (id === 0) forbid();
    else this.#transitions.open(id, members, forbid);
  }

  #take(peer: Peer, message: DaveClientMessage): void {
    switch (message.op) {
      case VoiceOpcode.MlsKeyPackage:
        return this.#delivery.keyPackage(peer, message.payload);
      case VoiceOpcode.MlsCommitWelcome:
        return this.#delivery.commit(peer, message.payload);
      case VoiceOpcode.MlsInvalidCommitWelcome:
        this.#failures += 1;
        peer.expectKeyPackage();
        return this.#delivery.failed(peer);
      case VoiceOpcode.DaveTransitionReady:
        if (message.transitionId > 0) return this.#transitions.ready(peer, message.transitionId);
        return peer.session.object("dave_ready_for_zero", "op 23 came for transition 0");
    }
  }

  /** The last member starts over alone: op 24 with epoch 1, and a transition 0 that nobody has to confirm. */
  #resetSole(peer: Peer): void {
    const isMember = this.#delivery.group.healthy.includes(peer);
    this.restart();
    if (!isMember) return;
    const { soleMemberVersion } = this.settings;
    this.#announce(peer, 0, soleMemberVersion);
    if (soleMemberVersion > 0) return;
    peer.allowPlain();
    this.#version = 0;
    this.#isAsleep = true;
  }

  #prepareEpoch(peer: Peer): void {
    peer.expectKeyPackage();
    const d = { protocol_version: this.#version, epoch: 1 };
    peer.send(VoiceOpcode.DavePrepareEpoch, d);
  }

  #announce(peer: Peer, transition_id: number, protocol_version: number): void {
    peer.send(VoiceOpcode.DavePrepareTransition, { protocol_version, transition_id });
  }
}
