/** Recordings of simulated members: the sound is right, time is kept over losses and pauses, files fit together. */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { toneFrames } from "../../../ts/simulator/index.ts";
import { openBench } from "../bench.ts";
import { decodeAll, readOgg, readWav, snr, voiceFrames } from "./opus-oracle.ts";

const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);
/** Made beforehand: encoding would keep the thread busy while others are heard. */
const TONES = toneFrames({ seconds: 10 });
const VOICE = voiceFrames(4);
const TAIL = Array<Buffer>(5).fill(SILENCE);

async function start(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-receive-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const bench = await openBench();
  t.teardown(() => bench[Symbol.asyncDispose]());
  const place = { guildId: bench.guildId, channelId: bench.channelId };
  const member = bench.simulator.member({ ...place, firstSequence: 65_530 });
  await bench.connection.join(bench.channelId);
  // Until the core knows that this call is in clear, it takes nothing that is.
  await until(() => bench.connection.encryption.state.ready);
  const file = (name: string): string => join(folder, name);
  return { bench, member, place, receiver: bench.connection.receiver, file };
}

test("a clean recording is what an independent decoder hears, and the same packets as Ogg", async (t) => {
  const { member, receiver, file } = await start(t);
  const frames = TONES.slice(0, 100);
  const wav = receiver.record({ userId: member.userId, path: file("a.wav"), format: "wav" });
  const ogg = receiver.record({ userId: member.userId, path: file("a.ogg"), format: "ogg" });
  await member.speak(frames);
  await heardAll(receiver, frames.length + 5);
  const [written] = await wav.stop();
  await ogg.stop();
  const expected = decodeAll([...frames, ...TAIL]);
  const { rate, channels, samples } = readWav(await readFile(file("a.wav")));
  t.deepEqual([rate, channels, samples.length], [48_000, 2, expected.length]);
  t.true(snr(expected, samples) > 60, `${snr(expected, samples)} dB`);
  t.like(written, { path: file("a.wav"), userId: member.userId, durationMs: 2100 });
  const { packets, granule } = readOgg(await readFile(file("a.ogg")));
  t.deepEqual(packets, [...frames, ...TAIL]);
  t.is(granule, expected.length / 2);
});

test("over loss, jitter, duplicates and reordering a recording is as long as what was sent", async (t) => {
  const { bench, member, receiver, file } = await start(t);
  const frames = TONES;
  const recording = receiver.record({
    userId: member.userId,
    path: file("b.wav"),
    format: "wav",
    channels: 1,
    sampleRate: 16_000,
  });
  Object.assign(bench.simulator.faults.link, {
    lossShare: 0.02,
    duplicateShare: 0.02,
    swapShare: 0.02,
    delayMs: 20,
    jitterMs: 30,
    // The first and the last packet say how long it was.
    decide: ({ sequence }: { sequence: number }) =>
      sequence === 65_530 || sequence === (65_530 + 504) % 65_536 ? "pass" : undefined,
  });
  await member.speak(frames);
  await bench.listener.waitFor(({ packets }) => packets.length === frames.length + 5);
  await settled(receiver);
  await recording.stop();
  const { samples } = readWav(await readFile(file("b.wav")));
  const length = samples.length / 16;
  t.true(Math.abs(length - 10_100) <= 20, `${length} ms of 10,100`);
  const [stats] = receiver.stats().users;
  t.truthy(stats);
  t.true((stats?.lost ?? 0) > 2 && (stats?.duplicate ?? 0) > 2, JSON.stringify(stats));
  t.true((stats?.jitterMs ?? 0) > 2 && (stats?.waitMs ?? 0) >= 40, JSON.stringify(stats));
});

test("lost packets come back from the packet behind them where it holds a copy", async (t) => {
  const { bench, member, receiver, file } = await start(t);
  const frames = VOICE;
  const isLost = (frame: number): boolean => frame % 10 === 6 && frame < frames.length;
  bench.simulator.faults.link.decide = ({ sequence }) =>
    isLost((sequence - 65_530) & 0xffff) ? "drop" : "pass";
  const recording = receiver.record({ userId: member.userId, path: file("c.wav"), format: "wav" });
  await member.speak(frames, { tail: false });
  member.send(SILENCE);
  await settled(receiver);
  await recording.stop();
  const { samples } = readWav(await readFile(file("c.wav")));
  const expected = decodeAll([...frames, SILENCE]);
  t.is(samples.length, expected.length);
  const [stats] = receiver.stats().users;
  // The encoder leaves the copy out where it thinks that extrapolation will do.
  const { lost = 0, fecRecovered = 0, concealedMs = 0 } = stats ?? {};
  t.is(lost, 20);
  t.true(fecRecovered >= 10, `${fecRecovered}`);
  t.is(fecRecovered + concealedMs / 20, 20);
  const recovered = snr(expected, samples, isLost);
  t.true(recovered > 6, `${recovered} dB in the lost frames`);
});

test("without a copy they are extrapolated, and counted", async (t) => {
  const { bench, member, receiver, file } = await start(t);
  const frames = TONES.slice(0, 100);
  const isLost = (frame: number): boolean => frame === 20 || frame === 50 || frame === 51;
  bench.simulator.faults.link.decide = ({ sequence }) =>
    isLost((sequence - 65_530) & 0xffff) ? "drop" : "pass";
  const recording = receiver.record({ userId: member.userId, path: file("d.wav"), format: "wav" });
  await member.speak(frames);
  await settled(receiver);
  await recording.stop();
  const { samples } = readWav(await readFile(file("d.wav")));
  t.is(samples.length, 105 * 1920);
  t.like(receiver.stats().users[0], { lost: 3, fecRecovered: 0, concealedMs: 60 });
  const concealed = samples.subarray(20 * 1920, 21 * 1920);
  t.true(
    concealed.some((sample) => Math.abs(sample) > 3000),
    "it is no silence",
  );
});

test("each speaker's file begins and ends with the recording, and so does the mix of all", async (t) => {
  const { bench, member, place, receiver, file } = await start(t);
  const other = bench.simulator.member(place);
  const begun = performance.now();
  const each = receiver.record({ path: file("{user}.wav"), format: "wav", fromStart: true });
  const mix = receiver.record({ path: file("mix.wav"), format: "wav", channels: 1 });
  await member.speak(TONES.slice(0, 50));
  await other.speak(TONES.slice(50, 100));
  await settled(receiver);
  const files = [...(await each.stop()), ...(await mix.stop())];
  const lasted = performance.now() - begun;
  t.deepEqual(
    files.map(({ userId }) => userId),
    [member.userId, other.userId, undefined],
  );
  const lengths = await Promise.all(
    files.map(async ({ path }) => {
      const { samples, channels } = readWav(await readFile(path));
      return samples.length / channels / 48;
    }),
  );
  const [first = 0, second = 0] = lengths;
  t.true(Math.abs(first - second) < 1, `${lengths}`);
  t.true(
    lengths.every((length) => length <= lasted && length > 2200),
    `${lengths} of ${lasted} ms`,
  );
});

test("a recording that cannot be written says so; one that is under way ends with its connection", async (t) => {
  const { bench, member, receiver, file } = await start(t);
  const bad = receiver.record({ path: file("no/such/folder.wav"), format: "wav" });
  await t.throwsAsync(bad.done, { code: "recording_failed" });
  t.throws(() => receiver.record({ path: file("mix.ogg"), format: "ogg" }), {
    code: "invalid_argument",
  });
  t.throws(() => receiver.record({ path: "", format: "wav" }), { code: "invalid_argument" });
  const recording = receiver.record({ path: file("{user}.wav"), format: "wav" });
  const frames = TONES.slice(0, 25);
  await member.speak(frames);
  await heardAll(receiver, frames.length + 5);
  await bench.connection.destroy();
  const [written] = await recording.done;
  t.is(written?.durationMs, 600);
  t.is(readWav(await readFile(file(`${member.userId}.wav`))).samples.length, 30 * 1920);
  t.throws(() => receiver.record({ path: file("e.wav"), format: "wav" }), {
    code: "receiver_closed",
  });
});

type Receiver = Awaited<ReturnType<typeof start>>["receiver"];

/** Waits until so many packets were opened. */
async function heardAll(receiver: Receiver, count: number): Promise<void> {
  const opened = (): number =>
    receiver.stats().users.reduce((sum, { packets }) => sum + packets, 0);
  await until(() => opened() >= count).catch(() => {
    throw new Error(`not ${count} packets: ${JSON.stringify(receiver.stats())}`);
  });
}

/** Waits until no more packets come. */
async function settled(receiver: Receiver): Promise<void> {
  let last = -1;
  let quietSince = performance.now();
  await until(() => {
    const { packets } = receiver.stats();
    if (packets !== last) quietSince = performance.now();
    last = packets;
    return performance.now() - quietSince > 1000;
  });
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("it never came to that");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
