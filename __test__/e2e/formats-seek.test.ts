/** Every container and codec that the node plays: from an op to the ear, sought in on the way, from files and servers. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { liveNode } from "../support/live-node.ts";
import { FIXTURES, mediaServer, sendFiles } from "../support/media-server.ts";
import { musicLike, wavFile } from "../support/wav.ts";

/** A file, its codec, its milliseconds, and whether its packets are sent as they are. */
const FORMATS: [file: string, codec: string, lengthMs: number, passthrough: boolean][] = [
  ["stereo-20ms.opus", "opus", 1200, true],
  ["stereo-60ms.opus", "opus", 1200, true],
  ["stereo-44100.ogg", "vorbis", 2000, false],
  ["mono-48000.oga", "flac", 1000, false],
  ["stereo-20ms.webm", "opus", 1200, true],
  ["mono-20ms.mka", "opus", 2000, true],
  ["stereo-vorbis.webm", "vorbis", 2000, false],
  ["stereo-44100.mp3", "mp3", 2000, false],
  ["mono-48000.mp3", "mp3", 2000, false],
  ["stereo-44100.aac", "aac", 2000, false],
  ["stereo-44100.m4a", "aac", 2000, false],
  ["stereo-48000-faststart.m4a", "aac", 2000, false],
  ["stereo-44100-fragmented.mp4", "aac", 2000, false],
  ["stereo-20ms.mp4", "opus", 1200, true],
  ["mono-44100-alac.m4a", "alac", 600, false],
  ["mono-44100.flac", "flac", 1000, false],
  ["stereo-48000.flac", "flac", 400, false],
  ["mono-44100.aiff", "pcm", 400, false],
  ["tone.wav", "pcm", 1000, false],
  ["he-stereo-44100.aac", "aac", 2136, false],
  ["he-stereo-44100.m4a", "aac", 2136, false],
  ["he-v2-44100.aac", "aac", 2182, false],
  ["stereo-48000.mp2", "mp2", 816, false],
  ["mono-44100.caf", "alac", 600, false],
  ["mono-32000-pcm.caf", "pcm", 400, false],
  ["mono-32000-64bit.wav", "pcm", 400, false],
  ["mono-32000-ima.wav", "adpcm", 1020, false],
  ["mono-32000-ms.wav", "adpcm", 1018, false],
];

async function folderOf(t: ExecutionContext, file: string): Promise<string> {
  if (file !== "tone.wav") return FIXTURES;
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, file), wavFile(musicLike(1, 44_100), 44_100, 2));
  return folder;
}

/** Plays to the end, then once more with a seek to the middle; all is counted in packets. */
async function playAndSeek(t: ExecutionContext, file: string, url: string, folder: string) {
  const bench = await liveNode(t, { allowed_folders: [folder] });
  const { client, listener } = bench;
  const [, codec, lengthMs, passthrough] = FORMATS.find(([name]) => name === file) ?? [];
  const frames = Number(lengthMs) / 20;
  const sounding = (from: number): number =>
    listener.packets.slice(from).filter(({ silence }) => !silence).length;
  await bench.connect();
  await bench.play(url);
  t.like(await client.next("track_start"), { codec, passthrough });
  t.is((await client.next("track_end")).reason, "finished");
  const whole = sounding(0);
  t.true(whole >= frames - 1 && whole <= frames + 7, `${whole} packets of ${frames}`);
  await bench.play(url);
  await client.next("track_start");
  await bench.done("set_pause_state", { state: true });
  const quiet = (): boolean => listener.packets.at(-1)?.silence === true;
  await listener.waitFor(quiet, 60_000);
  await bench.done("set_position", { position: Number(lengthMs) / 2 });
  const from = listener.packets.length;
  await bench.done("set_pause_state", { state: false });
  t.is((await client.next("track_end")).reason, "finished");
  const rest = sounding(from);
  t.true(rest >= frames / 2 - 4 && rest <= frames / 2 + 7, `${rest} packets after the seek`);
  const ends = client.events.filter((event) => event.type === "track_error");
  t.deepEqual(ends, []);
  t.deepEqual(listener.problems, []);
}

for (const [file] of FORMATS) {
  test(`${file} plays and seeks from a file`, async (t) => {
    const folder = await folderOf(t, file);
    await playAndSeek(t, file, join(folder, file), folder);
  });

  test(`${file} plays and seeks from a server`, async (t) => {
    const folder = await folderOf(t, file);
    const server = await mediaServer(t, sendFiles(folder));
    await playAndSeek(t, file, `${server}/${file}`, folder);
  });
}
