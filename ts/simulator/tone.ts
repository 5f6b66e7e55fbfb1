/** Opus frames of a test tone, made by libopus. */

import { opusCodec } from "./packages.ts";

/** What {@link toneFrames} makes. */
export interface ToneOptions {
  /** Length in seconds. Default 1. */
  seconds?: number;
  /** Default 440. */
  frequencyHz?: number;
  /** Peak, 0–1 of full scale. Default 0.4. */
  amplitude?: number;
}

const RATE = 48_000;
const CHANNELS = 2;
const FRAME_SAMPLES = 960;
const FRAMES_PER_SECOND = 50;

/** A sine as Opus packets of 20 ms, 48 kHz stereo. No two packets are alike, so each can be told from the others. */
export function toneFrames(options: ToneOptions = {}): Buffer[] {
  const { seconds = 1, frequencyHz = 440, amplitude = 0.4 } = options;
  const encoder = opusCodec();
  const count = Math.round(seconds * FRAMES_PER_SECOND);
  return Array.from({ length: count }, (_, frame) => {
    const pcm = new Int16Array(FRAME_SAMPLES * CHANNELS);
    for (let at = 0; at < FRAME_SAMPLES; at++) {
      const phase = (2 * Math.PI * frequencyHz * (frame * FRAME_SAMPLES + at)) / RATE;
      pcm.fill(amplitude * 32_767 * Math.sin(phase), at * CHANNELS, (at + 1) * CHANNELS);
    }
    return encoder.encode(Buffer.from(pcm.buffer));
  });
}
