/** Bytes from JavaScript through a real call: files and samples from streams, their ends, failures and backpressure. */

import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { PassThrough, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import test from "ava";
import { Engine } from "../../ts/native/index.ts";
import type { TrackInfo } from "../../ts/native/types.ts";
import type { Player, TrackEndReason } from "../../ts/voice/player.ts";
import { type Bench, guildId, openBench, tune } from "./bench.ts";
import { decodeAll } from "./receive/opus-oracle.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../crates/audio/tests/fixtures/${name}`, import.meta.url));

test("a Node stream of a file is heard as the file itself, bit for bit", async (t) => {
  await using bench = await joined();
  const { player } = bench.connection;
  const options = { startMs: 400, endMs: 1600 };
  let end = ended(player);
  player.play({ kind: "file", path: tune }, options);
  t.is(await end, "finished");
  t.true(await silent(bench));
  const fromFile = sounding(bench);
  end = ended(player);
  const stream = createReadStream(tune, { highWaterMark: 1000 });
  player.play({ kind: "stream", stream }, options);
  t.is(await end, "finished");
  t.true(await silent(bench));
  const fromStream = sounding(bench).slice(fromFile.length);
  t.true(fromFile.length >= 60);
  t.deepEqual(fromStream, fromFile);
  t.true(stream.destroyed, "what was not needed of it is let go");
});

test("chunks of one byte, a generator and a whole buffer are all taken", async (t) => {
  const bytes = await readFile(fixture("mono-48000.mp3"));
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 333) yield bytes.subarray(at, at + 333);
  }
  await using bench = await joined();
  const { player } = bench.connection;
  const infos: TrackInfo[] = [];
  player.on("trackStart", (_track, info) => infos.push(info));
  const counts: number[] = [];
  for (const stream of [pieces(), bytes, [...bytes].map((byte) => Uint8Array.of(byte))]) {
    const before = sounding(bench).length;
    const end = ended(player);
    player.play({ kind: "stream", stream }, { endMs: 500 });
    t.is(await end, "finished");
    t.true(await silent(bench));
    counts.push(sounding(bench).length - before);
  }
  t.true((counts[0] ?? 0) >= 24);
  t.deepEqual(new Set(counts).size, 1, String(counts));
  t.deepEqual(
    infos.map(({ codec, seekable }) => [codec, seekable]),
    Array(3).fill(["mp3", false]),
  );
});

for (const [sampleType, sampleRate, channels] of [
  ["s16le", 24_000, 1],
  ["f32le", 44_100, 2],
] as const) {
  test(`samples as ${sampleType} at ${sampleRate} Hz with ${channels} channels keep their pitch`, async (t) => {
    await using bench = await joined();
    const { player } = bench.connection;
    const infos: TrackInfo[] = [];
    player.on("trackStart", (_track, info) => infos.push(info));
    const end = ended(player);
    const chunks = cut(sine(440, 1, { sampleType, sampleRate, channels }), 1001);
    const format = { sampleType, sampleRate, channels };
    player.play({ kind: "pcm", stream: Readable.from(chunks), format });
    t.is(await end, "finished");
    t.true(await silent(bench));
    t.like(infos[0], { container: "raw", codec: "pcm", sampleRate, channels });
    const heard = decodeAll(sounding(bench).map((frame) => Uint8Array.from(frame)));
    t.true(Math.abs(heard.length / 96_000 - 1) < 0.05, `${heard.length / 96_000} s`);
    const pitch = crossings(heard.subarray(24_000, 72_000)) / 2 / 0.5;
    t.true(Math.abs(pitch - 440) < 9, `${pitch} Hz`);
  });
}

test("a stream is read no faster than it is played", async (t) => {
  let given = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      given += 1;
      yield new Uint8Array(3840);
    }
  }
  await using bench = await joined();
  bench.connection.player.play({ kind: "pcm", stream: endless() });
  t.true(await bench.hears(50));
  const { packets } = bench.listener;
  // A second waits to be encoded, up to as much is encoded already, and what the clock adds meanwhile.
  t.true(given >= packets.length && given <= packets.length + 250, `${given}`);
  bench.connection.player.stop();
});

test("a stream that fails ends its own track, and another call hears nothing of it", async (t) => {
  await using bench = await joined();
  const other = bench.manager.connection(`${guildId}1`);
  await other.join(`${bench.channelId}1`);
  const witness = bench.simulator.listen({
    guildId: other.guildId,
    channelId: `${bench.channelId}1`,
  });
  other.player.play({ kind: "file", path: tune });
  t.true(await witness.waitFor(({ packets }) => packets.length > 10, 15_000));
  const { player } = bench.connection;
  const errors: string[] = [];
  player.on("trackError", (_track, { code, message }) => void errors.push(`${code}: ${message}`));
  const failing = Readable.from(
    (async function* () {
      yield new Uint8Array(20 * 3840);
      throw new Error("disk on fire");
    })(),
  );
  let end = ended(player);
  player.play({ kind: "pcm", stream: failing });
  t.is(await end, "failed", "after what came before was played");
  t.true(await silent(bench));
  t.deepEqual(errors.splice(0), ["provider_failed: The stream failed: disk on fire"]);
  t.true(sounding(bench).length >= 20);
  end = ended(player);
  player.play({ kind: "stream", stream: createReadStream("/nowhere/at all") });
  t.is(await end, "failed");
  t.regex(errors.splice(0).join(), /^provider_failed: .*ENOENT/);
  end = ended(player);
  const garbage = Readable.from([Buffer.from("no music here, ".repeat(5000))]);
  player.play({ kind: "stream", stream: garbage });
  t.is(await end, "failed");
  t.regex(errors.splice(0).join(), /^unsupported_format: /);
  t.is(bench.connection.status, "ready");
  const sequences = witness.packets.map(({ sequence }) => sequence);
  t.true(
    sequences.every((value, at) => at === 0 || value === (((sequences[at - 1] ?? 0) + 1) & 0xffff)),
  );
  t.is(other.player.playing, true);
});

test("a stream that is late says so, and goes on when its bytes come", async (t) => {
  const engine = new Engine({ stallMs: 200 });
  await using bench = await joined({ manager: { engine } });
  t.teardown(() => engine.close());
  const { player } = bench.connection;
  const said: string[] = [];
  const stream = new PassThrough();
  player.on("trackStarved", () => said.push("starved"));
  const stuck = new Promise<number>((resolve) =>
    player.once("trackStuck", (_track, forMs) => resolve(forMs)),
  );
  const end = ended(player);
  player.play({ kind: "pcm", stream });
  stream.write(new Uint8Array(10 * 3840));
  t.true((await stuck) >= 200);
  t.deepEqual(said, ["starved"]);
  const before = sounding(bench).length;
  stream.end(new Uint8Array(10 * 3840));
  t.is(await end, "finished");
  t.true(await silent(bench));
  t.true(sounding(bench).length >= before + 9);
});

test("what replaces or stops a stream lets go of it", async (t) => {
  await using bench = await joined();
  const { player } = bench.connection;
  const reasons: TrackEndReason[] = [];
  player.on("trackEnd", (_track, reason) => void reasons.push(reason));
  const streams = [0, 1, 2].map(() => new PassThrough());
  for (const stream of streams.slice(0, 2)) player.play({ kind: "pcm", stream });
  t.true(streams[0]?.destroyed);
  t.throws(() => player.seek(0), { code: "not_seekable" });
  player.play({ kind: "frames", frames: [Uint8Array.of(0xfc, 1)] });
  t.true(streams[1]?.destroyed);
  const last = streams[2];
  if (last) player.play({ kind: "pcm", stream: last });
  const end = ended(player);
  player.stop();
  t.true(last?.destroyed);
  t.is(await end, "replaced");
  while (reasons.length < 4) await ended(player);
  t.deepEqual(reasons, ["replaced", "replaced", "replaced", "stopped"]);
});

test("encoder settings change while samples play", async (t) => {
  await using bench = await joined();
  const { player } = bench.connection;
  player.setEncoder({ bitrate: 256_000, signal: "music" });
  player.play({ kind: "pcm", stream: noise() });
  t.true(await bench.hears(60));
  const before = average(
    sounding(bench)
      .slice(20)
      .map((frame) => frame.length),
  );
  t.true(Math.abs((before * 8 * 50) / 256_000 - 1) < 0.3, `${before} bytes`);
  player.setEncoder({ bitrate: 24_000, expectedLossPercent: 10, complexity: 4, fec: true });
  const small = ({ packets }: { packets: readonly { opus: Uint8Array }[] }): boolean =>
    packets.slice(-20).every(({ opus }) => opus.length < before / 3);
  t.true(await bench.listener.waitFor(small, 15_000));
  t.true(bench.engine.stats().encoding.encoded >= 80);
});

test("settings out of their ranges are refused and change nothing", async (t) => {
  await using bench = await joined();
  const { player } = bench.connection;
  for (const encoder of [
    { bitrate: 5999 },
    { bitrate: 510_001 },
    { bitrate: 64_000.5 },
    { complexity: 11 },
    { complexity: -1 },
    { expectedLossPercent: 101 },
    { fec: "yes" },
    { signal: "noise" },
    "best",
    null,
  ]) {
    const given = encoder as never;
    t.throws(() => player.setEncoder(given), { code: "invalid_argument" }, JSON.stringify(encoder));
  }
  const stream = new PassThrough();
  for (const format of [
    { channels: 0 },
    { channels: 9 },
    { sampleRate: 3999 },
    { sampleType: "u8" },
    "s16le",
  ]) {
    const source = { kind: "pcm", stream, format } as never;
    t.throws(() => player.play(source), { code: "invalid_argument" }, JSON.stringify(format));
  }
  for (const wrong of [undefined, 5, {}, "text"]) {
    const source = { kind: "stream", stream: wrong } as never;
    t.throws(() => player.play(source), { code: "invalid_argument" });
  }
  t.false(player.playing);
  t.false(stream.destroyed);
});

async function joined(options?: Parameters<typeof openBench>[0]): Promise<Bench> {
  const bench = await openBench(options);
  await bench.connection.join(bench.channelId);
  return bench;
}

function ended(player: Player): Promise<TrackEndReason> {
  return new Promise((resolve) => player.once("trackEnd", (_track, reason) => resolve(reason)));
}

function sounding({ listener }: Bench): number[][] {
  return listener.packets.filter(({ silence }) => !silence).map(({ opus }) => [...opus]);
}

/** Resolves when the five frames of silence after the last track were heard. */
function silent({ listener, connection }: Bench): Promise<boolean> {
  const over = (): boolean =>
    !connection.player.playing && listener.packets.slice(-5).every((packet) => packet.silence);
  return listener.waitFor(over, 15_000);
}

interface Shape {
  sampleType: "s16le" | "f32le";
  sampleRate: number;
  channels: number;
}

function sine(hz: number, seconds: number, { sampleType, sampleRate, channels }: Shape): Buffer {
  const wide = sampleType === "s16le" ? 2 : 4;
  const bytes = Buffer.alloc(seconds * sampleRate * channels * wide);
  for (let at = 0; at < bytes.length / wide; at++) {
    const value = 0.5 * Math.sin((2 * Math.PI * hz * Math.floor(at / channels)) / sampleRate);
    if (wide === 2) bytes.writeInt16LE(Math.round(value * 32_767), at * 2);
    else bytes.writeFloatLE(value, at * 4);
  }
  return bytes;
}

function* noise(): Generator<Uint8Array> {
  let seed = 1;
  for (;;) {
    const samples = new Int16Array(1920);
    for (const at of samples.keys()) {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      samples[at] = (seed >>> 18) - 8192;
    }
    yield new Uint8Array(samples.buffer);
  }
}

function cut(bytes: Buffer, size: number): Buffer[] {
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

/** Sign changes of the left channel. */
function crossings(samples: Int16Array): number {
  let count = 0;
  for (let at = 2; at < samples.length; at += 2) {
    if ((samples[at] ?? 0) >= 0 !== (samples[at - 2] ?? 0) >= 0) count += 1;
  }
  return count;
}

function average(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}
