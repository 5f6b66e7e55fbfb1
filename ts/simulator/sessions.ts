/** All voice sessions: who shares a channel with whom, what the others are told, and when a session ends. */

import { VoiceOpcode } from "../gateway/opcodes.ts";
import type { Problem } from "./problems.ts";
import { type SessionSeed, VoiceSession } from "./session.ts";

/** Client flags that official clients show: allows voice recording. */
const CLIENT_FLAGS = 2;

/** How messages are numbered. */
export interface Numbering {
  /** Number of a session's first numbered message. */
  first(): number;
  /** Whether the next message goes out without its number. */
  isLeftOut(): boolean;
}

/** The table of sessions; at most one per guild and user. */
export class Sessions {
  readonly #byUser = new Map<string, VoiceSession>();
  readonly #bySsrc = new Map<number, VoiceSession>();
  readonly #bySource = new Map<string, VoiceSession>();
  readonly #byChannel = new Map<string, Set<VoiceSession>>();
  readonly #report: (problem: Problem) => void;
  readonly #numbering: Numbering;
  /** Told of each end, after the others in the channel were. */
  onEnd: (session: VoiceSession) => void = () => undefined;
  #nextSsrc: number;

  constructor(firstSsrc: number, numbering: Numbering, report: (problem: Problem) => void) {
    this.#nextSsrc = firstSsrc;
    this.#numbering = numbering;
    this.#report = report;
  }

  /** Opens a session; the user's former one in that guild is closed with 4006. */
  open(seed: Omit<SessionSeed, "ssrc" | "firstSequence">): VoiceSession {
    const former = this.of(seed.guildId, seed.userId);
    if (former) this.end(former, 4006);
    const ssrc = this.#nextSsrc++;
    const firstSequence = this.#numbering.first();
    const session = new VoiceSession({ ...seed, ssrc, firstSequence }, this.#report, () =>
      this.#numbering.isLeftOut(),
    );
    this.#byUser.set(`${seed.guildId}/${seed.userId}`, session);
    this.#bySsrc.set(ssrc, session);
    const channel = channelKey(session);
    const members = this.#byChannel.get(channel) ?? new Set();
    this.#byChannel.set(channel, members.add(session));
    return session;
  }

  /** Ends a session: the others are told, an open socket is closed with `code`. */
  end(session: VoiceSession, code: number, reason = "Session is no longer valid."): void {
    if (!this.#bySsrc.delete(session.seed.ssrc)) return;
    clearTimeout(session.expiry);
    this.#byUser.delete(`${session.seed.guildId}/${session.seed.userId}`);
    this.#forgetSource(session);
    const members = this.#byChannel.get(channelKey(session));
    members?.delete(session);
    if (members?.size === 0) this.#byChannel.delete(channelKey(session));
    const { link } = session;
    session.link = undefined;
    link?.close(code, reason);
    for (const other of this.neighbours(session)) {
      other.sendNumbered(VoiceOpcode.ClientDisconnect, { user_id: session.seed.userId });
    }
    this.onEnd(session);
  }

  /** Tells a new session who is there, and the others who came. */
  introduce(session: VoiceSession): void {
    const others = [...this.neighbours(session)];
    if (others.length > 0) {
      const user_ids = others.map((other) => other.seed.userId);
      session.sendNumbered(VoiceOpcode.ClientsConnect, { user_ids });
    }
    for (const other of others) {
      describe(other, session);
      other.sendNumbered(VoiceOpcode.ClientsConnect, { user_ids: [session.seed.userId] });
      describe(session, other);
    }
  }

  /** Learns where a session's datagrams come from. */
  place(session: VoiceSession, remote: { address: string; port: number }): void {
    const key = sourceKey(remote);
    if (session.remote && sourceKey(session.remote) === key) return;
    this.#forgetSource(session);
    session.remote = { address: remote.address, port: remote.port };
    this.#bySource.set(key, session);
  }

  /** The session of a user in a guild. */
  of(guildId: string, userId: string): VoiceSession | undefined {
    return this.#byUser.get(`${guildId}/${userId}`);
  }

  /** The session that a Resume names; it carries no user id. */
  named(guildId: string, sessionId: string): VoiceSession | undefined {
    for (const session of this.all()) {
      if (session.seed.guildId === guildId && session.seed.sessionId === sessionId) return session;
    }
    return undefined;
  }

  /** The session with an SSRC. */
  withSsrc(ssrc: number): VoiceSession | undefined {
    return this.#bySsrc.get(ssrc);
  }

  /** The session whose datagrams come from an address. */
  at(source: { address: string; port: number }): VoiceSession | undefined {
    return this.#bySource.get(sourceKey(source));
  }

  /** The other sessions in the same channel. */
  *neighbours(session: VoiceSession): Iterable<VoiceSession> {
    for (const other of this.#byChannel.get(channelKey(session)) ?? []) {
      if (other !== session) yield other;
    }
  }

  /** Every session, live or waiting to be resumed. */
  all(): Iterable<VoiceSession> {
    return this.#bySsrc.values();
  }

  #forgetSource(session: VoiceSession): void {
    if (!session.remote) return;
    const key = sourceKey(session.remote);
    if (this.#bySource.get(key) === session) this.#bySource.delete(key);
  }
}

/** What one client is told about another: flags, platform (bots have none), and who speaks with which SSRC. */
function describe(who: VoiceSession, to: VoiceSession): void {
  const { userId, ssrc } = who.seed;
  to.sendNumbered(VoiceOpcode.ClientFlags, { user_id: userId, flags: CLIENT_FLAGS });
  to.sendNumbered(VoiceOpcode.ClientPlatform, { user_id: userId, platform: null });
  if (who.speaking === undefined) return;
  to.sendNumbered(VoiceOpcode.Speaking, { speaking: who.speaking, ssrc, user_id: userId });
}

function channelKey({ seed }: VoiceSession): string {
  return `${seed.guildId}/${seed.channelId}`;
}

function sourceKey(remote: { address: string; port: number }): string {
  return `${remote.address}:${remote.port}`;
}
