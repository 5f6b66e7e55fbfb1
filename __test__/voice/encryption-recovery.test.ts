/** Encrypted calls in trouble: a cut in the middle of a transition, a move, and members who send what nobody can decrypt. */

import { randomBytes } from "node:crypto";
import test from "ava";
import { toneFrames } from "../../ts/simulator/index.ts";
import { channelId, guildId, openBench, tune, userId } from "./bench.ts";
import { encrypted, FRIEND, hears, hex, music, OTHER, room, state } from "./encrypted-call.ts";

const NEXT_CHANNEL = "127121515262115841";

test("a session that is cut in the middle of a transition is resumed, and the transition with it", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId);
  const executed: number[] = [];
  const { encryption } = bench.connection;
  encryption.on("transition", ({ transitionId }) => executed.push(transitionId));
  bench.connection.player.play({ kind: "file", path: tune });
  await hears(friend, 20);
  bench.simulator.faults.dave.executes = "never";
  const guest = bench.simulator.member({ ...room, userId: OTHER });
  await state(bench, ({ members }) => members.includes(OTHER));
  const [transition = 0] = bench.simulator.dave(room).pendingTransitions;
  t.false(executed.includes(transition));
  bench.simulator.faults.cutSocket(guildId);
  await bench.reached("resuming");
  bench.simulator.faults.dave.executes = "when_ready";
  await bench.reached("ready");
  // Another change; what the server said meanwhile was replayed in its order.
  guest.leave();
  await state(bench, ({ members }) => !members.includes(OTHER));
  await hears(friend, music(friend).length + 20);
  t.is(friend.heard.stats().unopened, 0);
  t.is(encryption.state.privacyCode, friend.dave?.privacyCode);
  t.is(encryption.stats()?.recoveries, 0);
});

test("messages of the group that were lost with the connection are replayed to it", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId);
  bench.connection.player.play({ kind: "file", path: tune });
  await hears(friend, 20);
  const before = bench.connection.encryption.state.epoch;
  bench.simulator.faults.cutSocket(guildId);
  // Ops 11, 27 and 29 go to a connection that is gone.
  bench.simulator.member({ ...room, userId: OTHER });
  await bench.until(() => bench.connection.status !== "ready");
  await bench.reached("ready");
  await state(bench, ({ members }) => members.includes(OTHER));
  t.not(bench.connection.encryption.state.epoch, before);
  await hears(friend, music(friend).length + 20);
  t.is(friend.heard.stats().unopened, 0);
  t.is(bench.connection.encryption.stats()?.recoveries, 0);
});

test("a move to another channel is another group", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId);
  bench.connection.player.play({ kind: "file", path: tune });
  await hears(friend, 10);
  const other = bench.simulator.member({ guildId, channelId: NEXT_CHANNEL, userId: OTHER });
  await bench.connection.join(NEXT_CHANNEL);
  await state(bench, ({ members }) => members.includes(OTHER));
  await hears(other, 20);
  t.is(other.heard.stats().unopened, 0);
  t.false(bench.connection.encryption.state.members.includes(FRIEND));
  t.is(bench.connection.encryption.state.privacyCode, other.dave?.privacyCode);
});

test("a flood that nobody can decrypt is counted, the speaker between it is heard, and nobody starts again", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  await bench.connection.join(channelId, { selfDeaf: false });
  await state(bench, ({ members, ready }) => ready && members.includes(FRIEND));
  t.true(await friend.ready());
  const heard = bench.connection.receiver.subscribe({ users: FRIEND });
  const frames = toneFrames({ seconds: 1 });
  friend.announce();
  for (const frame of frames) {
    friend.send(frame);
    for (let forged = 0; forged < 10; forged++) {
      friend.send(garbage(), { encryption: "as_is", sequence: 40_000 });
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const taken: string[] = [];
  for await (const { opus } of heard) {
    taken.push(hex(opus));
    if (taken.length === frames.length) break;
  }
  t.deepEqual(taken, frames.map(hex));
  const stats = bench.connection.encryption.stats();
  t.true((stats?.opened.authentication ?? 0) >= 400, JSON.stringify(stats?.opened));
  t.is(stats?.recoveries, 0);
  const { decryptFailures } = bench.connection.statistics().received;
  t.is(decryptFailures.endToEnd.authentication, stats?.opened.authentication);
});

test("when nothing at all can be decrypted, the group is joined anew, and our own sound goes on", async (t) => {
  await using bench = await openBench(encrypted);
  const friend = bench.simulator.member({ ...room, userId: FRIEND });
  const listener = bench.simulator.member({ ...room, userId: OTHER });
  await bench.connection.join(channelId, { selfDeaf: false });
  await state(bench, ({ members, ready }) => ready && members.length === 3);
  t.true(await friend.ready());
  bench.connection.player.play({ kind: "file", path: tune });
  await hears(listener, 10);
  const heard = bench.connection.receiver.subscribe({ users: FRIEND });
  const { encryption } = bench.connection;
  const isAnew = (): boolean => (encryption.stats()?.recoveries ?? 0) > 0;
  friend.announce();
  const deadline = performance.now() + 30_000;
  while (!isAnew() && performance.now() < deadline) {
    friend.send(garbage(), { encryption: "as_is" });
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  t.is(encryption.stats()?.recoveries, 1);
  await state(bench, ({ members, ready }) => ready && members.length === 3);
  await listener.heard.waitFor(() => listener.dave?.epoch === encryption.state.epoch, 30_000);
  t.is(encryption.state.privacyCode, listener.dave?.privacyCode);
  t.true(await friend.ready());
  await friend.speak(toneFrames({ seconds: 0.5 }), { tail: false, intervalMs: 5 });
  const said = new Set(toneFrames({ seconds: 0.5 }).map(hex));
  let count = 0;
  for await (const { opus } of heard) {
    if (said.has(hex(opus))) count += 1;
    if (count === 20) break;
  }
  await hears(listener, music(listener).length + 20);
  const ours = listener.heard.packets.filter((packet) => packet.userId === userId);
  const isWhole = ours.every(({ sequence }, at) => {
    const before = ours[at - 1];
    return !before || sequence === ((before.sequence + 1) & 0xffff);
  });
  t.true(isWhole, "what we said could always be opened");
});

/** What looks like an encrypted frame with a nonce of three bytes, and is none. */
function garbage(): Buffer {
  const [low = 0, middle = 0] = randomBytes(2);
  return Buffer.concat([
    randomBytes(60),
    Buffer.of(0x80 | low, 0x80 | middle, 1, 0x0e, 0xfa, 0xfa),
  ]);
}
