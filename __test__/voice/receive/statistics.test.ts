/** What a call's statistics say about receiving, against what was sent and what was done to it on the way. */

import test from "ava";
import { type LinkDecision, toneFrames } from "../../../ts/simulator/index.ts";
import { openBench } from "../bench.ts";

const FRAMES = toneFrames({ seconds: 1 });

test("loss, concealment, duplicates and refused packets are counted in the call's statistics", async (t) => {
  await using bench = await openBench();
  const { simulator, guildId, channelId, connection } = bench;
  const member = simulator.member({ guildId, channelId, firstSequence: 0 });
  await connection.join(channelId);
  const { received: before } = connection.statistics();
  t.like(before, { packets: 0, lost: 0, lossShare: 0, jitterMs: 0, remote: undefined, users: [] });
  const fates = new Map<number, LinkDecision>([
    [10, "drop"],
    [20, "drop"],
    [30, "corrupt"],
  ]);
  simulator.faults.link.decide = ({ sequence }): LinkDecision => fates.get(sequence) ?? "pass";
  connection.receiver.subscribe({ format: { sampleRate: 8000, channels: 1 } });
  await member.speak(FRAMES, { intervalMs: 5 });
  member.send(FRAMES[0] ?? Buffer.alloc(0), { payloadType: 101 });
  simulator.faults.sendRtcp({ guildId, userId: bench.userId });
  const isAllIn = (): boolean => {
    const { packets, lost, dropped, remote } = connection.statistics().received;
    const isCounted = dropped.foreignPayload === 1 && remote !== undefined;
    return packets === FRAMES.length + 5 - 2 && lost === 3 && isCounted;
  };
  const deadline = performance.now() + 30_000;
  while (!isAllIn() && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { received } = connection.statistics();
  t.true(isAllIn(), JSON.stringify(received));
  t.like(received, { lost: 3, late: 0, duplicate: 0, fecRecovered: 0, concealedMs: 60 });
  t.is(received.packets, FRAMES.length + 5 - 2, "the damaged one came, too");
  t.is(received.lossShare, 3 / (FRAMES.length + 5));
  t.true(received.bytes > FRAMES.reduce((sum, { length: bytes }) => sum + bytes, 0) * 0.9);
  t.true(received.jitterMs >= 0);
  t.is(received.decryptFailures.transport.authentication, 1);
  t.is(received.decryptFailures.endToEnd.authentication, 0);
  t.like(received.dropped, { foreignPayload: 1, filtered: 0, queueFull: 0, batches: 0 });
  t.deepEqual(
    received.users.map(({ userId }) => userId),
    [member.userId],
  );
  await connection.destroy();
  t.like(connection.statistics().received, { packets: 0, lost: 0, users: [] });
});
