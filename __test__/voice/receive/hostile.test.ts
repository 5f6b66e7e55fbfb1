/** Everything that a voice server or a stranger can send: counted, bounded, and heard sound is unharmed. */

import test from "ava";
import { type LinkDecision, toneFrames } from "../../../ts/simulator/index.ts";
import { openBench } from "../bench.ts";

const FRAMES = toneFrames({ seconds: 1 });
const [FRAME = Buffer.alloc(0)] = FRAMES;

test("garbage, strangers, foreign types, unknown streams, broken reports: a speaker is heard all the same", async (t) => {
  await using bench = await openBench();
  const { simulator, guildId, channelId, connection } = bench;
  const member = simulator.member({ guildId, channelId });
  await connection.join(channelId);
  const packets: Buffer[] = [];
  connection.setOpusFrameReceiver({
    receiveOpusFrame: (userId, { opus }) => {
      if (userId === member.userId) packets.push(Buffer.from(opus));
      throw new Error("a receiver that throws hears on");
    },
  });
  const target = { guildId, userId: bench.userId };
  member.announce();
  for (const frame of FRAMES) {
    member.send(frame);
    member.send(frame, { payloadType: 101, sequence: 1 });
    member.send(frame, { ssrc: 0xdead, sequence: 2 });
    member.send(Buffer.alloc(0), { sequence: 3, padding: 9 });
    member.send(frame, { sequence: 4, padding: "too_large" });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  simulator.faults.sendGarbage(target);
  simulator.faults.sendGarbage(target, "stranger");
  simulator.faults.sendRtcp(target);
  simulator.faults.sendRtcp(target, { isBroken: true });
  const stats = await until(connection, ({ rtcp, rtcpUnreadable, garbage }) => {
    return rtcp > 0 && rtcpUnreadable > 0 && garbage > 0 && packets.length >= FRAMES.length;
  });
  t.deepEqual(packets.slice(0, FRAMES.length), FRAMES);
  t.true(stats.foreignPayload >= 50 && stats.empty >= 50, JSON.stringify(stats));
  t.true((stats.transportFailures.padding ?? 0) >= 1, JSON.stringify(stats));
  t.truthy(stats.remote);
  t.is(stats.queueDropped + stats.batchesDropped, 0);
  await until(connection, ({ unknownSsrc }) => unknownSsrc >= 50);
  t.is(connection.status, "ready");
});

test("damaged packets are refused by their tag and concealed", async (t) => {
  await using bench = await openBench();
  const { simulator, guildId, channelId, connection } = bench;
  const member = simulator.member({ guildId, channelId, firstSequence: 0 });
  await connection.join(channelId);
  simulator.faults.link.decide = ({ sequence }): LinkDecision =>
    sequence % 10 === 5 ? "corrupt" : "pass";
  let concealed = 0;
  let length = 0;
  const heard = connection.receiver.subscribe({ format: { sampleRate: 8000, channels: 1 } });
  await member.speak(FRAMES, { intervalMs: 5 });
  for await (const piece of heard) {
    t.is(piece.samples.length, piece.durationSamples / 6);
    length += piece.durationSamples;
    if (piece.concealed) concealed += piece.durationSamples;
    if (length === 55 * 960) break;
  }
  // The one among the silence frames at the end belongs to them: packet 45 is the last that was not quiet.
  t.is(concealed, 5 * 960);
  const { transportFailures } = connection.receiver.stats();
  t.is((transportFailures.authentication ?? 0) + (transportFailures.malformed_header ?? 0), 5);
});

test("a listener that takes nothing costs a bounded queue, and a stream drops the oldest", async (t) => {
  await using bench = await openBench();
  const { simulator, guildId, channelId, connection } = bench;
  const member = simulator.member({ guildId, channelId });
  await connection.join(channelId);
  const lazy = connection.receiver.subscribe({ users: member.userId, maxQueue: 10 });
  const stream = connection.receiver.stream(member.userId, { maxPendingBytes: 3840 * 10 });
  await member.speak(FRAMES, { intervalMs: 2 });
  await until(connection, () => lazy.dropped >= 45 && stream.droppedBytes > 0);
  lazy.close();
  const left = [];
  for await (const packet of lazy) left.push(packet);
  t.is(left.length, 10);
  t.true(left.at(-1)?.silent);
  stream.destroy();
});

test("a stream of samples is filled with silence and ends after it when asked", async (t) => {
  await using bench = await openBench();
  const { simulator, guildId, channelId, connection } = bench;
  const member = simulator.member({ guildId, channelId, firstSequence: 0, firstTimestamp: 0 });
  await connection.join(channelId);
  const format = { sampleRate: 16_000, channels: 1 } as const;
  const stream = connection.receiver.stream(member.userId, { format, endAfterSilenceMs: 3000 });
  member.announce();
  const silence = Buffer.from([0xf8, 0xff, 0xfe]);
  member.send(FRAME);
  member.send(silence);
  // Nearly a second later by the sender's clock, without waiting for them.
  member.send(FRAME, { sequence: 2, timestamp: 43_200 });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  t.is(bytes.length, (900 + 20) * 32);
  t.true(bytes.subarray(40 * 32, 900 * 32).every((byte) => byte === 0));
  t.false(bytes.subarray(900 * 32).every((byte) => byte === 0));
});

test("a filter that throws hears nobody, options that cannot be are refused", async (t) => {
  await using bench = await openBench();
  const { receiver } = bench.connection;
  const sampleRate = 44_100 as 48_000;
  t.throws(() => receiver.subscribe({ format: { sampleRate, channels: 2 } }), {
    code: "invalid_argument",
  });
  t.throws(() => receiver.subscribe({ users: "somebody" }), { code: "invalid_argument" });
  t.throws(() => receiver.subscribe({ signal: AbortSignal.abort() }), { code: "aborted" });
  await bench.connection.destroy();
  t.throws(() => receiver.subscribe(), { code: "receiver_closed" });
  t.throws(() => receiver.stats(), { code: "receiver_closed" });
});

type Connection = Awaited<ReturnType<typeof openBench>>["connection"];
type Stats = ReturnType<Connection["receiver"]["stats"]>;

async function until(connection: Connection, holds: (stats: Stats) => boolean): Promise<Stats> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const stats = connection.receiver.stats();
    if (holds(stats)) return stats;
    if (performance.now() > deadline) throw new Error(JSON.stringify(stats));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
