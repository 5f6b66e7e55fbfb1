/** Frames from JavaScript through a real call: bit for bit, silence and speaking by themselves, ends with reasons. */

import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import test from "ava";
import { OpusReader } from "../../ts/voice/opus-reader.ts";
import { opusFrameWriterStream } from "../../ts/voice/opus-writer.ts";
import type { TrackEndReason } from "../../ts/voice/player.ts";
import { type Bench, openBench, tune } from "./bench.ts";

const FRAMES = Array.from({ length: 60 }, (_, at) => Uint8Array.of(0xfc, at, at * 3, 7));

test("a provider's frames arrive bit for bit and in order, then five silence frames and Speaking 0", async (t) => {
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const end = ended(bench);
  const frames = [...FRAMES];
  let closed = 0;
  bench.connection.player.play({
    kind: "provider",
    provider: {
      provideOpusFrame: () => frames.shift() ?? null,
      close: () => {
        closed += 1;
      },
    },
  });
  t.is(await end, "finished");
  t.is(closed, 1);
  t.true(await bench.listener.waitFor(({ packets }) => packets.length >= FRAMES.length + 5));
  const heard = bench.listener.packets.map(({ opus }) => [...opus]);
  t.deepEqual(
    heard.slice(0, 60),
    FRAMES.map((frame) => [...frame]),
  );
  t.deepEqual(
    bench.listener.packets.slice(60).map(({ silence }) => silence),
    Array(5).fill(true),
  );
  t.deepEqual(bench.listener.problems, []);
});

test("a provider that pauses sends silence and Speaking 0, then Speaking 1 before it goes on", async (t) => {
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const queue = FRAMES.slice(0, 10);
  bench.connection.player.play({
    kind: "provider",
    provider: { provideOpusFrame: () => queue.shift() },
  });
  const { packets } = bench.listener;
  t.true(await bench.listener.waitFor(() => packets.length === 15));
  t.true(packets.slice(10).every(({ silence }) => silence));
  queue.push(...FRAMES.slice(10, 20));
  t.true(await bench.listener.waitFor(() => packets.length === 30));
  t.deepEqual([...(packets[15]?.opus ?? [])], [...(FRAMES[10] ?? [])]);
  const [before, after] = [packets[14], packets[15]];
  t.true(after !== undefined && before !== undefined && after.timestamp - before.timestamp >= 960);
  t.is(after?.sequence, ((before?.sequence ?? 0) + 1) & 0xffff);
  t.deepEqual(bench.listener.problems, []);
});

test("an async iterable plays to its end, a generator that throws fails its own track only", async (t) => {
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const { player } = bench.connection;
  const errors: string[] = [];
  player.on("trackError", (_track, { code }) => void errors.push(code));
  let end = ended(bench);
  player.play({ kind: "frames", frames: generate(FRAMES.slice(0, 5)) });
  t.is(await end, "finished");
  end = ended(bench);
  player.play({ kind: "frames", frames: generate(FRAMES.slice(0, 5), new Error("lost")) });
  t.is(await end, "failed");
  t.deepEqual(errors, ["provider_failed"]);
  t.is(bench.connection.status, "ready");
  end = ended(bench);
  player.play({ kind: "file", path: tune }, { endMs: 200 });
  t.is(await end, "finished", "the player goes on with something else");
});

test("tracks of both kinds replace each other, each says so, and a provider is told", async (t) => {
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const { player } = bench.connection;
  const ends: [number, TrackEndReason][] = [];
  player.on("trackEnd", (track, reason) => void ends.push([track, reason]));
  let closed = 0;
  const endless = () => ({
    provideOpusFrame: () => FRAMES[0],
    close: () => {
      closed += 1;
    },
  });
  player.play({ kind: "file", path: tune });
  t.true(await bench.hears(10));
  player.play({ kind: "provider", provider: endless() });
  t.true(await bench.hears(10));
  player.play({ kind: "provider", provider: endless() });
  t.true(await bench.hears(10));
  player.play({ kind: "file", path: tune });
  t.true(await bench.hears(10));
  player.play({ kind: "provider", provider: endless() });
  t.true(await bench.hears(10));
  t.true(player.positionMs > 0);
  t.throws(() => player.seek(0), { code: "not_seekable" });
  player.stop();
  t.deepEqual(ends, [
    [1, "replaced"],
    [2, "replaced"],
    [3, "replaced"],
    [4, "replaced"],
    [5, "stopped"],
  ]);
  t.is(closed, 3);
  t.false(player.playing);
});

test("pause holds a provider's frames, resume goes on with the next one", async (t) => {
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const { player } = bench.connection;
  const frames = [...FRAMES];
  player.play({ kind: "provider", provider: { provideOpusFrame: () => frames.shift() ?? null } });
  t.true(await bench.hears(10));
  player.pause();
  const { packets } = bench.listener;
  t.true(await bench.listener.waitFor(() => packets.slice(-5).every(({ silence }) => silence)));
  const end = ended(bench);
  player.resume();
  t.is(await end, "finished");
  const sounding = packets.filter(({ silence }) => !silence).map(({ opus }) => opus[1]);
  t.deepEqual(
    sounding,
    FRAMES.map((frame) => frame[1]),
  );
});

test("an OpusReader plays the file that an OpusWriter stream wrote", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-frames-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, "recording.dca");
  await pipeline(FRAMES, opusFrameWriterStream(), createWriteStream(path));
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const end = ended(bench);
  const provider = new OpusReader(createReadStream(path, { highWaterMark: 7 }));
  bench.connection.player.play({ kind: "provider", provider });
  t.is(await end, "finished");
  // A file that is read late on a busy machine leaves room for silence.
  const frames = (): Bench["listener"]["packets"] =>
    bench.listener.packets.filter(({ silence }) => !silence);
  t.true(await bench.listener.waitFor(() => frames().length >= FRAMES.length));
  const heard = frames().map(({ opus }) => [...opus]);
  t.deepEqual(
    heard,
    FRAMES.map((frame) => [...frame]),
  );
});

test("destroying the connection tells the provider", async (t) => {
  await using bench = await openBench();
  let closed = 0;
  bench.connection.player.play({
    kind: "provider",
    provider: {
      provideOpusFrame: () => FRAMES[0],
      close: () => {
        closed += 1;
      },
    },
  });
  await bench.connection.destroy();
  t.is(closed, 1);
});

async function* generate(
  frames: readonly Uint8Array[],
  failure?: Error,
): AsyncGenerator<Uint8Array> {
  for (const frame of frames) yield frame;
  if (failure) throw failure;
}

function ended({ connection }: Awaited<ReturnType<typeof openBench>>): Promise<TrackEndReason> {
  return new Promise((resolve) =>
    connection.player.once("trackEnd", (_track, reason) => resolve(reason)),
  );
}
