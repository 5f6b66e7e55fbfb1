/** The recording example, as its bot uses it, and disgo's file format from what was heard. */

import { createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import test, { type ExecutionContext } from "ava";
import { listing, recordSpeakers } from "../../../examples/record-speakers.ts";
import { toneFrames } from "../../../ts/simulator/index.ts";
import { OpusWriter } from "../../../ts/voice/opus-writer.ts";
import { openBench } from "../bench.ts";
import { readWav } from "./opus-oracle.ts";

const FRAMES = toneFrames({ seconds: 1 });
const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);

async function folderOf(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-example-"));
  t.teardown(() => rm(folder, { recursive: true }));
  return folder;
}

test("the example writes a WAV file for each speaker", async (t) => {
  const folder = join(await folderOf(t), "recordings/1");
  await using bench = await openBench();
  const place = { guildId: bench.guildId, channelId: bench.channelId };
  const members = [bench.simulator.member(place), bench.simulator.member(place)];
  await bench.connection.join(bench.channelId, { selfDeaf: false });
  const recording = await recordSpeakers(bench.connection, folder);
  await Promise.all(members.map((member) => member.speak(FRAMES)));
  const files = await recording.stop();
  t.is(files.length, 2);
  for (const member of members) {
    const { rate, channels, samples } = readWav(
      await readFile(join(folder, `${member.userId}.wav`)),
    );
    t.deepEqual([rate, channels], [48_000, 1]);
    t.true(samples.some((sample) => Math.abs(sample) > 5000));
    t.regex(listing(files), new RegExp(`${member.userId}: .*, \\d+\\.\\d s`));
  }
  t.is(listing([]), "Nobody said anything.");
});

test("an OpusWriter on a connection writes what disgo's would, of those whom the filter admits", async (t) => {
  const path = join(await folderOf(t), "frames.opus");
  await using bench = await openBench();
  const place = { guildId: bench.guildId, channelId: bench.channelId };
  const [wanted, other] = [bench.simulator.member(place), bench.simulator.member(place)];
  await bench.connection.join(bench.channelId);
  const file = createWriteStream(path);
  const writer = new OpusWriter(file);
  let written = 0;
  const counting = {
    receiveOpusFrame: (userId: string, packet: Parameters<OpusWriter["receiveOpusFrame"]>[1]) => {
      writer.receiveOpusFrame(userId, packet);
      written += 1;
    },
    close: () => writer.close(),
  };
  bench.connection.setOpusFrameReceiver(counting, (userId) => userId === wanted.userId);
  await Promise.all([wanted, other].map((member) => member.speak(FRAMES, { intervalMs: 5 })));
  const deadline = performance.now() + 60_000;
  while (written < FRAMES.length + 5 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  bench.connection.setOpusFrameReceiver(undefined);
  file.end();
  await finished(file);
  const sent = [...FRAMES, ...Array<Buffer>(5).fill(SILENCE)];
  t.deepEqual(await readFile(path), Buffer.concat(sent.flatMap(prefixed)));
  t.true(bench.connection.receiver.stats().filtered > 0);
});

/** u32 little endian, then the frame, as Go's `binary.Write` and `Write` put them. */
function prefixed(frame: Buffer): Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(frame.length);
  return [length, frame];
}
