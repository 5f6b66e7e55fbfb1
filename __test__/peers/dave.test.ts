/** @discordjs/voice and simulated members in one end-to-end encrypted call hear each other while others come and go. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import test from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import { DiscordSimulator, type SimMember } from "../../ts/simulator/index.ts";
import { discordjsGuest, node22 } from "./discordjs-call.ts";

const track = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const room = { guildId: "41771983423143937", channelId: "127121515262115840" };
const GUEST = "852892297661906993";
/** It speaks in clear before it has keys, and drops the last of the five silence frames it has prepared. */
const OWN_WAYS = ["dave_plaintext", "silence_missing", "timestamp_behind_clock"];

test.before((t) => {
  if (!existsSync(node22)) t.fail("the peers are missing: run `node __test__/peers/install.mjs`");
});

test("@discordjs/voice and a member hear each other through ten joins and leaves", async (t) => {
  await using simulator = await DiscordSimulator.start({ tls: true, daveProtocolVersion: 1 });
  const alice = simulator.member(room);
  const guest = await discordjsGuest(
    simulator,
    { ...room, userId: GUEST },
    { track, listenTo: alice.userId },
  );
  t.true(await alice.ready(30_000));
  const sent = new Set((oggOpusPackets(await readFile(track)) ?? []).map(hex));
  const company: SimMember[] = [];
  const said: string[] = [];
  for (let change = 0; change < 10; change++) {
    if (change % 3 === 2) company.shift()?.leave();
    else company.push(simulator.member(room));
    t.true(await settled(simulator, [alice, ...company]), `change ${change}`);
    const before = alice.heard.packets.length;
    t.true(await alice.heard.waitFor(({ packets }) => packets.length > before + 30, 30_000));
    const frame = Buffer.concat([Buffer.of(0x78), Buffer.from(`change ${change}`)]);
    said.push(hex(frame));
    await alice.speak([frame, frame, frame]);
  }
  const report = await guest.stop();
  const sounding = alice.heard.packets.filter(({ silence }) => !silence);
  t.true(
    sounding.every(({ opus }) => sent.has(hex(opus))),
    "bit for bit what the file holds",
  );
  for (const frame of said) t.true(report.heard.includes(frame), frame);
  t.is(report.errors, 0);
  t.is(simulator.dave(room).counts.commits.invalid, 0);
  const problems = simulator.problems.filter(({ code }) => !OWN_WAYS.includes(code));
  t.deepEqual(problems, []);
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Whether all are in the present epoch, and no transition is pending. */
async function settled(simulator: DiscordSimulator, members: SimMember[]): Promise<boolean> {
  const isSettled = (): boolean => {
    const { epoch, pendingTransitions, members: leaves } = simulator.dave(room);
    const present = leaves.filter((member) => member !== undefined).length;
    return (
      pendingTransitions.length === 0 &&
      present === members.length + 1 &&
      members.every(({ dave }) => dave?.epoch === epoch)
    );
  };
  return (await members[0]?.heard.waitFor(isSettled, 30_000)) ?? false;
}
