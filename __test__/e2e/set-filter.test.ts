/** Each filter, set by `set_filter` over the socket while a track plays, measured at the ear. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Filters, PlayerInfo } from "../../ts/node/ops/protocol.ts";
import { liveNode } from "../support/live-node.ts";
import { decibels, envelopeOf, levelOf, pitchOf } from "../support/measure.ts";
import { wavFile } from "../support/wav.ts";

const RATE = 48_000;

/** A tone for each ear. */
interface Tones {
  left: number;
  right: number;
  level: number;
}

/** Plays tones, sets filters on the way, and gives what each ear heard before and after. */
async function measure(
  t: ExecutionContext,
  { left, right, level }: Tones,
  filters: Filters,
  frames = 100,
) {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const samples = new Float64Array(30 * RATE * 2).map((_, at) => {
    const hertz = at % 2 === 0 ? left : right;
    return level * Math.sin((2 * Math.PI * hertz * (at >> 1)) / RATE);
  });
  await writeFile(join(folder, "tones.wav"), wavFile(samples, RATE, 2));
  const bench = await liveNode(t, { allowed_folders: [folder], opus_bitrate: 320_000 });
  await bench.connect();
  await bench.play(join(folder, "tones.wav"));
  const asked = await bench.heard(80);
  await bench.done("set_filter", { filters });
  const from = await bench.heard(40);
  const to = await bench.heard(frames);
  return {
    bench,
    before: [bench.sound(20, asked, 0), bench.sound(20, asked, 1)] as const,
    // The decoder of the ear needs a few frames to find its feet.
    after: [
      bench.sound(from, to, 0).subarray(4800),
      bench.sound(from, to, 1).subarray(4800),
    ] as const,
  };
}

const MONO: Tones = { left: 1000, right: 1000, level: 0.2 };

/** Checks the gain of a tone in decibels. */
function near(t: ExecutionContext, measured: number, wanted: number, what: string): void {
  const [got, want] = [decibels(measured), decibels(wanted)];
  t.true(Math.abs(got - want) < 0.5, `${what}: ${got.toFixed(2)} instead of ${want.toFixed(2)} dB`);
}

for (const [name, filters, wanted] of [
  ["volume", { volume: 2 }, 2 * 1.6408],
  ["an equalizer's band up", { equalizer: [{ band: 8, gain: 0.25 }] }, 2],
  ["an equalizer's band down", { equalizer: [{ band: 8, gain: -0.125 }] }, 0.5],
  ["low_pass", { low_pass: { smoothing: 20 } }, lowPassGain(20, MONO.left)],
  ["karaoke", { karaoke: { filter_band: 1000, filter_width: 500 } }, karaokeGain(1000, 500, 1000)],
] as [string, Filters, number][]) {
  test(`${name} has the gain it should`, async (t) => {
    const { before, after } = await measure(t, MONO, filters);
    near(t, levelOf(after[0], 1000) / levelOf(before[0], 1000), wanted, name);
  });
}

test("karaoke takes out what both ears hear alike", async (t) => {
  const { before, after } = await measure(t, MONO, { karaoke: {} });
  const gain = levelOf(after[0], 1000) / levelOf(before[0], 1000);
  t.true(gain < 1.3 * karaokeGain(220, 100, 1000), `${decibels(gain)} dB`);
});

test("channel_mix sends each side where it should", async (t) => {
  const mix = { left_to_left: 0.25, left_to_right: 0.5, right_to_left: 0, right_to_right: 0.75 };
  const { after } = await measure(t, { left: 1000, right: 1500, level: 0.2 }, { channel_mix: mix });
  near(t, levelOf(after[0], 1000) / 0.2, 0.25, "left to left");
  near(t, levelOf(after[1], 1000) / 0.2, 0.5, "left to right");
  near(t, levelOf(after[1], 1500) / 0.2, 0.75, "right to right");
  t.true(levelOf(after[0], 1500) < 0.004, "right to left");
});

test("distortion follows its formula", async (t) => {
  const shape = { scale: 0.8, sin_scale: 1.5, tan_offset: 0.1 };
  const { after } = await measure(t, { ...MONO, level: 0.5 }, { distortion: shape });
  const ideal = Float64Array.from({ length: RATE }, (_, at) => {
    const x = 0.5 * Math.sin((2 * Math.PI * 1000 * at) / RATE);
    return 0.8 * Math.sin(1.5 * x) * Math.cos(x) * (0.1 + Math.tan(x));
  });
  for (const hertz of [1000, 2000]) {
    near(t, levelOf(after[0], hertz), levelOf(ideal, hertz), `${hertz} Hz`);
  }
});

test("tremolo swings as deep and as fast as it should", async (t) => {
  const filters = { tremolo: { frequency: 5, depth: 0.5 } };
  const { after } = await measure(t, MONO, filters, 200);
  const envelope = envelopeOf(after[0], 1000, 48);
  const [most, least] = [Math.max(...envelope), Math.min(...envelope)];
  t.true(Math.abs(least / most - 0.5) < 0.03, `${least / most}`);
  const hertz = pitchOf(envelope.map((level) => level - (most + least) / 2)) / 48;
  t.true(Math.abs(hertz / 5 - 1) < 0.005, `${hertz} Hz`);
});

test("vibrato swings as far and as fast as it should", async (t) => {
  const filters = { vibrato: { frequency: 4, depth: 0.5 } };
  const { after } = await measure(t, MONO, filters, 200);
  const step = 480;
  const pitches = Float64Array.from({ length: Math.floor(after[0].length / step) - 2 }, (_, at) =>
    pitchOf(after[0].subarray(at * step, (at + 1) * step)),
  );
  // The delay moves over 96 x depth samples, as a sine: that much the pitch swings.
  const wanted = 1000 * ((Math.PI * 4 * 96 * 0.5) / RATE);
  const swing = (Math.max(...pitches) - Math.min(...pitches)) / 2;
  t.true(Math.abs(swing / wanted - 1) < 0.1, `${swing} instead of ${wanted} Hz`);
  const hertz = pitchOf(pitches.map((pitch) => pitch - 1000)) / step;
  t.true(Math.abs(hertz / 4 - 1) < 0.02, `${hertz} Hz`);
});

test("rotation goes from side to side at its rate", async (t) => {
  const { after } = await measure(t, MONO, { rotation: { rotation_hz: 2 } }, 200);
  const [left, right] = after.map((side) => envelopeOf(side, 1000, 48));
  for (const side of [left, right]) {
    const most = Math.max(...(side ?? []));
    t.true(Math.abs(most / 0.2 - 1) < 0.03, `${most}`);
    t.true(Math.min(...(side ?? [])) < 0.01);
    const hertz = pitchOf((side ?? new Float64Array()).map((level) => level - most / 2)) / 48;
    t.true(Math.abs(hertz / 2 - 1) < 0.01, `${hertz} Hz`);
  }
  const both = (left ?? new Float64Array()).map((level, at) => level + (right?.[at] ?? 0));
  t.true(
    both.every((level) => Math.abs(level / 0.2 - 1) < 0.05),
    "one side has what the other lacks",
  );
});

test("timescale changes pitch and speed, and positions tell the place in the source", async (t) => {
  const filters = { timescale: { speed: 1.2, pitch: 1.1, rate: 1.25 } };
  const { bench, after } = await measure(t, MONO, filters, 150);
  const pitch = pitchOf(after[0]) / 1000;
  t.true(Math.abs(pitch / (1.1 * 1.25) - 1) < 0.005, `${pitch}`);
  const look = async () => {
    const { result } = await bench.done("get_player");
    return result as PlayerInfo;
  };
  const first = await look();
  await bench.heard(150);
  const second = await look();
  t.is(first.speed, 1.5);
  t.truthy(second.track_id, "it plays on");
  const packets = second.packets_sent - first.packets_sent;
  const speed = (second.position - first.position) / (packets * 20);
  // A packet more or less is 0.7 % of them.
  t.true(Math.abs(speed / 1.5 - 1) < 0.015, `${speed}`);
});

/** One pole: v += (x - v) / smoothing. */
function lowPassGain(smoothing: number, hertz: number): number {
  const angle = (2 * Math.PI * hertz) / RATE;
  const keep = 1 - 1 / smoothing;
  return 1 / smoothing / Math.hypot(1 - keep * Math.cos(angle), keep * Math.sin(angle));
}

/** What is left of a tone in the middle: what the band-pass lets through. */
function karaokeGain(band: number, width: number, hertz: number): number {
  const c = Math.exp((-2 * Math.PI * width) / RATE);
  const b = ((-4 * c) / (1 + c)) * Math.cos((2 * Math.PI * band) / RATE);
  const a = Math.sqrt(1 - (b * b) / (4 * c)) * (1 - c);
  const angle = (2 * Math.PI * hertz) / RATE;
  const real = 1 + b * Math.cos(angle) + c * Math.cos(2 * angle);
  const imaginary = b * Math.sin(angle) + c * Math.sin(2 * angle);
  return a / Math.hypot(real, imaginary);
}
