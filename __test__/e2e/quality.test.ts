/** How a decoded track sounds to the listener: signal against noise, through an independent decoder. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { Demo } from "../../ts/cli/demo/run.ts";
import { decodeRecording, type HeardPacket } from "../../ts/simulator/recording.ts";
import { musicLike, wavFile } from "../support/wav.ts";

/** Largest shift that is looked for, in samples at 48 kHz: 40 ms. */
const MAX_SHIFT = 1920;

for (const rate of [48_000, 44_100]) {
  test(`a ${rate} Hz track reaches the ear with at least 20 dB of signal over noise`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
    t.teardown(() => rm(folder, { recursive: true }));
    const track = join(folder, "music.wav");
    await writeFile(track, wavFile(musicLike(3, rate), rate, 2));
    await using demo = await Demo.start({ track });
    const { listener, verdict } = await demo.play();
    t.true(verdict.ok, verdict.findings.join("\n"));
    const heard = Float64Array.from(soundOf(listener.packets), (sample) => sample / 32_768);
    // The signal is a formula: its samples at 48 kHz are the ideal outcome of resampling.
    const { snr, shift } = bestSnr(musicLike(3, 48_000), heard);
    t.log(`SNR ${snr.toFixed(1)} dB at a shift of ${shift} samples`);
    t.true(snr >= 20, `${snr} dB`);
    t.true(Math.abs(shift) <= 480, "no more than half a frame late or early");
  });
}

/** The sound without the gaps that a busy machine may leave between packets: this is about its quality. */
function soundOf(packets: readonly HeardPacket[]): Int16Array {
  const sounding = packets.filter((packet) => !packet.silence);
  return decodeRecording(sounding.map((packet, at) => ({ ...packet, timestamp: at * 960 })));
}

/** SNR in dB of `heard` against `source` (both interleaved stereo) at the shift where it is best. */
function bestSnr(source: Float64Array, heard: Float64Array): { snr: number; shift: number } {
  let best = { snr: Number.NEGATIVE_INFINITY, shift: 0 };
  for (let shift = -MAX_SHIFT; shift <= MAX_SHIFT; shift++) {
    const snr = snrAt(source, heard, shift, 37);
    if (snr > best.snr) best = { snr, shift };
  }
  return { snr: snrAt(source, heard, best.shift, 1), shift: best.shift };
}

/** Looks at every `stride`th sample of the inner part. */
function snrAt(source: Float64Array, heard: Float64Array, shift: number, stride: number): number {
  let signal = 0;
  let noise = 0;
  for (let at = 2 * MAX_SHIFT; at < source.length - 4 * MAX_SHIFT; at += stride) {
    const expected = source[at] ?? 0;
    const difference = (heard[at + 2 * shift] ?? 0) - expected;
    signal += expected * expected;
    noise += difference * difference;
  }
  return 10 * Math.log10(signal / noise);
}
