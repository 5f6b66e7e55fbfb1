/** From heard packets to sound: places them by their timestamps and decodes them with libopus. */

import { open } from "node:fs/promises";
import { opusCodec } from "./packages.ts";
import { FRAME_SAMPLES } from "./stream-check.ts";
import { wavHeader } from "./wav.ts";

/** One Opus packet that was heard. */
export interface HeardPacket {
  userId: string;
  ssrc: number;
  sequence: number;
  /** In samples at 48 kHz. */
  timestamp: number;
  opus: Buffer;
  /** Nanoseconds on the monotonic clock. */
  arrivedNs: bigint;
  /** Whether it is the silence frame F8 FF FE. */
  silence: boolean;
}

const CHANNELS = 2;
const RATE = 48_000;
const NS_PER_FRAME = 20_000_000n;
/** Longest gap that is filled: one minute. A longer one counts as none. */
const MAX_GAP_SAMPLES = 60 * RATE;
/** Most that is decoded into memory: one hour. */
const MAX_SAMPLES = 3600 * RATE;
const SILENCE_FRAME = Uint8Array.of(0xf8, 0xff, 0xfe);
const CHUNK_SAMPLES = 10 * RATE;

/** The first hour of one speaker's packets, interleaved stereo. */
export function decodeRecording(packets: readonly HeardPacket[]): Int16Array {
  const length = Math.min(MAX_SAMPLES, lengthOf(packets));
  const samples = new Int16Array(length * CHANNELS);
  for (const { at, values } of decoded(packets)) {
    if (at >= length) break;
    samples.set(values.subarray(0, samples.length - at * CHANNELS), at * CHANNELS);
  }
  return samples;
}

/** Writes one speaker's packets as a WAV file, piece by piece. */
export async function writeRecording(path: string, packets: readonly HeardPacket[]): Promise<void> {
  const length = lengthOf(packets);
  const file = await open(path, "w");
  try {
    await file.write(wavHeader(length));
    let chunk: Buffer[] = [];
    let written = 0;
    let held = 0;
    for (const { at, values } of decoded(packets)) {
      const gap = Math.max(0, at - written);
      const kept = values.subarray(0, (length - at) * CHANNELS);
      chunk.push(Buffer.alloc(gap * CHANNELS * 2), bytesOf(kept));
      written = at + kept.length / CHANNELS;
      held += gap + FRAME_SAMPLES;
      if (held < CHUNK_SAMPLES) continue;
      await file.write(Buffer.concat(chunk));
      chunk = [];
      held = 0;
    }
    await file.write(Buffer.concat(chunk));
  } finally {
    await file.close();
  }
}

/** The packets with a silence frame for every 20 ms in which none came. */
export function withoutGaps(packets: readonly HeardPacket[]): Uint8Array[] {
  let end = 0;
  return placed(packets).flatMap(({ at, packet }) => {
    const missing = Math.max(0, Math.floor((at - end) / FRAME_SAMPLES));
    end = at + FRAME_SAMPLES;
    return [...Array<Uint8Array>(missing).fill(SILENCE_FRAME), packet.opus];
  });
}

/** Decodes in order; a packet that libopus refuses stays silent. */
function* decoded(packets: readonly HeardPacket[]): Generator<{ at: number; values: Int16Array }> {
  const decoder = opusCodec();
  for (const { at, packet } of placed(packets)) {
    try {
      const bytes = decoder.decode(packet.opus);
      yield { at, values: new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2) };
    } catch {
      // What was heard need not be Opus; the gap it leaves shows where.
    }
  }
}

function lengthOf(packets: readonly HeardPacket[]): number {
  const last = placed(packets).at(-1);
  return last ? last.at + FRAME_SAMPLES : 0;
}

/** The first sample of each packet. Packets that came out of order are left out. */
function placed(packets: readonly HeardPacket[]): { at: number; packet: HeardPacket }[] {
  const places: { at: number; packet: HeardPacket }[] = [];
  let before: { at: number; packet: HeardPacket } | undefined;
  for (const packet of packets) {
    const step = before ? stepBetween(before.packet, packet) : 0;
    if (step < 0) continue;
    before = { at: (before?.at ?? 0) + step, packet };
    places.push(before);
  }
  return places;
}

/** Samples from one packet to the next: by timestamps, or by the clock where a new session begins. */
function stepBetween(before: HeardPacket, packet: HeardPacket): number {
  if (packet.ssrc !== before.ssrc) {
    const frames = Number((packet.arrivedNs - before.arrivedNs) / NS_PER_FRAME);
    return Math.min(Math.max(1, frames) * FRAME_SAMPLES, MAX_GAP_SAMPLES);
  }
  const step = (packet.timestamp - before.timestamp) | 0;
  return step > MAX_GAP_SAMPLES ? FRAME_SAMPLES : step <= 0 ? -1 : step;
}

function bytesOf(samples: Int16Array): Buffer {
  return Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
}
