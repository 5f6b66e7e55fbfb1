/** Hearing simulated members over real sockets: bit for bit, in order, whose it is, and nothing after they leave. */

import test from "ava";
import { type SimMember, toneFrames } from "../../../ts/simulator/index.ts";
import type { ReceivedPacket } from "../../../ts/voice/receive/received.ts";
import type { AudioSubscription } from "../../../ts/voice/receive/subscription.ts";
import type { VoiceReceiver } from "../../../ts/voice/receive/voice-receiver.ts";
import { openBench } from "../bench.ts";

const SILENCE = Buffer.from([0xf8, 0xff, 0xfe]);
const FRAMES = toneFrames({ seconds: 1 });
const MODES = ["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"] as const;

for (const mode of MODES) {
  test(`${mode}: members are heard bit for bit, extensions and padding gone`, async (t) => {
    await using bench = await openBench({ manager: { gateway: { modes: [mode] } } });
    Object.assign(bench.simulator.faults.forwarded, { paddingShare: 0.5, csrcs: 2 });
    const [alice, bob] = members(bench, 2);
    await bench.connection.join(bench.channelId);
    const heard = bench.connection.receiver.subscribe();
    await Promise.all([
      alice.speak(FRAMES, { intervalMs: 5 }),
      bob.speak(FRAMES, { intervalMs: 5 }),
    ]);
    const packets = await take(heard, 2 * (FRAMES.length + 5), bench.connection.receiver);
    for (const member of [alice, bob]) {
      const own = packets.filter(({ userId }) => userId === member.userId);
      const opus = own.map((packet) => Buffer.from(packet.opus));
      t.deepEqual(opus, [...FRAMES, ...Array<Buffer>(5).fill(SILENCE)]);
      t.true(own.every(({ ssrc }) => ssrc === member.ssrc));
      t.deepEqual(
        own.map(({ position }) => position),
        own.map((_, at) => at * 960),
      );
      t.deepEqual(own.map(({ silent }) => silent).lastIndexOf(false), FRAMES.length - 1);
    }
    const stats = bench.connection.receiver.stats();
    t.is(stats.packets, packets.length);
    t.like(stats, { filtered: 0, unknownSsrc: 0, queueDropped: 0, batchesDropped: 0 });
    t.is(stats.users.length, 2);
    t.true(stats.users.every(({ lost, late, duplicate }) => lost + late + duplicate === 0));
  });
}

test("only those who were asked for are heard; the others are not decrypted", async (t) => {
  await using bench = await openBench();
  const [alice, bob] = members(bench, 2);
  await bench.connection.join(bench.channelId);
  const { receiver } = bench.connection;
  const asked: string[] = [];
  const byFilter = receiver.subscribe({
    users: (userId) => {
      asked.push(userId);
      return userId === bob.userId;
    },
  });
  const byId = receiver.subscribe({ users: bob.userId });
  await Promise.all([alice.speak(FRAMES, { intervalMs: 2 }), bob.speak(FRAMES, { intervalMs: 2 })]);
  for (const heard of [byFilter, byId]) {
    const packets = await take(heard, FRAMES.length, bench.connection.receiver);
    t.true(packets.every(({ userId }) => userId === bob.userId));
  }
  t.deepEqual([...new Set(asked)].sort(), [alice.userId, bob.userId].sort());
  t.true(receiver.stats().filtered >= FRAMES.length);
  t.deepEqual(
    receiver.stats().users.map(({ userId }) => userId),
    [bob.userId],
  );
});

test("who speaks is told by packets alone", async (t) => {
  await using bench = await openBench();
  const [alice] = members(bench, 1);
  await bench.connection.join(bench.channelId);
  const { receiver } = bench.connection;
  const told: [string, boolean][] = [];
  const stopped = new Promise<void>((resolve) => {
    receiver.on("speaking", (userId, speaking) => {
      told.push([userId, speaking]);
      if (!speaking) resolve();
    });
  });
  await alice.speak(FRAMES, { intervalMs: 5 });
  await stopped;
  // A machine that stands still looks like a pause, so there may be more than one stretch.
  t.true(
    told.every(([userId, speaking], at) => userId === alice.userId && speaking === (at % 2 === 0)),
  );
  t.is(receiver.speaking.size, told.length % 2);
});

test("a member who leaves and comes back is the same user under another SSRC", async (t) => {
  await using bench = await openBench();
  const [alice] = members(bench, 1);
  await bench.connection.join(bench.channelId);
  const heard = bench.connection.receiver.subscribe();
  await alice.speak(FRAMES, { intervalMs: 2 });
  const first = await take(heard, FRAMES.length + 5, bench.connection.receiver);
  alice.leave();
  await new Promise((resolve) => setImmediate(resolve));
  const again = bench.simulator.member({ ...place(bench), userId: alice.userId });
  await again.speak(FRAMES, { intervalMs: 2 });
  const second = await take(heard, FRAMES.length + 5, bench.connection.receiver);
  t.deepEqual(
    [...first, ...second].map(({ userId }) => userId).filter((id) => id !== alice.userId),
    [],
  );
  t.not(first[0]?.ssrc, second[0]?.ssrc);
  t.is(bench.connection.receiver.stats().users.length, 1);
});

test("subscriptions last over a server move and end with the connection", async (t) => {
  await using bench = await openBench();
  const [alice] = members(bench, 1);
  await bench.connection.join(bench.channelId);
  const heard = bench.connection.receiver.subscribe();
  await alice.speak(FRAMES, { intervalMs: 2 });
  await take(heard, FRAMES.length + 5, bench.connection.receiver);
  await bench.simulator.faults.moveServer(bench.guildId);
  await bench.reached("ready");
  const hears = take(heard, 10, bench.connection.receiver);
  while ((await Promise.race([hears, wait(200)])) === undefined)
    await alice.speak(FRAMES, { intervalMs: 2 });
  t.true((await hears).every(({ userId }) => userId === alice.userId));
  await bench.connection.destroy();
  let left = 0;
  for await (const _ of heard) left += 1;
  t.true(left >= 0 && heard.isClosed);
});

type World = Awaited<ReturnType<typeof openBench>>;

function place({ guildId, channelId }: World) {
  return { guildId, channelId };
}

function members(bench: World, count: 1): [SimMember];
function members(bench: World, count: 2): [SimMember, SimMember];
function members(bench: World, count: number): SimMember[] {
  return Array.from({ length: count }, () => bench.simulator.member(place(bench)));
}

function wait(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref());
}

/** The next packets; a failure says what came instead. */
async function take(
  from: AudioSubscription<ReceivedPacket>,
  count: number,
  receiver: VoiceReceiver,
): Promise<ReceivedPacket[]> {
  const packets: ReceivedPacket[] = [];
  const iterator = from[Symbol.asyncIterator]();
  while (packets.length < count) {
    const next = await Promise.race([iterator.next(), wait(30_000)]);
    if (!next)
      throw new Error(`${packets.length} of ${count}: ${JSON.stringify(receiver.stats())}`);
    if (next.done) break;
    packets.push(next.value);
  }
  return packets;
}
