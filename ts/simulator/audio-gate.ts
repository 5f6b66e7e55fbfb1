/** Lets audio through only while its sender has said that it speaks. */

import type { AudioPacket } from "./media-server.ts";
import type { VoiceSession } from "./session.ts";

/** UDP and the WebSocket race each other: so long may op 5 be behind the audio, or audio behind op 5. */
const GRACE_MS = 250;
/** Packets held back for one sender: a second of sound. */
const MAX_HELD = 50;

interface Held {
  packets: AudioPacket[];
  timer: NodeJS.Timeout;
}

/** Holds early packets for a moment, then passes or drops them. */
export class AudioGate {
  readonly #held = new Map<VoiceSession, Held>();
  readonly #stops = new Map<VoiceSession, NodeJS.Timeout>();
  readonly #pass: (session: VoiceSession, packet: AudioPacket) => void;

  constructor(pass: (session: VoiceSession, packet: AudioPacket) => void) {
    this.#pass = pass;
  }

  /** Takes an authentic packet. */
  packet(session: VoiceSession, packet: AudioPacket): void {
    const isTail = performance.now() - session.silentSinceMs < GRACE_MS;
    if (session.speaking || (isTail && !this.#held.has(session))) {
      return this.#pass(session, packet);
    }
    const held = this.#held.get(session) ?? this.#hold(session);
    if (held.packets.length < MAX_HELD) held.packets.push(packet);
    else session.counts.audioDropped += 1;
  }

  /** Takes the flags of an op 5. */
  speaking(session: VoiceSession, flags: number): void {
    const before = session.speaking;
    session.speaking = flags;
    clearTimeout(this.#stops.get(session));
    this.#stops.delete(session);
    if (flags !== 0) return this.#release(session);
    if (before === undefined || before === 0) return;
    session.silentSinceMs = performance.now();
    const timer = setTimeout(() => {
      this.#stops.delete(session);
      session.check.stopped();
    }, GRACE_MS);
    this.#stops.set(session, timer);
  }

  /** Forgets a session that ended. */
  forget(session: VoiceSession): void {
    clearTimeout(this.#held.get(session)?.timer);
    this.#held.delete(session);
    clearTimeout(this.#stops.get(session));
    this.#stops.delete(session);
  }

  /** Forgets everything. */
  close(): void {
    for (const session of [...this.#held.keys(), ...this.#stops.keys()]) this.forget(session);
  }

  #hold(session: VoiceSession): Held {
    // The immediate lets a message that already waits in the socket be read before judgement.
    const timer = setTimeout(() => setImmediate(() => this.#drop(session)), GRACE_MS);
    const held = { packets: [], timer };
    this.#held.set(session, held);
    return held;
  }

  #release(session: VoiceSession): void {
    const held = this.#held.get(session);
    if (!held) return;
    clearTimeout(held.timer);
    this.#held.delete(session);
    for (const packet of held.packets) this.#pass(session, packet);
  }

  #drop(session: VoiceSession): void {
    const held = this.#held.get(session);
    if (!held) return;
    this.#held.delete(session);
    session.counts.audioDropped += held.packets.length;
    if (session.speaking === undefined) {
      session.object("audio_before_speaking", "audio came before op 5 announced it");
    } else {
      session.object("audio_while_not_speaking", "audio came while op 5 says 0");
    }
  }
}
