/** Our library in an end-to-end encrypted call: members who encrypt with another implementation hear it bit for bit. */

import { readFile } from "node:fs/promises";
import test from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import type { HeardPacket, SimMember } from "../../ts/simulator/index.ts";
import { untimed } from "../simulator/untimed.ts";
import { type Bench, openBench, tune } from "../voice/bench.ts";

const open = () => openBench({ simulator: { daveProtocolVersion: 1, tls: false } });

test("a member hears the track bit for bit; the server hears ciphertext", async (t) => {
  await using bench = await open();
  const alice = member(bench);
  await bench.connection.join(bench.channelId);
  t.true(await alice.ready(30_000));
  await play(bench);
  t.true(await alice.heard.waitFor(({ packets }) => sounding(packets).length >= 150, 30_000));
  const sent = await trackPackets();
  const heard = sounding(alice.heard.packets).map(({ opus }) => hex(opus));
  const begin = sent.indexOf(heard[0] ?? "");
  t.true(begin >= 0);
  t.deepEqual(heard, sent.slice(begin, begin + heard.length));
  t.is(alice.heard.stats().unopened, 0);
  t.true(bench.listener.packets.every(({ silence, opus }) => silence || !sent.includes(hex(opus))));
  t.deepEqual(untimed(bench.simulator.problems), []);
});

test("nobody loses a frame of ours through ten joins and leaves", async (t) => {
  await using bench = await open();
  const alice = member(bench);
  await bench.connection.join(bench.channelId);
  t.true(await alice.ready(30_000));
  await play(bench);
  t.true(await alice.heard.waitFor(({ packets }) => sounding(packets).length > 10, 30_000));
  const company: SimMember[] = [];
  for (let change = 0; change < 10; change++) {
    if (change % 3 === 2) company.shift()?.leave();
    else company.push(member(bench));
    t.true(await settled(bench, [alice, ...company]), `change ${change}`);
    const before = alice.heard.packets.length;
    t.true(await alice.heard.waitFor(({ packets }) => packets.length > before + 10, 30_000));
  }
  t.is(alice.heard.stats().unopened, 0, "every frame could be opened");
  t.true(isWithoutGap(alice.heard.packets), "no sequence number is missing");
  t.is(bench.simulator.dave(bench).counts.commits.invalid, 0);
  t.is(bench.simulator.dave(bench).counts.failures, 0);
  t.deepEqual(untimed(bench.simulator.problems), []);
});

test("alone nothing leaves in clear; a newcomer hears the track", async (t) => {
  await using bench = await open();
  await bench.connection.join(bench.channelId);
  await play(bench);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  t.true(bench.listener.packets.every(({ silence }) => silence));
  const alice = member(bench);
  t.true(await alice.heard.waitFor(({ packets }) => sounding(packets).length > 50, 30_000));
  const sent = new Set(await trackPackets());
  t.true(sounding(alice.heard.packets).every(({ opus }) => sent.has(hex(opus))));
  t.deepEqual(untimed(bench.simulator.problems), []);
});

test("a downgrade and an upgrade in the middle of a track", async (t) => {
  await using bench = await open();
  const alice = member(bench);
  await bench.connection.join(bench.channelId);
  t.true(await alice.ready(30_000));
  await play(bench);
  const more = async (what: string): Promise<void> => {
    const before = sounding(alice.heard.packets).length;
    const isMore = (): boolean => sounding(alice.heard.packets).length > before + 20;
    t.true(await alice.heard.waitFor(isMore, 30_000), what);
  };
  await more("encrypted");
  bench.simulator.dave(bench).downgrade();
  t.true(await alice.heard.waitFor(() => alice.dave?.version === 0, 30_000));
  await more("in clear");
  bench.simulator.dave(bench).upgrade();
  t.true(await alice.heard.waitFor(() => alice.dave?.version === 1, 30_000));
  await more("encrypted again");
  t.is(alice.heard.stats().unopened, 0);
  const sent = new Set(await trackPackets());
  t.true(sounding(alice.heard.packets).every(({ opus }) => sent.has(hex(opus))));
  t.deepEqual(untimed(bench.simulator.problems), []);
});

test("a damaged commit is recovered from", async (t) => {
  await using bench = await open();
  const { dave } = bench.simulator.faults;
  const alice = member(bench);
  await bench.connection.join(bench.channelId);
  t.true(await alice.ready(30_000));
  await play(bench);
  dave.plan(29, "corrupt", bench.userId);
  const bob = member(bench);
  const { counts } = bench.simulator.dave(bench);
  t.is(counts.failures, 0);
  const isRecovered = (): boolean => bench.simulator.dave(bench).counts.failures === 1;
  t.true(await alice.heard.waitFor(isRecovered, 30_000));
  t.true(await settled(bench, [alice, bob]));
  const before = sounding(bob.heard.packets).length;
  const hears = (): boolean => sounding(bob.heard.packets).length > before + 20;
  t.true(await bob.heard.waitFor(hears, 30_000));
});

test("an older commit of ours wins: we start again, and end up in the group of the others", async (t) => {
  await using bench = await open();
  const { dave } = bench.simulator.faults;
  const alice = member(bench);
  await bench.connection.join(bench.channelId);
  const bob = member(bench);
  t.true(await settled(bench, [alice, bob]));
  await play(bench);
  dave.oldCommitsFirst = true;
  dave.holdsCommits = true;
  dave.preferredUserId = bench.userId;
  const sent = (): number => bench.connection.encryption.stats()?.commitsSent ?? 0;
  const first = sent();
  const commits = (count: number) => () => sent() >= first + count;
  bob.leave();
  t.true(await alice.heard.waitFor(commits(1), 30_000));
  const passer = member(bench);
  t.true(await alice.heard.waitFor(commits(2), 30_000));
  passer.leave();
  t.true(await alice.heard.waitFor(commits(3), 30_000));
  await bench.hears(5);
  dave.holdsCommits = false;
  const isOver = (): boolean => bench.simulator.dave(bench).counts.failures === 1;
  t.true(await alice.heard.waitFor(isOver, 30_000));
  t.true(await settled(bench, [alice]));
  t.is(bench.connection.encryption.state.privacyCode, alice.dave?.privacyCode);
  const before = sounding(alice.heard.packets).length;
  const hears = (): boolean => sounding(alice.heard.packets).length > before + 20;
  t.true(await alice.heard.waitFor(hears, 30_000));
});

function member(bench: Bench): SimMember {
  return bench.simulator.member({ guildId: bench.guildId, channelId: bench.channelId });
}

/** Plays the tune over and over. */
async function play(bench: Bench): Promise<void> {
  const { player } = bench.connection;
  const again = (): unknown => player.play({ kind: "file", path: tune });
  player.on("trackEnd", (_, reason) => reason === "finished" && again());
  again();
}

async function trackPackets(): Promise<string[]> {
  return (oggOpusPackets(await readFile(tune)) ?? []).map(hex);
}

function sounding(packets: readonly HeardPacket[]): HeardPacket[] {
  return packets.filter(({ silence }) => !silence);
}

function isWithoutGap(packets: readonly HeardPacket[]): boolean {
  return packets.every(({ sequence }, at) => {
    const before = packets[at - 1];
    return !before || sequence === ((before.sequence + 1) & 0xffff);
  });
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** Whether members and bot are in one epoch, and no transition is pending. */
async function settled(bench: Bench, members: readonly SimMember[]): Promise<boolean> {
  const isSettled = (): boolean => {
    const { epoch, pendingTransitions, members: leaves } = bench.simulator.dave(bench);
    const present = leaves.filter((leaf) => leaf !== undefined).length;
    return (
      pendingTransitions.length === 0 &&
      present === members.length + 1 &&
      bench.connection.encryption.state.epoch === epoch &&
      members.every(({ dave }) => dave?.epoch === epoch)
    );
  };
  return (await members[0]?.heard.waitFor(isSettled, 60_000)) ?? false;
}
