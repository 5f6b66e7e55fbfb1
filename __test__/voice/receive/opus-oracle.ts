/** An independent decoder and encoder (`@discordjs/opus`), a voice-like signal, and measures of sameness. */

import { createRequire } from "node:module";

const FRAME = 960;
const SET_BITRATE = 4002;
const SET_BANDWIDTH = 4008;
const WIDEBAND = 1103;
const SET_INBAND_FEC = 4012;
const SET_PACKET_LOSS_PERC = 4014;
const SET_SIGNAL = 4024;
const SIGNAL_VOICE = 3001;

interface OpusCodec {
  encode(pcm: Buffer): Buffer;
  decode(packet: Buffer): Buffer;
  applyEncoderCTL(request: number, value: number): void;
}

function codec(): OpusCodec {
  const { OpusEncoder } = createRequire(import.meta.url)("@discordjs/opus") as {
    OpusEncoder: new (rate: number, channels: number) => OpusCodec;
  };
  return new OpusEncoder(48_000, 2);
}

/** What the decoder makes of packets, interleaved stereo at 48 kHz. */
export function decodeAll(packets: readonly Uint8Array[]): Int16Array {
  const decoder = codec();
  const parts = packets.map((packet) => decoder.decode(Buffer.from(packet)));
  return samplesOf(Buffer.concat(parts));
}

/** Speech-like sound with in-band FEC for a lossy link: each packet holds a coarse copy of the one before. */
export function voiceFrames(seconds: number): Buffer[] {
  const encoder = codec();
  encoder.applyEncoderCTL(SET_SIGNAL, SIGNAL_VOICE);
  encoder.applyEncoderCTL(SET_BITRATE, 32_000);
  encoder.applyEncoderCTL(SET_BANDWIDTH, WIDEBAND);
  encoder.applyEncoderCTL(SET_INBAND_FEC, 1);
  encoder.applyEncoderCTL(SET_PACKET_LOSS_PERC, 20);
  const frames = Math.round(seconds * 50);
  return Array.from({ length: frames }, (_, frame) => encoder.encode(voiceFrame(frame)));
}

/** 20 ms of a voiced sound: a pitch that glides, harmonics that fall, syllables. */
function voiceFrame(frame: number): Buffer {
  const pcm = new Int16Array(2 * FRAME);
  for (let at = 0; at < FRAME; at++) {
    const time = (frame * FRAME + at) / 48_000;
    const phase = 2 * Math.PI * (130 * time - 4 * Math.cos(2 * Math.PI * 0.7 * time));
    const syllable = 0.55 + 0.45 * Math.sin(2 * Math.PI * 3 * time);
    let value = 0;
    for (let harmonic = 1; harmonic <= 12; harmonic++)
      value += Math.sin(harmonic * phase) / harmonic;
    pcm.fill(6000 * syllable * value, 2 * at, 2 * at + 2);
  }
  return Buffer.from(pcm.buffer);
}

/** Signal against difference, in dB, over the samples of both that `keep` chooses by frame. */
export function snr(
  expected: Int16Array,
  heard: Int16Array,
  keep: (frame: number) => boolean = () => true,
): number {
  let signal = 0;
  let noise = 0;
  for (let at = 0; at < Math.min(expected.length, heard.length); at++) {
    if (!keep(Math.floor(at / (2 * FRAME)))) continue;
    const wanted = expected[at] ?? 0;
    const difference = (heard[at] ?? 0) - wanted;
    signal += wanted * wanted;
    noise += difference * difference;
  }
  return 10 * Math.log10(signal / Math.max(noise, 1));
}

/** The samples of a WAV file of ours, and what its header says. */
export function readWav(bytes: Buffer): { rate: number; channels: number; samples: Int16Array } {
  const length = bytes.readUInt32LE(40);
  if (length !== bytes.length - 44)
    throw new Error(`the header says ${length} of ${bytes.length - 44}`);
  const [rate, channels] = [bytes.readUInt32LE(24), bytes.readUInt16LE(22)];
  return { rate, channels, samples: samplesOf(bytes.subarray(44)) };
}

/** The packets of an Ogg Opus file, headers left out, and the granule position of its last page. */
export function readOgg(bytes: Buffer): { packets: Buffer[]; granule: number } {
  const packets: Buffer[] = [];
  let granule = 0;
  let open: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.toString("latin1", at, at + 4) !== "OggS") throw new Error(`no page at ${at}`);
    granule = Number(bytes.readBigUInt64LE(at + 6));
    const count = bytes.readUInt8(at + 26);
    let data = at + 27 + count;
    for (const length of bytes.subarray(at + 27, at + 27 + count)) {
      open.push(bytes.subarray(data, data + length));
      data += length;
      if (length === 255) continue;
      packets.push(Buffer.concat(open));
      open = [];
    }
    at = data;
  }
  return { packets: packets.slice(2), granule };
}

function samplesOf(bytes: Buffer): Int16Array {
  return new Int16Array(Uint8Array.from(bytes).buffer);
}
