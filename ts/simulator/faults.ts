/** Faults on demand: what the simulator does wrong, when, and to whom. */

import { VoiceOpcode } from "../gateway/opcodes.ts";
import { DaveSettings } from "./dave/settings.ts";
import { garbageDatagrams, hostileFrames } from "./hostile.ts";
import { cleanLink, type LinkFaults } from "./link.ts";
import { type ForwardedAudio, ordinaryAudio } from "./packet-style.ts";
import type { SeededRandom } from "./random.ts";
import type { VoiceSession } from "./session.ts";

/** The moments at which a connection can be closed. */
export type Phase =
  | "before_hello"
  | "before_ready"
  | "before_session_description"
  | "connected"
  | "resuming";

/** All sessions of a guild by its id, or one session; what `sessions()` lists fits. */
export type FaultTarget = string | { guildId: string; userId: string };

/** What goes wrong with the answer to a discovery request. */
export type DiscoveryFault =
  | "drop"
  | "duplicate"
  | "short"
  | "wrong_ssrc"
  | "wrong_type"
  | { delayMs: number };

/** What faults need done; the simulator gives it. */
export interface FaultActions {
  sessions(target: FaultTarget): Iterable<VoiceSession>;
  close(session: VoiceSession, code: number, keepSession: boolean): void;
  rekey(session: VoiceSession): void;
  /** Sends a datagram from the media server or from an address that no client knows. */
  datagram(session: VoiceSession, datagram: Buffer, source: "server" | "stranger"): void;
  rtcp(session: VoiceSession, isBroken: boolean): void;
  loseEndpoint(guildId: string): void;
  reidentify(userId: string): void;
  renewTokens(guildId: string): void;
  moveServer(guildId: string, closeCode: number | undefined): Promise<void>;
}

/** Codes after which a server still knows the session: the connection broke, the session did not. */
const RESUMABLE = new Set([4000, 4009, 4013, 4015]);
const UNKNOWN_OPCODE = 99;

/** Switches and actions for tests; everything is off at first. */
export class FaultControls {
  /** How audio is sealed for others. Default: one word of extension, padding on a tenth. */
  readonly forwarded: ForwardedAudio = ordinaryAudio();
  /** The way of that audio to the clients. Default: clean. */
  readonly link: LinkFaults = cleanLink();
  /** How the end-to-end encryption side of the server behaves. */
  readonly dave = new DaveSettings();
  /** Acknowledges no heartbeat. */
  heartbeatAcksWithheld = false;
  /** Acknowledges heartbeats with a nonce that was never sent. */
  heartbeatNonceWrong = false;
  /** Sends the heartbeat interval with a decimal point. */
  heartbeatIntervalFloat = false;
  /** Milliseconds by which Hello comes late. */
  helloDelayMs = 0;
  /** Sends Hello twice. */
  helloTwice = false;
  /** Adds unknown keys to every text frame and to its data. */
  extraKeys = false;
  /** Share (0–1) of the numbered messages that go out without a number, and so are not replayed. */
  unnumberedShare = 0;
  /** Number of a session's first numbered message. Default 0; 65,534 shows the wrap. */
  firstSequence = 0;
  /** Leaves op 4 unanswered, as for a full channel. */
  joinsIgnored = false;
  /** Sends VOICE_SERVER_UPDATE before VOICE_STATE_UPDATE. */
  serverEventFirst = false;
  /** Sends every main-gateway event twice. */
  eventsDoubled = false;
  /** On a move or a leave, closes the voice connection before the events, not after them. */
  closesBeforeEvents = false;
  readonly #actions: FaultActions;
  readonly #random: SeededRandom;
  readonly #phases = new Map<Phase, { code: number; times: number }>();
  readonly #discoveries: DiscoveryFault[] = [];
  #refusedResumes = { code: 4006, times: 0 };
  #readyResumes = 0;

  constructor(actions: FaultActions, random: SeededRandom) {
    this.#actions = actions;
    this.#random = random;
  }

  /** Closes the next `times` connections that reach `phase` with `code`; 1006 cuts the TCP stream. */
  atPhase(phase: Phase, code: number, times = 1): void {
    this.#phases.set(phase, { code, times });
  }

  /** Leaves the next `count` discovery requests unanswered. */
  dropDiscovery(count: number): void {
    this.planDiscovery(...Array<DiscoveryFault>(count).fill("drop"));
  }

  /** Answers each of the next discovery requests in a wrong way, in this order. */
  planDiscovery(...faults: DiscoveryFault[]): void {
    this.#discoveries.push(...faults);
  }

  /** Acknowledges no heartbeat while on. */
  withholdHeartbeatAcks(on = true): void {
    this.heartbeatAcksWithheld = on;
  }

  /** Refuses the next `times` resumes. */
  refuseResume(times = 1, code = 4006): void {
    this.#refusedResumes = { code, times };
  }

  /** Answers the next `times` resumes with Ready, as for a fresh session. */
  readyInsteadOfResumed(times = 1): void {
    this.#readyResumes = times;
  }

  /**
   * Closes connections; 1006 cuts the TCP stream. Returns how many there were.
   *
   * Codes below 4000 and 4000, 4009, 4013 and 4015 leave the session to be resumed, the others end it;
   * `keepSession` decides otherwise.
   */
  closeWith(target: FaultTarget, code: number, o: { keepSession?: boolean } = {}): number {
    const keep = o.keepSession ?? (code < 4000 || RESUMABLE.has(code));
    return this.#each(target, (session) => this.#actions.close(session, code, keep));
  }

  /** Resets the TCP stream of connections, as a network failure would. */
  cutSocket(target: FaultTarget): number {
    return this.closeWith(target, 1006);
  }

  /** Sends opcode 99 as text and as a binary frame, null data and binary frames of 0 to 2 bytes. */
  sendUnknownOps(target: FaultTarget): number {
    return this.#each(target, (session) => {
      session.send(UNKNOWN_OPCODE, { surprise: true });
      session.send(UNKNOWN_OPCODE, null);
      for (const bytes of [[], [0], [0, 0], [0, 0, UNKNOWN_OPCODE, 1, 2, 3]]) {
        session.link?.transmit(Buffer.from(bytes));
      }
    });
  }

  /** Sends a frame as it is. */
  sendRaw(target: FaultTarget, frame: string | Buffer): number {
    return this.#each(target, (session) => session.link?.transmit(frame));
  }

  /** Sends a text frame of so many bytes with an unknown opcode. */
  sendLongFrame(target: FaultTarget, bytes: number): number {
    const frame = { op: UNKNOWN_OPCODE, d: { text: "" } };
    frame.d.text = "x".repeat(Math.max(0, bytes - JSON.stringify(frame).length));
    return this.sendRaw(target, JSON.stringify(frame));
  }

  /** Sends several hundred frames that are wrong in form, type or range: every one a client has to survive or refuse. */
  sendHostileFrames(target: FaultTarget): number {
    return this.#each(target, (session) => {
      for (const frame of hostileFrames()) session.link?.transmit(frame);
    });
  }

  /** Keeps sockets open but reads nothing from them and sends nothing any more: a half-open connection. */
  freeze(target: FaultTarget): number {
    return this.#each(target, (session) => session.link?.freeze?.());
  }

  /** Sends a datagram as it is: from the media server, or from an address that no client knows. */
  sendDatagram(
    target: FaultTarget,
    datagram: Buffer,
    source: "server" | "stranger" = "server",
  ): number {
    return this.#each(target, (session) => this.#actions.datagram(session, datagram, source));
  }

  /**
   * Sends datagrams of absurd lengths, from nothing to the most that UDP carries: zeros, noise, and noise like
   * audio. They go out one by one, as fast as a receiver's buffer can take them.
   */
  sendGarbage(target: FaultTarget, source: "server" | "stranger" = "server"): number {
    return this.#each(target, (session) => {
      const datagrams = garbageDatagrams(this.#random, session.seed.ssrc);
      const next = (): void => {
        const datagram = datagrams.shift();
        if (!datagram) return;
        this.#actions.datagram(session, datagram, source);
        setTimeout(next, 1).unref();
      };
      next();
    });
  }

  /** Sends an RTCP compound packet of two reports, which authenticates or does not. */
  sendRtcp(target: FaultTarget, o: { isBroken?: boolean } = {}): number {
    return this.#each(target, (session) => this.#actions.rtcp(session, o.isBroken ?? false));
  }

  /** Asks for a heartbeat at once: a server-sent op 3. */
  requestHeartbeat(target: FaultTarget): number {
    return this.#each(target, (session) => session.send(VoiceOpcode.Heartbeat, null));
  }

  /** Sends a second session description with a new key. */
  rekey(target: FaultTarget): number {
    return this.#each(target, (session) => this.#actions.rekey(session));
  }

  /** Takes the voice server of a guild away: VOICE_SERVER_UPDATE with endpoint null. */
  endpointNull(guildId: string): void {
    this.#actions.loseEndpoint(guildId);
  }

  /** Begins a new main-gateway session for a user: its voice states and voice sessions are void. */
  reconnectMainGateway(userId: string): void {
    this.#actions.reidentify(userId);
  }

  /** Gives the users of a guild new tokens: VOICE_SERVER_UPDATE with the same endpoint. */
  renewTokens(guildId: string): void {
    this.#actions.renewTokens(guildId);
  }

  /**
   * Moves a guild to another voice server: VOICE_SERVER_UPDATE with a new endpoint and new tokens; the old
   * connections are closed with `closeCode` (default 4014), or left open when it is null.
   */
  async moveServer(guildId: string, o: { closeCode?: number | null } = {}): Promise<void> {
    const closeCode = o.closeCode === undefined ? 4014 : o.closeCode;
    await this.#actions.moveServer(guildId, closeCode ?? undefined);
  }

  /** The code to close with now, if a close is set for this phase. */
  takePhase(phase: Phase): number | undefined {
    const planned = this.#phases.get(phase);
    if (!planned || planned.times <= 0) return undefined;
    planned.times -= 1;
    return planned.code;
  }

  /** What is wrong with the answer to this discovery request. */
  takeDiscovery(): DiscoveryFault | undefined {
    return this.#discoveries.shift();
  }

  /** What to do with this resume, if not the right thing. */
  takeResume(): { close: number } | "ready" | undefined {
    if (this.#refusedResumes.times > 0) {
      this.#refusedResumes.times -= 1;
      return { close: this.#refusedResumes.code };
    }
    if (this.#readyResumes <= 0) return undefined;
    this.#readyResumes -= 1;
    return "ready";
  }

  #each(target: FaultTarget, act: (session: VoiceSession) => void): number {
    const sessions = [...this.#actions.sessions(target)];
    for (const session of sessions) act(session);
    return sessions.length;
  }
}
