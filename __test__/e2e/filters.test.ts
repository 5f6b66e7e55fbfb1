/** Filters from the player to the ear, measured through an independent decoder. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import type { FilterSettings } from "../../ts/native/index.ts";
import { decodeRecording, type HeardPacket } from "../../ts/simulator/recording.ts";
import { decibels, envelopeOf, levelOf, pitchOf, sideOf } from "../support/measure.ts";
import { musicLike, wavFile } from "../support/wav.ts";
import { channelId, openBench, tune } from "../voice/bench.ts";

const CENTRES = [
  25, 40, 63, 100, 160, 250, 400, 630, 1_000, 1_600, 2_500, 4_000, 6_300, 10_000, 16_000,
];
const TONE = 1_000;
const FRAME = 960;

/** Interleaved stereo of tones that sound together. */
function tones(hertz: readonly number[], level: number, seconds: number): Float64Array {
  const samples = new Float64Array(seconds * 48_000 * 2);
  for (let at = 0; at < samples.length / 2; at++) {
    const phase = (index: number): number => index * index * 1.7;
    const value = hertz.reduce(
      (sum, tone, index) =>
        sum + level * Math.sin((2 * Math.PI * tone * at) / 48_000 + phase(index)),
      0,
    );
    samples[2 * at] = value;
    samples[2 * at + 1] = value;
  }
  return samples;
}

async function fileOf(t: ExecutionContext, samples: Float64Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, "sound.wav");
  await writeFile(path, wavFile(samples, 48_000, 2));
  return path;
}

/** A connected bench with a file that plays, at a rate that leaves measuring no room for doubt. */
async function playing(path: string, filters?: FilterSettings) {
  const bench = await openBench();
  const { connection, listener } = bench;
  await connection.join(channelId);
  if (filters) connection.player.setFilters(filters);
  const encoder = { bitrate: 320_000 };
  connection.player.play({ kind: "file", path }, { encoder });
  const heard = async (packets: number): Promise<number> => {
    const target = listener.packets.length + packets;
    await listener.waitFor(() => listener.packets.length >= target, 60_000);
    return listener.packets.length;
  };
  /** The left side from one packet to another, without the gaps of a busy machine. */
  const sound = (from: number, to: number): Float64Array =>
    sideOf(soundOf(listener.packets.slice(0, to)), 0).subarray(from * FRAME);
  return { ...bench, player: connection.player, heard, sound };
}

function soundOf(packets: readonly HeardPacket[]): Int16Array {
  const sounding = packets.filter((packet) => !packet.silence);
  return decodeRecording(sounding.map((packet, at) => ({ ...packet, timestamp: at * FRAME })));
}

/** What Lavalink's equalizer does to a tone: its 15 band-passes, added to the sound itself. */
function equalizerGain(gains: readonly number[], hertz: number): number {
  const angle = (2 * Math.PI * hertz) / 48_000;
  let [real, imaginary] = [1, 0];
  for (const [band, gain] of gains.entries()) {
    const centre = (2 * Math.PI * (CENTRES[band] ?? 0)) / 48_000;
    const edge = centre * 2 ** (-1 / 3);
    const tilt = (Math.cos(edge) - Math.cos(centre)) / Math.sin(edge);
    const beta = (1 - tilt) / (1 + tilt);
    const alpha = (1 - beta) / 2;
    const gamma = (1 + beta) * Math.cos(centre);
    // H = alpha (1 - z^-2) / (1 - gamma z^-1 + beta z^-2)
    const top = [alpha * (1 - Math.cos(2 * angle)), alpha * Math.sin(2 * angle)];
    const bottom = [
      1 - gamma * Math.cos(angle) + beta * Math.cos(2 * angle),
      gamma * Math.sin(angle) - beta * Math.sin(2 * angle),
    ];
    const [a = 0, b = 0, c = 0, d = 0] = [...top, ...bottom];
    const size = c * c + d * d;
    real += (4 * gain * (a * c + b * d)) / size;
    imaginary += (4 * gain * (b * c - a * d)) / size;
  }
  return Math.hypot(real, imaginary);
}

test("the equalizer's bands have the gain they should, within 0.5 dB", async (t) => {
  const path = await fileOf(t, tones(CENTRES, 0.04, 9));
  await using bench = await playing(path);
  const before = await bench.heard(150);
  const gains = [0.2, 0.1, 0, -0.15, 0.1, 0.25, -0.1, 0, 0.15, -0.2, 0.1, 0.05, -0.1, 0.2, -0.05];
  bench.player.setFilters({ equalizer: gains.map((gain, band) => ({ band, gain })) });
  const from = (await bench.heard(60)) - 10;
  const to = await bench.heard(120);
  const plain = bench.sound(20, before);
  const filtered = bench.sound(from, to);
  for (const hertz of CENTRES) {
    const wanted = decibels(equalizerGain(gains, hertz));
    const measured = decibels(levelOf(filtered, hertz) / levelOf(plain, hertz));
    t.true(Math.abs(measured - wanted) < 0.5, `${hertz} Hz: ${measured} instead of ${wanted} dB`);
  }
});

test("tremolo swings as far and as fast as it should", async (t) => {
  const path = await fileOf(t, tones([TONE], 0.4, 8));
  await using bench = await playing(path, { tremolo: { frequency: 4, depth: 0.6 } });
  const to = await bench.heard(270);
  const envelope = envelopeOf(bench.sound(20, to), TONE, 48);
  const [most, least] = [Math.max(...envelope), Math.min(...envelope)];
  t.true(Math.abs(least / most - 0.4) < 0.03, `from ${least} to ${most}`);
  const middle = envelope.map((level) => level - (most + least) / 2);
  const hertz = pitchOf(middle) / 48;
  t.true(Math.abs(hertz - 4) < 0.02, `${hertz} Hz`);
});

for (const [timescale, pitch, speed] of [
  [{ speed: 1.5 }, 1, 1.5],
  [{ pitch: 0.8 }, 0.8, 1],
  [{ rate: 1.25 }, 1.25, 1.25],
  [{ speed: 1.29, pitch: 1.29, rate: 0.9366 }, 1.29 * 0.9366, 1.29 * 0.9366],
] as const) {
  test(`timescale ${JSON.stringify(timescale)} has its speed and pitch within 0.5 %`, async (t) => {
    const path = await fileOf(t, tones([440], 0.4, 12));
    await using bench = await playing(path);
    await bench.heard(20);
    bench.player.setFilters({ timescale });
    const from = await bench.heard(60);
    const began = bench.connection.stats();
    const to = await bench.heard(200);
    const ended = bench.connection.stats();
    const hertz = pitchOf(bench.sound(from, to));
    t.true(Math.abs(hertz / 440 / pitch - 1) < 0.005, `${hertz} Hz`);
    if (!began || !ended) return t.fail("the call has counters");
    // Counted in packets, because a busy machine may be late, and without the silence of one that is too late; one
    // packet is 0.5 % of them.
    const packets = ended.packetsSent - began.packetsSent - (ended.silenceSent - began.silenceSent);
    const measured = (ended.positionMs - began.positionMs) / (packets * 20);
    t.true(Math.abs(measured / speed - 1) < 0.01, `speed ${measured}`);
  });
}

test("a change is heard at once, without a gap, in the same place of the track", async (t) => {
  const path = await fileOf(t, tones([TONE], 0.3, 8));
  await using bench = await playing(path);
  const asked = await bench.heard(100);
  bench.player.setVolume(0.5);
  const to = await bench.heard(100);
  const sound = bench.sound(0, to);
  const level = (frame: number): number =>
    levelOf(sound.subarray(frame * FRAME, (frame + 1) * FRAME), TONE);
  const usual = level(asked - 20);
  const gain = level(to - 10) / usual;
  t.true(Math.abs(gain - Math.tan(0.79 * 0.5)) < 0.01, `${gain}`);
  const first = Array.from({ length: 60 }, (_, at) => asked - 3 + at).find(
    (frame) => level(frame) < 0.9 * usual,
  );
  // Three frames when nobody hinders; a machine that is busy with other things may take longer.
  t.log(`frame ${(first ?? 0) - asked} after the call`);
  t.true(first !== undefined && first - asked < 25, `${first} after ${asked}`);
  const { packets } = bench.listener;
  const numbers = packets
    .slice(1)
    .map((packet, at) => packet.sequence - (packets[at]?.sequence ?? 0));
  t.true(numbers.every((step) => step === 1 || step === -65_535));
});

test("Opus passes through byte for byte before filters are set and after they are cleared", async (t) => {
  const file = (oggOpusPackets(await readFile(tune)) ?? []).map((packet) =>
    Buffer.from(packet).toString("hex"),
  );
  await using bench = await playing(tune);
  const { player, listener } = bench;
  await bench.heard(40);
  player.setFilters({ lowPass: { smoothing: 5 }, timescale: { speed: 1.1 } });
  const on = await bench.heard(60);
  player.setFilters();
  const off = await bench.heard(60);
  const packets = listener.packets.filter((packet) => !packet.silence);
  const sent = packets.map(({ opus }) => opus.toString("hex"));
  t.deepEqual(sent.slice(0, 30), file.slice(0, 30));
  t.false(file.includes(sent[on - 5] ?? ""));
  const tail = sent.slice(off - 15, off);
  const place = file.indexOf(tail[0] ?? "");
  t.true(place > 0);
  t.deepEqual(tail, file.slice(place, place + tail.length));
});

test("filters stay for the next track, over seeks and pauses", async (t) => {
  const path = await fileOf(t, tones([TONE], 0.3, 8));
  await using bench = await playing(path, { volume: 0.5 });
  const { player } = bench;
  const levelNow = async (): Promise<number> => {
    const from = await bench.heard(40);
    const to = await bench.heard(20);
    return levelOf(bench.sound(from, to), TONE) / 0.3;
  };
  const expected = Math.tan(0.79 * 0.5);
  t.true(Math.abs((await levelNow()) - expected) < 0.02);
  player.seek(3_000);
  t.true(Math.abs((await levelNow()) - expected) < 0.02);
  player.pause();
  player.setFilters({ volume: 0.25 });
  player.resume();
  t.true(Math.abs((await levelNow()) - Math.tan(0.79 * 0.25)) < 0.02);
  player.play({ kind: "file", path });
  t.true(Math.abs((await levelNow()) - Math.tan(0.79 * 0.25)) < 0.02);
  player.setFilters();
  t.true(Math.abs((await levelNow()) - 1) < 0.02);
});

test("music under all filters at once stays within full scale and sounds", async (t) => {
  const path = await fileOf(t, musicLike(6, 48_000));
  const filters: FilterSettings = {
    volume: 3,
    equalizer: CENTRES.map((_, band) => ({ band, gain: 0.5 })),
    karaoke: {},
    timescale: { speed: 1.1, pitch: 1.05 },
    tremolo: {},
    vibrato: {},
    rotation: { rotationHz: 0.2 },
    distortion: { scale: 2 },
    channelMix: { leftToRight: 0.5, rightToLeft: 0.5 },
    lowPass: {},
  };
  await using bench = await playing(path, filters);
  const to = await bench.heard(150);
  const sound = bench.sound(10, to);
  const power = sound.reduce((sum, value) => sum + value * value, 0) / sound.length;
  t.true(power > 1e-5, `${power}`);
  t.true(sound.every((value) => Number.isFinite(value)));
});
