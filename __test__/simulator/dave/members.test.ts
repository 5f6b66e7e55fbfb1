/** Members whom the simulator plays in an end-to-end encrypted channel, alone and beside a client of the tests' own. */

import Module from "node:module";
import test from "ava";
import { openFrame, parseFrame } from "../../../ts/simulator/dave/frame-codec.ts";
import {
  DiscordSimulator,
  type SimMember,
  type SimulatorOptions,
  toneFrames,
} from "../../../ts/simulator/index.ts";
import { PLACE } from "../client.ts";
import { untimed } from "../untimed.ts";
import { DaveyClient, until } from "./davey-client.ts";

const start = (options: SimulatorOptions = {}) =>
  DiscordSimulator.start({ daveProtocolVersion: 1, ...options });
const frame = (text: string): Buffer => Buffer.concat([Buffer.of(0x78), Buffer.from(text)]);

test("members hear each other's frames bit for bit; the server hears ciphertext", async (t) => {
  await using simulator = await start();
  const tap = simulator.listen(PLACE);
  const [alice, bob, carol] = await call(simulator, 3);
  const frames = toneFrames({ seconds: 0.3, frequencyHz: 440 });
  await alice?.speak(frames);
  for (const listener of [bob, carol]) {
    const sounding = listener?.heard.packets.filter(({ silence }) => !silence) ?? [];
    t.deepEqual(
      sounding.map(({ opus }) => opus),
      frames.map((opus) => Buffer.from(opus)),
    );
    t.is(listener?.heard.stats().unopened, 0);
    t.true((listener?.heard.pcm() ?? []).some((sample) => Math.abs(sample) > 1000));
  }
  const sealed = tap.packets.filter(({ silence }) => !silence);
  t.is(sealed.length, frames.length);
  t.true(sealed.every(({ opus }) => parseFrame(opus) !== undefined));
  t.true(sealed.every(({ opus }) => openFrame(Buffer.alloc(16), opus) === undefined));
  t.is(tap.packets.filter(({ silence }) => silence).length, 5, "silence stays in clear");
});

test("a client and a member understand each other", async (t) => {
  await using simulator = await start();
  const bot = await DaveyClient.join(simulator);
  const [alice] = await call(simulator, 1);
  await until(() => bot.isInGroup, "the client");
  t.is(alice?.dave?.privacyCode, bot.dave.voicePrivacyCode);
  bot.say(frame("from the bot"));
  t.true(await alice?.heard.waitFor(({ packets }) => packets.length > 0));
  t.deepEqual(alice?.heard.packets[0]?.opus, frame("from the bot"));
  await alice?.speak([frame("from alice")]);
  await until(() => bot.heard.length > 0, "alice is heard");
  t.deepEqual(bot.heard, [{ userId: alice?.userId ?? "", opus: frame("from alice") }]);
  t.deepEqual(untimed(simulator.problems), []);
});

test("both of a pair see the same verification code, all the same privacy code", async (t) => {
  await using simulator = await start();
  const [alice, bob] = await call(simulator, 2);
  const codes = await Promise.all([
    alice?.verificationCode(bob?.userId ?? ""),
    bob?.verificationCode(alice?.userId ?? ""),
  ]);
  t.regex(codes[0] ?? "", /^\d{45}$/);
  t.is(codes[0], codes[1]);
  t.is(alice?.dave?.privacyCode.length, 30);
  t.is(alice?.dave?.privacyCode, bob?.dave?.privacyCode);
});

test("who is alone holds its voice; nothing goes out in clear", async (t) => {
  await using simulator = await start();
  const tap = simulator.listen(PLACE);
  const alice = simulator.member(PLACE);
  t.false(await alice.ready(200));
  await alice.speak([frame("alone"), frame("still alone")], { intervalMs: 0 });
  t.is(alice.dave?.counts.held, 2);
  t.deepEqual(
    tap.packets.map(({ silence }) => silence),
    Array(5).fill(true),
  );
});

test("frames in clear, of a former epoch and forged ones, on demand", async (t) => {
  await using simulator = await start();
  const [alice, bob] = await call(simulator, 2);
  t.true(await settled(simulator, [alice, bob]));
  await alice?.speak([frame("first")], { tail: false });
  const former = alice?.seal(frame("former"));
  const [carol] = await call(simulator, 1);
  t.true(await settled(simulator, [alice, bob, carol]));
  const before = bob?.heard.packets.length ?? 0;
  alice?.send(former ?? Buffer.alloc(0), { encryption: "as_is" });
  t.deepEqual(bob?.heard.packets.at(-1)?.opus, frame("former"));
  t.is(carol?.heard.stats().unopened, 1, "who came later cannot know the former key");
  alice?.send(frame("in clear"), { encryption: "as_is" });
  const sealed = alice?.seal(frame("forged")) ?? Buffer.alloc(0);
  sealed[0] = (sealed[0] ?? 0) ^ 1;
  alice?.send(sealed, { encryption: "as_is" });
  alice?.send(frame("stranger"), { ssrc: 999_999 });
  t.is(bob?.heard.packets.length, before + 2);
  t.is(bob?.heard.stats().unopened, 2);
});

test("a member without encryption brings a call down where that is allowed", async (t) => {
  await using simulator = await start({ daveRequired: false });
  const [alice, bob] = await call(simulator, 2);
  const old = simulator.member({ ...PLACE, dave: false });
  t.is(old.dave, undefined);
  t.true(await alice?.heard.waitFor(() => alice.dave?.version === 0 && bob?.dave?.version === 0));
  await alice?.speak([frame("in clear")], { tail: false });
  t.deepEqual(
    old.heard.packets.map(({ opus }) => opus),
    [frame("in clear")],
  );
  old.leave();
  t.true(await alice?.heard.waitFor(() => alice.dave?.version === 1 && bob?.dave?.version === 1));
  await bob?.speak([frame("encrypted")], { tail: false });
  t.deepEqual(alice?.heard.packets.at(-1)?.opus, frame("encrypted"));
});

test("a member who is moved joins the other channel's group", async (t) => {
  await using simulator = await start();
  const there = { ...PLACE, channelId: "127121515262115999" };
  const [alice, bob] = await call(simulator, 2);
  const carol = simulator.member(there);
  simulator.guild(PLACE.guildId).move(bob?.userId ?? "", there.channelId);
  t.true(await carol.ready());
  t.true(await bob?.ready());
  await bob?.speak([frame("here I am")], { tail: false });
  t.deepEqual(
    carol.heard.packets.map(({ opus }) => opus),
    [frame("here I am")],
  );
  t.is(alice?.dave?.isReady, false, "who is left alone begins anew");
});

test("an earlier commit of one's own wins: its sender starts again, for nobody can go back to it", async (t) => {
  await using simulator = await start();
  const members = await call(simulator, 3);
  t.true(await settled(simulator, members));
  const { dave } = simulator.faults;
  dave.oldCommitsFirst = true;
  dave.holdsCommits = true;
  // A commit that removes somebody has a path of random keys: no two of them are alike.
  members.pop()?.leave();
  const commits = (): number[] => members.map((member) => member.dave?.counts.commits ?? 0);
  const before = commits();
  const made = (count: number) => () =>
    commits().every((now, at) => now >= (before[at] ?? 0) + count);
  t.true(await members[0]?.heard.waitFor(made(1)));
  const passer = simulator.member(PLACE);
  t.true(await members[0]?.heard.waitFor(made(2)));
  passer.leave();
  t.true(await members[0]?.heard.waitFor(made(3)));
  dave.holdsCommits = false;
  const isOver = (): boolean => simulator.dave(PLACE).counts.failures === 1;
  t.true(await members[0]?.heard.waitFor(isOver));
  const isOne = (): boolean => new Set(members.map((m) => m.dave?.privacyCode)).size === 1;
  t.true(await members[0]?.heard.waitFor(() => isOne() && members[0]?.dave?.isReady === true));
  await members[1]?.speak([frame("one group")], { tail: false });
  t.deepEqual(members[0]?.heard.packets.at(-1)?.opus, frame("one group"));
});

test("fifty join at once: one message of Adds, one commit", async (t) => {
  await using simulator = await start();
  simulator.faults.dave.transitionTimeoutMs = 60_000;
  const [alice, bob] = await call(simulator, 2);
  simulator.faults.dave.proposalDelayMs = 15_000;
  const crowd = Array.from({ length: 48 }, () => simulator.member(PLACE));
  for (const member of crowd) t.true(await member.ready(90_000));
  t.is(simulator.dave(PLACE).members.length, 50);
  t.is(simulator.dave(PLACE).epoch, 2);
  t.true(await settled(simulator, [alice, bob, ...crowd]));
  await bob?.speak([frame("hello all")], { tail: false });
  t.true(crowd.every(({ heard }) => heard.packets.at(-1)?.opus.equals(frame("hello all"))));
});

test("random joins and leaves: outside of transitions everybody hears everything", async (t) => {
  await using simulator = await start({ seed: 77 });
  const members = await call(simulator, 3);
  let seed = 12345;
  const below = (limit: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed % limit;
  };
  for (let round = 0; round < 25; round++) {
    if (members.length < 3 || (members.length < 7 && below(2) === 0)) {
      members.push(simulator.member(PLACE));
    } else members.splice(below(members.length), 1)[0]?.leave();
    t.true(await settled(simulator, members), `round ${round}`);
    const speaker = members[below(members.length)];
    await speaker?.speak([frame(`round ${round}`)], { tail: false });
    for (const member of members.filter((other) => other !== speaker)) {
      t.deepEqual(member.heard.packets.at(-1)?.opus, frame(`round ${round}`));
      t.is(member.heard.stats().unopened, 0);
    }
  }
  t.is(simulator.dave(PLACE).counts.failures, 0);
  t.is(simulator.dave(PLACE).counts.commits.invalid, 0);
  t.deepEqual(untimed(simulator.problems), []);
});

test.serial(
  "without @snazzah/davey a member of an encrypted channel is refused with its name",
  async (t) => {
    await using simulator = await start();
    const resolver = Module as unknown as { _resolveFilename: (...args: unknown[]) => string };
    const genuine = resolver._resolveFilename;
    resolver._resolveFilename = (...args) => {
      if (args[0] === "@snazzah/davey")
        throw Object.assign(new Error("Cannot find module '@snazzah/davey'"), {
          code: "MODULE_NOT_FOUND",
        });
      return genuine(...args);
    };
    t.teardown(() => {
      resolver._resolveFilename = genuine;
    });
    const error = t.throws(() => simulator.member(PLACE), { code: "package_missing" });
    t.regex(error?.message ?? "", /npm install @snazzah\/davey/);
    t.is(simulator.guild(PLACE.guildId).members(PLACE.channelId).length, 0);
    simulator.guild(PLACE.guildId).setStage("5");
    t.notThrows(() => simulator.member({ ...PLACE, channelId: "5" }));
  },
);

async function call(simulator: DiscordSimulator, size: number): Promise<SimMember[]> {
  const members: SimMember[] = [];
  for (let count = 0; count < size; count++) members.push(simulator.member(PLACE));
  const isReady = (): boolean => members.every(({ dave }) => dave?.isReady);
  await members[0]?.heard.waitFor(() => isReady(), 20_000);
  return members;
}

/** Whether all come to be in the same epoch, with no transition pending. */
async function settled(
  simulator: DiscordSimulator,
  members: readonly (SimMember | undefined)[],
): Promise<boolean> {
  const [first] = members;
  const isSettled = (): boolean => {
    const room = simulator.dave(PLACE);
    const present = room.members.filter((member) => member !== undefined);
    return (
      room.pendingTransitions.length === 0 &&
      present.length === members.length &&
      members.every((member) => member?.dave?.epoch === room.epoch)
    );
  };
  return (await first?.heard.waitFor(isSettled, 60_000)) ?? false;
}
