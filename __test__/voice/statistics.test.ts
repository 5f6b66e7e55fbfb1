/** The statistics of a call against what the simulator counted of it. */

import test from "ava";
import { openBench, tune } from "./bench.ts";

test("one call reads everything, and the counts are the simulator's", async (t) => {
  await using bench = await openBench({ simulator: { heartbeatIntervalMs: 100 } });
  const { connection } = bench;
  const before = connection.statistics();
  t.is(before.gateway.status, "unconnected");
  t.is(before.gateway.lastMs, undefined);
  t.is(before.sent.packets, 0);
  await connection.join(bench.channelId);
  const ping = new Promise<void>((resolve) => connection.once("ping", () => resolve()));
  const ended = new Promise<void>((resolve) => connection.player.once("trackEnd", () => resolve()));
  connection.player.play({ kind: "file", path: tune }, { endMs: 500 });
  await Promise.all([ping, ended]);
  const isOver = (): boolean => {
    const { packets } = bench.listener;
    const five = packets.slice(-5).every(({ silence }) => silence);
    return five && packets.length === connection.statistics().sent.packets;
  };
  t.true(await bench.listener.waitFor(() => bench.listener.packets.length > 20 && isOver()));
  const { gateway, udp, sent } = connection.statistics();
  t.is(gateway.status, "ready");
  t.true((gateway.lastMs ?? -1) >= 0 && (gateway.averageMs ?? -1) >= 0);
  t.is(sent.packets, bench.listener.packets.length);
  t.is(sent.silence, bench.listener.packets.filter(({ silence }) => silence).length);
  const opus = bench.listener.packets.reduce((sum, packet) => sum + packet.opus.length, 0);
  t.true(sent.bytes > opus, "headers and tags count, too");
  t.is(sent.queueFrames, 0);
  t.is(udp.sendErrors, 0);
  await connection.destroy();
  t.is(connection.statistics().sent.packets, 0);
});

test("the UDP round trip comes from keepalives, also while nothing plays", async (t) => {
  t.timeout(120_000);
  await using bench = await openBench();
  await bench.connection.join(bench.channelId);
  const deadline = performance.now() + 60_000;
  while (bench.connection.statistics().udp.rttMs === undefined && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.true((bench.connection.statistics().udp.rttMs ?? -1) >= 0);
});
