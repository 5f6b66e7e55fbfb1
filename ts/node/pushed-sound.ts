/** Sound that a client pushes: binary messages in, a bounded wait, and the word when more is wanted. */

import type { PushedTrack } from "../voice/pushed-track.ts";
import { OpError } from "./ops/fields.ts";
import type { Push } from "./ops/protocol.ts";

/** Milliseconds of sound that wait in the node, besides the second that waits in the engine. */
export const HELD_MS = 2000;
/** Bytes before the sound of a binary message: version, flags and guild id. */
export const PUSH_HEADER_BYTES = 10;
/** The only version there is. */
const VERSION = 1;
const FRAME_MS = 20;
const MAX_OPUS_PACKET = 1275;

/** A binary message, taken apart. */
export interface PushMessage {
  guildId: string;
  sound: Buffer;
}

/**
 * Reads a binary message of a client.
 *
 * @throws OpError `invalid_value`.
 */
export function readPush(message: Buffer): PushMessage {
  if (message.length < PUSH_HEADER_BYTES || message[0] !== VERSION || message[1] !== 0) {
    const expected = `${VERSION}, 0 and 8 bytes of the guild id`;
    throw new OpError("invalid_value", `A binary message begins with the bytes ${expected}.`);
  }
  const guildId = String(message.readBigUInt64BE(2));
  return { guildId, sound: message.subarray(PUSH_HEADER_BYTES) };
}

/** The sound of one pushed track. */
export class PushedSound {
  readonly #track: PushedTrack;
  readonly #bytesPerSecond: number | undefined;
  readonly #tellWanted: (frames: number) => void;
  #packets: Buffer[] = [];
  #samples: Buffer[] = [];
  #heldBytes = 0;
  #ending = false;

  /** `begin` starts the track; what it is given is called when more is wanted. */
  constructor(
    d: Required<Push>,
    begin: (wanted: (frames: number) => void) => PushedTrack,
    tellWanted: (frames: number) => void,
  ) {
    this.#bytesPerSecond = bytesPerSecond(d);
    this.#tellWanted = tellWanted;
    this.#track = begin((frames) => this.#wanted(frames));
  }

  /** The track's number. */
  get track(): number {
    return this.#track.track;
  }

  /**
   * Takes the sound of a message: all of it or nothing.
   *
   * @throws OpError `not_pushing` behind the end, `invalid_value` for what is no sound of the format, `push_overflow`
   * when too much waits.
   */
  take(sound: Buffer): void {
    if (this.#ending) throw new OpError("not_pushing", "push_end was sent; nothing follows it.");
    if (this.#bytesPerSecond === undefined) this.#takePackets(sound);
    else this.#takeSamples(sound, this.#bytesPerSecond);
    this.#handOver();
  }

  /** The track ends when all of it has been sent. */
  end(): void {
    this.#ending = true;
    this.#handOver();
  }

  #takePackets(sound: Buffer): void {
    const packets = packetsIn(sound);
    if ((this.#packets.length + packets.length) * FRAME_MS > HELD_MS) throw overflow();
    this.#packets.push(...packets);
  }

  #takeSamples(sound: Buffer, bytesPerSecond: number): void {
    const most = Math.max(MAX_MESSAGE, (bytesPerSecond * HELD_MS) / 1000);
    if (this.#heldBytes + sound.length > most) throw overflow();
    this.#samples.push(sound);
    this.#heldBytes += sound.length;
  }

  /** Gives the engine what it takes; returns how many frames that was. */
  #handOver(): number {
    const frames = this.#handPackets() + this.#handSamples();
    const empty = this.#packets.length === 0 && this.#samples.length === 0;
    if (this.#ending && empty) this.#track.end();
    return frames;
  }

  #handPackets(): number {
    if (this.#packets.length === 0) return 0;
    const taken = this.#track.pushFrames(this.#packets);
    this.#packets = this.#packets.slice(taken);
    return taken;
  }

  #handSamples(): number {
    let bytes = 0;
    for (let chunk = this.#samples[0]; chunk; chunk = this.#samples[0]) {
      const taken = this.#track.pushBytes(chunk);
      bytes += taken;
      if (taken < chunk.length) {
        this.#samples[0] = chunk.subarray(taken);
        break;
      }
      this.#samples.shift();
    }
    this.#heldBytes -= bytes;
    return Math.floor((bytes * 1000) / ((this.#bytesPerSecond ?? 1) * FRAME_MS));
  }

  #wanted(frames: number): void {
    const handed = this.#handOver();
    const waits = this.#packets.length > 0 || this.#samples.length > 0;
    if (!this.#ending && !waits && frames > handed) this.#tellWanted(frames - handed);
  }
}

/** The longest message. */
const MAX_MESSAGE = 64 * 1024;

function bytesPerSecond(d: Required<Push>): number | undefined {
  if (d.format === "opus") return undefined;
  return d.sample_rate * d.channels * (d.format === "f32le" ? 4 : 2);
}

/** Packets, each behind its length in 16 bits, most significant byte first. */
function packetsIn(sound: Buffer): Buffer[] {
  const packets: Buffer[] = [];
  for (let at = 0; at < sound.length; ) {
    const length = at + 2 <= sound.length ? sound.readUInt16BE(at) : 0;
    const packet = sound.subarray(at + 2, at + 2 + length);
    if (length < 1 || length > MAX_OPUS_PACKET || packet.length < length || !is20Ms(packet)) {
      const message = `Opus is pushed as packets of 20 ms, 1 to ${MAX_OPUS_PACKET} bytes, each behind its length in 2 bytes.`;
      throw new OpError("invalid_value", message);
    }
    packets.push(packet);
    at += 2 + length;
  }
  return packets;
}

/** Whether an Opus packet lasts 20 ms, by its first two bytes (RFC 6716, 3.1). */
function is20Ms([toc = 0, count = 0]: Buffer): boolean {
  const config = toc >> 3;
  const frames = [1, 2, 2, count & 0x3f][toc & 3] ?? 0;
  const celt = [2.5, 5, 10, 20];
  const silk = config < 12 ? [10, 20, 40, 60] : [10, 20, 10, 20];
  const ms = (config < 16 ? silk : celt)[config & 3] ?? 0;
  return frames * ms === FRAME_MS;
}

function overflow(): OpError {
  const message = `${HELD_MS} ms of sound wait already; this message was left out. Wait for push_wanted.`;
  return new OpError("push_overflow", message);
}
