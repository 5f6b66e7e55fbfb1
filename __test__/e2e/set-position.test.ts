/** What a client is told of the position when it moves, by a real engine. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { NodeEvent, PlayerInfo } from "../../ts/node/ops/protocol.ts";
import { liveNode } from "../support/live-node.ts";
import { wavFile } from "../support/wav.ts";

const RATE = 48_000;

/** A node, and a file of half a minute that it may play. */
async function withFile(t: ExecutionContext) {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  const file = join(folder, "tone.wav");
  const tone = new Float64Array(30 * RATE).map((_, at) => 0.2 * Math.sin(at / 20));
  await writeFile(file, wavFile(tone, RATE, 1));
  const bench = await liveNode(t, {
    allowed_folders: [folder],
    player_update_interval_ms: 60_000,
  });
  return { bench, file };
}

const isUpdate = (event: NodeEvent): event is NodeEvent & { type: "player_update" } =>
  event.type === "player_update";

test("the player_update of a set_position tells the new position", async (t) => {
  const { bench, file } = await withFile(t);
  await bench.connect();
  await bench.play(file);
  await bench.heard(20);
  for (const position of [20_000, 0, 7_000]) {
    const from = bench.client.events.length;
    await bench.done("set_position", { position });
    const updates = bench.client.events.slice(from).filter(isUpdate);
    t.is(updates.at(-1)?.position, position);
    await bench.heard(10);
    const { result } = await bench.done("get_player");
    const now = (result as PlayerInfo).position;
    t.true(now >= position && now < position + 5_000, `${now} ms`);
  }
});
