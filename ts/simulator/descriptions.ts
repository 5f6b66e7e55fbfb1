/** Session descriptions (op 4): keys for a session, and the version of end-to-end encryption in its channel. */

import { VoiceOpcode } from "../gateway/opcodes.ts";
import type { Mode } from "./crypto.ts";
import type { DaveRooms } from "./dave/rooms.ts";
import { NonceHistory } from "./nonces.ts";
import type { SeededRandom } from "./random.ts";
import type { VoiceSession } from "./session.ts";

/** Packets under a replaced key may still be under way for so long. */
const OLD_KEY_MS = 1000;

/** Draws keys and hands them out. */
export class Descriptions {
  readonly #random: SeededRandom;
  readonly #dave: DaveRooms;

  constructor(random: SeededRandom, dave: DaveRooms) {
    this.#random = random;
    this.#dave = dave;
  }

  /** Gives a session its key, or another one. */
  send(session: VoiceSession, mode: Mode): void {
    session.formerMedia = session.media;
    if (session.formerMedia) session.formerMedia.validUntilMs = performance.now() + OLD_KEY_MS;
    const key = this.#random.bytes(32);
    const validUntilMs = Number.POSITIVE_INFINITY;
    session.media = { mode, key, nonces: new NonceHistory(), validUntilMs };
    session.sealed = 0;
    const description = {
      mode,
      secret_key: [...key],
      audio_codec: "opus",
      video_codec: "H264",
      media_session_id: this.#random.hex(16),
    };
    this.#dave.describe(session, (dave_protocol_version) =>
      session.send(VoiceOpcode.SessionDescription, {
        ...description,
        dave_protocol_version,
        secure_frames_version: 1,
      }),
    );
  }
}
