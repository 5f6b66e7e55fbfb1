/** End-to-end encrypted calls of the voice library: heard by members that encrypt with another implementation. */

import { readFile } from "node:fs/promises";
import test from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import { toneFrames } from "../../ts/simulator/index.ts";
import type { EncryptionState } from "../../ts/voice/encryption.ts";
import { channelId, guildId, openBench, tune, userId } from "./bench.ts";
import { encrypted, FRIEND, hears, hex, music, OTHER, room, state } from "./encrypted-call.ts";

test("a member who decrypts with another implementation hears the track bit for bit", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId);
  bench.connection.player.play({ kind: "file", path: tune });
  await hears(friend, 100);
  const packets = await frames();
  t.deepEqual(music(friend).slice(0, 100), packets.slice(0, 100), "from the first frame on");
  t.is(friend.heard.stats().unopened, 0);
  t.deepEqual(bench.simulator.problems, []);
  const { protocolVersion, ready, members, privacyCode } = bench.connection.encryption.state;
  t.deepEqual({ protocolVersion, ready }, { protocolVersion: 1, ready: true });
  t.deepEqual([...members].sort(), [userId, FRIEND].sort());
  t.is(privacyCode, friend.dave?.privacyCode);
});

test("both ends of a pair compute the same verification code; a stranger has none", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId);
  await state(bench, ({ members }) => members.includes(FRIEND));
  const { encryption } = bench.connection;
  t.is(await encryption.verificationCode(FRIEND), await friend.verificationCode(userId));
  await t.throwsAsync(encryption.verificationCode(OTHER), { code: "dave_not_a_member" });
});

test("members come and go while the track plays, and no frame is lost to those who stay", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId);
  bench.connection.player.play({ kind: "file", path: tune });
  await hears(friend, 20);
  for (let round = 0; round < 5; round++) {
    const guest = bench.simulator.member({ ...room, userId: OTHER });
    await state(bench, ({ members }) => members.includes(OTHER));
    await hears(guest, 10);
    guest.leave();
    await state(bench, ({ members }) => !members.includes(OTHER));
  }
  const count = music(friend).length;
  await hears(friend, count + 20);
  const packets = await frames();
  t.deepEqual(music(friend), packets.slice(0, music(friend).length));
  t.is(friend.heard.stats().unopened, 0);
  t.deepEqual(bench.simulator.problems, []);
});

test("down to no encryption and up again in the middle of a track: in order, and never in clear while encrypted", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId);
  bench.connection.player.play({ kind: "file", path: tune });
  await hears(friend, 20);
  bench.simulator.dave(room).downgrade();
  await state(bench, ({ protocolVersion, ready }) => protocolVersion === 0 && ready);
  await hears(friend, music(friend).length + 20);
  bench.simulator.dave(room).upgrade();
  await state(bench, ({ protocolVersion, ready }) => protocolVersion === 1 && ready);
  await hears(friend, music(friend).length + 20);
  const packets = await frames();
  let at = -1;
  for (const frame of music(friend)) {
    const next = packets.indexOf(frame, at + 1);
    t.true(next > at, "every frame is the track's, and later than the one before");
    at = next;
  }
  t.false(bench.simulator.problems.some(({ code }) => code === "dave_plaintext"));
});

test("what members say in an encrypted call is heard bit for bit, also when somebody has left", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  const guest = bench.simulator.member({ ...room, userId: OTHER });
  await bench.connection.join(channelId, { selfDeaf: false });
  const { receiver } = bench.connection;
  let packets = receiver.subscribe({ users: FRIEND });
  await state(bench, ({ members }) => members.length === 3);
  t.true(await friend.ready());
  const said = toneFrames({ seconds: 0.5 });
  await friend.speak(said, { tail: false });
  t.deepEqual(await take(packets, said.length), said.map(hex));
  guest.leave();
  await state(bench, ({ members }) => members.length === 2);
  t.true(await friend.ready());
  packets = receiver.subscribe({ users: FRIEND });
  await friend.speak(said, { tail: false });
  t.deepEqual(await take(packets, said.length), said.map(hex));
  const opened = bench.connection.encryption.stats()?.opened;
  t.like(opened, { noKey: 0, malformed: 0, authentication: 0, replay: 0, unencrypted: 0 });
});

test("a bot that refuses encryption is told why it was refused", async (t) => {
  const manager = { gateway: { endToEndEncryption: false } };
  await using bench = await openBench({ ...encrypted, manager });
  await t.throwsAsync(bench.connection.join(channelId), { code: "closed_e2ee_required" });
  t.is(bench.connection.status, "disconnected");
});

test("a stage plays without encryption", async (t) => {
  await using bench = await openBench(encrypted);
  bench.simulator.guild(guildId).setStage(channelId);
  await bench.connection.join(channelId);
  bench.connection.player.play({ kind: "file", path: tune });
  t.true(await bench.hears(20));
  t.is(bench.connection.encryption.state.protocolVersion, 0);
});

test("a resumed session keeps its group, and a new one builds another", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId);
  bench.connection.player.play({ kind: "file", path: tune });
  await hears(friend, 20);
  const lost: EncryptionState[] = [];
  bench.connection.encryption.on("change", (now) => {
    if (!now.ready) lost.push(now);
  });
  bench.simulator.faults.cutSocket(guildId);
  await bench.reached("resuming");
  await bench.reached("ready");
  t.deepEqual(lost, []);
  await hears(friend, music(friend).length + 20);
  bench.simulator.faults.closeWith({ guildId, userId }, 4006);
  await bench.until(() => bench.connection.status !== "ready");
  await bench.reached("ready");
  await hears(friend, music(friend).length + 20);
  t.true(lost.length > 0);
  t.is(friend.heard.stats().unopened, 0);
});

/** So many of the next packets, as hexadecimal digits. */
async function take(
  packets: AsyncIterable<{ opus: Uint8Array }>,
  count: number,
): Promise<string[]> {
  const taken: string[] = [];
  for await (const { opus } of packets) {
    taken.push(hex(opus));
    if (taken.length === count) break;
  }
  return taken;
}

/** The frames of the track. */
async function frames(): Promise<string[]> {
  return oggOpusPackets(await readFile(tune))?.map(hex) ?? [];
}
