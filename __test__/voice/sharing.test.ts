/** One player for many calls, through the simulator: the same bytes for everybody, encoded once, whoever comes, goes or is lost. */

import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { Listener } from "../../ts/simulator/index.ts";
import type { VoiceConnection } from "../../ts/voice/connection.ts";
import type { SharedPlayer } from "../../ts/voice/shared-player.ts";
import { musicLike, wavFile } from "../support/wav.ts";
import { type Bench, openBench, tune } from "./bench.ts";

interface Seat {
  connection: VoiceConnection;
  listener: Listener;
}

test("everybody hears the same packets, and they were encoded once", async (t) => {
  const path = await music(t, 2);
  await using bench = await openBench();
  const seats = await connect(bench, 5);
  using shared = bench.manager.createSharedPlayer();
  for (const { connection } of seats) shared.add(connection);
  const before = bench.engine.stats().encoding.encoded;
  const end = ended(shared);
  shared.player.play({ kind: "file", path });
  t.is(await end, "finished");
  const encoded = bench.engine.stats().encoding.encoded - before;
  t.true(encoded >= 95 && encoded <= 110, `${encoded} frames were encoded for 100 periods`);
  for (const { listener } of seats) {
    t.true(await listener.waitFor(({ packets }) => packets.slice(-5).every((p) => p.silence)));
  }
  const heard = seats.map(({ listener }) => sounding(listener));
  const everything = new Set(heard.flat());
  t.true(everything.size <= encoded, "nobody hears a packet of its own");
  for (const frames of heard) {
    // On a busy machine a call may miss a period, and goes on with the others.
    t.true(frames.length >= 80, `${frames.length} packets`);
    const common = frames.filter((frame) => heard.every((other) => other.includes(frame)));
    t.true(common.length >= frames.length * 0.8, `${common.length} of ${frames.length}`);
  }
  const ssrcs = new Set(seats.map(({ listener }) => listener.packets[0]?.ssrc));
  t.is(ssrcs.size, 5, "each call sends under its own name");
});

test("who joins late hears what the others hear; who leaves falls silent alone", async (t) => {
  await using bench = await openBench();
  const [stays, leaves, comes] = (await connect(bench, 3)) as [Seat, Seat, Seat];
  using shared = bench.manager.createSharedPlayer();
  shared.add(stays.connection);
  shared.add(leaves.connection);
  shared.player.play({ kind: "file", path: tune });
  t.true(await more(leaves, 20));
  shared.add(comes.connection);
  t.true(await more(comes, 20));
  shared.remove(leaves.connection);
  const silent = ({ packets }: Listener): boolean => packets.slice(-5).every((p) => p.silence);
  t.true(await leaves.listener.waitFor(silent));
  const left = leaves.listener.packets.length;
  t.true(await more(stays, 30));
  t.is(leaves.listener.packets.length, left);
  const all = sounding(stays.listener);
  for (const { listener } of [leaves, comes]) {
    // Each begins and ends at its own turns, a frame or two apart.
    const part = sounding(listener).slice(3, -3);
    const places = part.map((frame) => all.indexOf(frame)).filter((place) => place >= 0);
    t.true(places.length > part.length / 2, `${places.length} of ${part.length} frames`);
    const rising = places.every((place, n) => n === 0 || place > (places[n - 1] ?? 0));
    t.true(rising, "in the order in which the first one heard them");
  }
  t.true(unbroken(stays.listener), "nobody who comes or goes is heard by the others");
  leaves.connection.player.play({ kind: "file", path: tune }, { endMs: 400 });
  t.true(await more(leaves, 20), "it can play something of its own");
});

test("a call can go from frames of its own to the shared player and back", async (t) => {
  await using bench = await openBench();
  const [seat] = (await connect(bench, 1)) as [Seat];
  using shared = bench.manager.createSharedPlayer();
  const frame = Uint8Array.of(0xfc, 1, 2, 3);
  const own = digest(frame);
  seat.connection.player.play({
    kind: "provider",
    provider: { provideOpusFrame: () => frame },
  });
  t.true(await more(seat, 10));
  shared.player.play({ kind: "file", path: tune });
  shared.add(seat.connection);
  t.true(await seat.listener.waitFor((heard) => sounding(heard).at(-1) !== own));
  t.true(await more(seat, 30));
  t.false(sounding(seat.listener).slice(-20).includes(own));
  seat.connection.player.play({ kind: "provider", provider: { provideOpusFrame: () => frame } });
  t.true(await seat.listener.waitFor((heard) => sounding(heard).at(-1) === own));
  t.deepEqual(shared.connections, []);
});

test("connections that are destroyed, thrown out or paused disturb nobody", async (t) => {
  await using bench = await openBench();
  const [stays, destroyed, kicked, paused] = (await connect(bench, 4)) as [Seat, Seat, Seat, Seat];
  using shared = bench.manager.createSharedPlayer();
  for (const { connection } of [stays, destroyed, kicked, paused]) shared.add(connection);
  shared.player.play({ kind: "file", path: tune });
  for (const seat of [stays, destroyed, kicked, paused]) t.true(await more(seat, 10));
  await destroyed.connection.destroy();
  kicked.connection.leave();
  paused.connection.player.pause();
  const silent = ({ packets }: Listener): boolean => packets.slice(-5).every((p) => p.silence);
  t.true(await paused.listener.waitFor(silent));
  t.true(await more(stays, 30));
  paused.connection.player.resume();
  t.true(await more(paused, 20), "it goes on at the live position");
  t.deepEqual(shared.connections.includes(destroyed.connection), false);
  t.true(unbroken(stays.listener));
  const everything = sounding(stays.listener);
  const resumed = sounding(paused.listener).slice(-15);
  t.true(resumed.some((frame) => everything.includes(frame)));
});

test("a stream of samples that breaks off is told once, and the next track is heard by all", async (t) => {
  await using bench = await openBench();
  const seats = await connect(bench, 3);
  using shared = bench.manager.createSharedPlayer();
  for (const { connection } of seats) shared.add(connection);
  const errors: string[] = [];
  shared.player.on("trackError", (_track, { code }) => void errors.push(code));
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(30 * 3840);
    throw new Error("lost");
  }
  let end = ended(shared);
  shared.player.play({ kind: "pcm", stream: broken() });
  t.is(await end, "failed");
  t.deepEqual(errors, ["provider_failed"]);
  const counts = seats.map(({ listener }) => listener.packets.length);
  end = ended(shared);
  shared.player.play({ kind: "file", path: tune }, { endMs: 600 });
  t.is(await end, "finished");
  for (const [at, { listener }] of seats.entries()) {
    t.true(await listener.waitFor(({ packets }) => packets.length >= (counts[at] ?? 0) + 28));
  }
});

test("closing the shared player ends everybody's sound and no connection", async (t) => {
  await using bench = await openBench();
  const seats = await connect(bench, 2);
  const shared = bench.manager.createSharedPlayer();
  for (const { connection } of seats) shared.add(connection);
  shared.player.play({ kind: "file", path: tune });
  for (const seat of seats) t.true(await more(seat, 10));
  shared.close();
  for (const { connection, listener } of seats) {
    t.true(await listener.waitFor(({ packets }) => packets.slice(-5).every((p) => p.silence)));
    t.is(connection.status, "ready");
  }
  await bench.manager.close();
  t.throws(() => bench.manager.createSharedPlayer(), { code: "manager_closed" });
});

async function music(t: ExecutionContext, seconds: number): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-shared-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, "music.wav");
  await writeFile(path, wavFile(musicLike(seconds, 48_000), 48_000, 2));
  return path;
}

/** So many calls of one bot, each in a guild of its own with somebody who listens. */
async function connect(bench: Bench, count: number): Promise<Seat[]> {
  return await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const place = { guildId: `${bench.guildId}${at}`, channelId: `${bench.channelId}${at}` };
      const connection = bench.manager.connection(place.guildId);
      const listener = bench.simulator.listen(place);
      await connection.join(place.channelId);
      return { connection, listener };
    }),
  );
}

function more({ listener }: Seat, count: number): Promise<boolean> {
  const target = listener.packets.length + count;
  return listener.waitFor(() => listener.packets.length >= target, 15_000);
}

function sounding({ packets }: Listener): string[] {
  return packets.filter(({ silence }) => !silence).map(({ opus }) => digest(opus));
}

function digest(opus: Uint8Array): string {
  return createHash("sha256").update(opus).digest("base64").slice(0, 12);
}

/** Whether no number is left out or comes twice; when packets leave is the machine's business here. */
function unbroken({ packets }: Listener): boolean {
  return packets.every((packet, at) => {
    const before = packets[at - 1];
    return !before || packet.sequence === ((before.sequence + 1) & 0xffff);
  });
}

function ended({ player }: SharedPlayer): Promise<string> {
  return new Promise((resolve) => player.once("trackEnd", (_track, reason) => resolve(reason)));
}
