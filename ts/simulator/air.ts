/** What happens to audio that the server lets through: listeners hear it, the others in the channel get it. */

import { parseFrame } from "./dave/frame-codec.ts";
import type { DaveRooms } from "./dave/rooms.ts";
import type { Downlink } from "./downlink.ts";
import { Listener, type ListenerOptions } from "./listener.ts";
import { type AudioPacket, OPUS_PAYLOAD_TYPE } from "./media-server.ts";
import type { Problem, ProblemLog } from "./problems.ts";
import type { HeardPacket } from "./recording.ts";
import type { VoiceSession } from "./session.ts";
import type { Sessions } from "./sessions.ts";
import type { World } from "./world.ts";

const SILENCE_FRAME = Buffer.from([0xf8, 0xff, 0xfe]);
const NS_PER_MS = 1e6;

/** What the air needs from the simulator around it. */
export interface AirHost {
  readonly dave: DaveRooms;
  readonly downlink: Downlink;
  readonly problems: ProblemLog;
  readonly sessions: Sessions;
  readonly world: World;
}

/** The sound in all channels. */
export class Air {
  readonly #host: AirHost;
  readonly #listeners = new Map<string, Set<Listener>>();
  /** What simulated members hear. */
  readonly #ears = new Set<Listener>();

  constructor(host: AirHost) {
    this.#host = host;
  }

  /** A new listener, which is told of earlier problems in its channel. */
  listen(guildId: string, channelId: string, options: ListenerOptions): Listener {
    const listener = new Listener(options);
    const key = `${guildId}/${channelId}`;
    const present = this.#listeners.get(key);
    if (present) present.add(listener);
    else this.#listeners.set(key, new Set([listener]));
    for (const problem of this.#host.problems.list) {
      const isHere = problem.guildId === guildId && problem.channelId === channelId;
      if (isHere) listener.object(problem);
    }
    return listener;
  }

  /** Keeps what a simulated member hears up to date. */
  admit(ear: Listener): void {
    this.#ears.add(ear);
  }

  /** The member is gone: whoever waits at its ear waits in vain. */
  dismiss(ear: Listener): void {
    this.#ears.delete(ear);
    ear.close();
  }

  /** Takes a packet that was let through. */
  hear(session: VoiceSession, packet: AudioPacket): void {
    const { guildId, channelId, userId, ssrc } = session.seed;
    const state = this.#host.world.guild(guildId).states.get(userId);
    if (!session.media || state?.suppress || state?.mute) {
      session.counts.audioDropped += 1;
      return;
    }
    session.counts.audio += 1;
    const { sequence, timestamp, opus, arrivedNs } = packet;
    const silence = SILENCE_FRAME.equals(opus);
    const header = packet.header.readUInt16BE(0);
    if (!session.ear) {
      const arrivedMs = Number(arrivedNs) / NS_PER_MS;
      session.check.packet({ header, sequence, timestamp, silence, arrivedMs });
      this.#host.dave.inspect(session, opus, silence);
    }
    const heard = { userId, ssrc, sequence, timestamp, opus, arrivedNs, silence };
    if ((header & 0x7f) === OPUS_PAYLOAD_TYPE && packet.header.readUInt32BE(8) === ssrc) {
      for (const listener of this.#listenersAt({ guildId, channelId })) {
        listener.hear(heard, session.media.mode);
      }
    }
    for (const other of this.#host.sessions.neighbours(session)) {
      this.#deliver(packet, heard, session.media.mode, other);
    }
  }

  /** Lets everybody who waits for something in a channel look again. */
  poke(): void {
    for (const listeners of this.#listeners.values()) {
      for (const listener of listeners) listener.poke();
    }
    for (const ear of this.#ears) ear.poke();
  }

  /** Tells the listeners of a channel what is wrong there. */
  object(problem: Problem): void {
    for (const listener of this.#listenersAt(problem)) listener.object(problem);
  }

  /** Ends all waiting. */
  close(): void {
    for (const listeners of this.#listeners.values()) {
      for (const listener of listeners) listener.close();
    }
    for (const ear of [...this.#ears]) this.dismiss(ear);
  }

  #deliver(packet: AudioPacket, heard: HeardPacket, mode: string, to: VoiceSession): void {
    const { guildId, userId } = to.seed;
    if (this.#host.world.guild(guildId).states.get(userId)?.deaf) return;
    if (to.ear) {
      const opus = to.opens ? to.opens(heard) : heard.opus;
      return opus ? to.ear.hear({ ...heard, opus }, mode) : to.ear.miss();
    }
    // As the real server does: who cannot decrypt is spared what it could not play.
    if (to.seed.daveVersion === 0 && parseFrame(heard.opus)) return;
    this.#host.downlink.audio(packet, to);
  }

  #listenersAt(place: { guildId?: string; channelId?: string }): Iterable<Listener> {
    return this.#listeners.get(`${place.guildId}/${place.channelId}`) ?? [];
  }
}
