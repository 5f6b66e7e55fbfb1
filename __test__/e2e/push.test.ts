/** Sound that a client pushes over its WebSocket, at the ear. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import test from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import { guild_id, type LiveNode, liveNode } from "../support/live-node.ts";
import { levelOf, pitchOf } from "../support/measure.ts";

const tune = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const RATE = 44_100;
/** Bytes of a 20 ms frame. */
const FRAME_BYTES = (RATE / 50) * 4;

/** Sends sound whenever the node wants some; gives false at its end. */
function pump(bench: LiveNode, next: (frames: number) => Buffer | undefined): void {
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(guild_id), 2);
  bench.client.socket.on("message", (data) => {
    const { d } = JSON.parse(String(data)) as { d: { type: string; frames: number } };
    if (d.type !== "push_wanted") return;
    const sound = next(d.frames);
    if (!sound) return bench.client.raw(JSON.stringify({ op: "push_end", d: { guild_id } }));
    for (let at = 0; at < sound.length; at += 48_000) {
      bench.client.raw(Buffer.concat([head, sound.subarray(at, at + 48_000)]));
    }
  });
}

test("samples are heard at their pitch, filters change them, and their end is the track's", async (t) => {
  const bench = await liveNode(t);
  await bench.connect();
  let at = 0;
  let ended = false;
  pump(bench, (frames) => {
    if (ended) return undefined;
    const sound = Buffer.alloc(frames * FRAME_BYTES);
    for (let byte = 0; byte < sound.length; byte += 4, at++) {
      const value = Math.round(10_000 * Math.sin((2 * Math.PI * 1000 * at) / RATE));
      sound.writeInt16LE(value, byte);
      sound.writeInt16LE(value, byte + 2);
    }
    return sound;
  });
  await bench.done("push", { format: "s16le", sample_rate: RATE, track_id: "tone" });
  t.like(await bench.client.next("track_start"), { track_id: "tone", codec: "pcm", length: null });
  const loud = await bench.heard(100);
  await bench.done("set_filter", { filters: { volume: 0.5 } });
  const from = await bench.heard(60);
  const to = await bench.heard(60);
  const before = bench.sound(20, loud);
  const after = bench.sound(from, to);
  t.true(Math.abs(pitchOf(before) - 1000) < 1, `${pitchOf(before)} Hz`);
  t.true(Math.abs(levelOf(before, 1000) - 10_000 / 32_768) < 0.01, `${levelOf(before, 1000)}`);
  const gain = levelOf(after, 1000) / levelOf(before, 1000);
  t.true(Math.abs(gain - Math.tan(0.79 * 0.5)) < 0.01, `${gain}`);
  const metrics = await (await fetch(`http://127.0.0.1:${bench.node.port}/metrics`)).text();
  const decoding = /^cadenza_thread_seconds_total\{work="decode"\} ([\d.e-]+)$/m.exec(metrics)?.[1];
  t.true(Number(decoding) > 0, metrics);
  t.regex(metrics, /^cadenza_encoder_complexity (\d|10)$/m);
  ended = true;
  t.like(await bench.client.next("track_end"), { track_id: "tone", reason: "finished" });
  t.deepEqual(bench.listener.problems, []);
});

test("Opus packets are heard bit for bit, and a pause of the client is a pause of the sound", async (t) => {
  const bench = await liveNode(t);
  await bench.connect();
  const packets = (oggOpusPackets(await readFile(tune)) ?? []).slice(0, 150);
  let at = 0;
  pump(bench, (frames) => {
    if (at === packets.length) return undefined;
    const parts = packets.slice(at, at + frames).flatMap((packet) => {
      return [Buffer.from([packet.length >> 8, packet.length & 0xff]), Buffer.from(packet)];
    });
    at = Math.min(packets.length, at + frames);
    return Buffer.concat(parts);
  });
  await bench.done("push", { format: "opus" });
  t.like(await bench.client.next("track_start"), { codec: "opus", passthrough: true });
  t.is((await bench.client.next("track_end")).reason, "finished");
  const heard = bench.listener.packets.filter(({ silence }) => !silence);
  t.deepEqual(
    heard.map(({ opus }) => opus.toString("hex")),
    packets.map((packet) => Buffer.from(packet).toString("hex")),
  );
  t.deepEqual(bench.listener.problems, []);
});

test("a client that stops pushing leaves a gap, and goes on when it likes", async (t) => {
  const bench = await liveNode(t);
  await bench.connect();
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(guild_id), 2);
  const second = Buffer.alloc(50 * FRAME_BYTES, 1);
  const push = (): void => {
    for (let at = 0; at < second.length; at += 48_000) {
      bench.client.raw(Buffer.concat([head, second.subarray(at, at + 48_000)]));
    }
  };
  await bench.done("push", { format: "s16le", sample_rate: RATE });
  push();
  await bench.client.next("track_start");
  const quiet = (): boolean => bench.listener.packets.at(-1)?.silence === true;
  await bench.listener.waitFor(quiet, 60_000);
  const dry = bench.listener.packets.length;
  push();
  await bench.heard(40);
  t.true(bench.listener.packets.slice(dry).filter(({ silence }) => !silence).length >= 30);
  await bench.done("push_end");
  t.is((await bench.client.next("track_end")).reason, "finished");
});
