/** Simulated users speak to real clients and to each other, bit for bit, and behave as users do. */

import test, { type ExecutionContext } from "ava";
import {
  DiscordSimulator,
  type ExtensionStyle,
  type SimMember,
  toneFrames,
} from "../../ts/simulator/index.ts";
import { BOT, Client, FRIEND, opusIn, PLACE, SILENCE } from "./client.ts";
import { untimed } from "./untimed.ts";

const GCM = "aead_aes256_gcm_rtpsize";
const XCHACHA = "aead_xchacha20_poly1305_rtpsize";
const OTHER_CHANNEL = "127121515262115841";
const EXTENSIONS: ExtensionStyle[] = ["none", "empty", "one_word", "two_words", "unknown_profile"];
const FRAMES = toneFrames({ seconds: 0.5 });

async function start(t: ExecutionContext) {
  const simulator = await DiscordSimulator.start();
  t.teardown(() => simulator.close());
  const client = new Client(simulator.admit({ ...PLACE, userId: BOT }));
  t.teardown(() => client.media.close());
  return { simulator, client };
}

test("the frames of a tone differ from each other", (t) => {
  t.is(FRAMES.length, 25);
  t.is(new Set(FRAMES.map((frame) => frame.toString("hex"))).size, 25);
});

for (const mode of [GCM, XCHACHA, "xsalsa20_poly1305"]) {
  for (const extension of EXTENSIONS) {
    test(`${mode}: a client hears a member bit for bit (extension ${extension})`, async (t) => {
      const { simulator, client } = await start(t);
      await client.connect(mode, 0);
      Object.assign(simulator.faults.forwarded, { extension, csrcs: 3, paddingShare: 0.5 });
      const member = simulator.member({ ...PLACE, userId: FRIEND });
      await member.speak(FRAMES, { intervalMs: 0 });
      const datagrams = await audio(client, FRAMES.length + 5);
      t.deepEqual(
        datagrams.map((datagram) => opusIn(mode, client.key, datagram)),
        [...FRAMES, ...Array<Buffer>(5).fill(SILENCE)],
      );
      t.true(datagrams.every((datagram) => ((datagram[0] ?? 0) & 0x0f) === 3));
      t.true(datagrams.every((datagram) => datagram.readUInt32BE(8) === member.ssrc));
      const announced = await client.gateway.message(5);
      t.like(announced.d, { user_id: FRIEND, ssrc: member.ssrc, speaking: 1 });
    });
  }
}

test("one packet can be dressed, numbered and typed as asked; the stream goes on behind it", async (t) => {
  const { simulator, client } = await start(t);
  await client.connect(GCM, 0);
  simulator.faults.forwarded.paddingShare = 0;
  const member = simulator.member({ ...PLACE, firstSequence: 0xffff, firstTimestamp: 0xffff_fff0 });
  const [frame = SILENCE] = FRAMES;
  member.send(frame, { padding: 7, extension: "none", csrcs: 2 });
  member.send(frame, { payloadType: 101, sequence: 9 });
  member.send(frame, { ssrc: 77 });
  member.send(frame, { padding: "zero", marker: true });
  member.send(frame, { padding: "too_large" });
  const count = (): number => client.media.received.filter((d) => d.length > 74).length;
  await client.media.datagram(() => count() === 5);
  const sent = client.media.received.filter((datagram) => datagram.length > 74);
  t.deepEqual(
    sent.map((datagram) => datagram.toString("hex", 0, 4)),
    ["a278ffff", "90650009", "90780000", "b0f80000", "b0780001"],
  );
  t.deepEqual(
    sent.map((datagram) => datagram.readUInt32BE(4)),
    [0xffff_fff0, 944, 944, 944, 1904],
  );
  t.deepEqual(
    sent.map((datagram) => datagram.readUInt32BE(8)),
    [member.ssrc, member.ssrc, 77, member.ssrc, member.ssrc],
  );
});

test("op 5 can come late or never", async (t) => {
  const { simulator, client } = await start(t);
  await client.connect(GCM, 0);
  const [silent, late] = [simulator.member(PLACE), simulator.member(PLACE)];
  await silent.speak(FRAMES, { intervalMs: 0, announce: "never" });
  await late.speak(FRAMES, { intervalMs: 0, announce: "late", tail: false });
  await audio(client, 2 * FRAMES.length + 5);
  const announced = await client.gateway.message(5);
  t.like(announced.d, { user_id: late.userId, ssrc: late.ssrc });
  t.is(client.gateway.messages.filter(({ op }) => op === 5).length, 1);
});

test("members, clients and listeners hear each other, and members are in the channel as others are", async (t) => {
  const { simulator, client } = await start(t);
  const listener = simulator.listen(PLACE);
  const [alice, bob] = [simulator.member(PLACE), simulator.member(PLACE)];
  await client.connect(GCM);
  t.deepEqual((await client.gateway.message(11)).d.user_ids as unknown, [alice.userId, bob.userId]);
  await client.play(FRAMES);
  await alice.speak(FRAMES, { intervalMs: 1 });
  t.true(await bob.heard.waitFor(({ packets }) => packets.length === 2 * FRAMES.length + 5));
  t.deepEqual(heardFrom(bob, BOT), FRAMES);
  t.deepEqual(heardFrom(bob, alice.userId).slice(0, -5), FRAMES);
  t.is(alice.heard.packets.length, FRAMES.length);
  t.is(listener.packets.length, 2 * FRAMES.length + 5);
  t.deepEqual(untimed(listener.problems), []);
  const simulated = simulator.sessions().filter(({ isSimulated }) => isSimulated);
  t.deepEqual(
    simulated.map(({ userId }) => userId),
    [alice.userId, bob.userId],
  );
  alice.leave();
  t.is(String((await client.gateway.message(13)).d.user_id), alice.userId);
  t.is(alice.channelId, undefined);
  alice.send(SILENCE);
  t.is(simulator.guild(PLACE.guildId).members(PLACE.channelId).length, 2);
});

test("members follow moves, fall silent when suppressed, and are gone after a kick", async (t) => {
  const { simulator } = await start(t);
  const guild = simulator.guild(PLACE.guildId);
  const [mover, stayer] = [simulator.member(PLACE), simulator.member(PLACE)];
  const formerSsrc = mover.ssrc;
  guild.move(mover.userId, OTHER_CHANNEL);
  guild.move(stayer.userId, OTHER_CHANNEL);
  t.true(await mover.heard.waitFor(() => stayer.channelId === OTHER_CHANNEL));
  t.is(mover.channelId, OTHER_CHANNEL);
  t.not(mover.ssrc, formerSsrc);
  mover.send(SILENCE);
  t.is(stayer.heard.packets.length, 1);
  guild.moderate(mover.userId, { suppress: true });
  mover.send(SILENCE);
  t.is(stayer.heard.packets.length, 1);
  guild.kick(mover.userId);
  await Promise.resolve();
  t.is(mover.channelId, undefined);
  t.is(mover.ssrc, 0);
});

test("a pause moves the timestamp on as the clock does; the sequence knows no gap", async (t) => {
  const { simulator } = await start(t);
  const [speaker, hearer] = [simulator.member(PLACE), simulator.member(PLACE)];
  await speaker.speak(FRAMES.slice(0, 5));
  await new Promise((resolve) => setTimeout(resolve, 200));
  await speaker.speak(FRAMES.slice(5, 10));
  const { packets } = hearer.heard;
  t.is(packets.length, 20);
  const steps = packets
    .slice(1)
    .map((packet, at) => packet.timestamp - (packets[at]?.timestamp ?? 0));
  t.deepEqual(
    steps.filter((_, at) => at !== 9).map((step) => step >>> 0),
    Array<number>(18).fill(960),
  );
  t.true((steps[9] ?? 0) >>> 0 >= 9 * 960);
  const [first] = packets;
  t.deepEqual(
    packets.map(({ sequence }) => (sequence - (first?.sequence ?? 0)) & 0xffff),
    packets.map((_, at) => at),
  );
});

test("faults for a whole guild leave members alone; closing the simulator ends their waiting", async (t) => {
  const { simulator } = await start(t);
  const member = simulator.member(PLACE);
  t.is(simulator.faults.cutSocket(PLACE.guildId), 0);
  const waiting = member.heard.waitFor(() => false);
  await simulator.close();
  t.false(await waiting);
  t.is(member.channelId, undefined);
});

test("a full channel takes no member", async (t) => {
  const { simulator } = await start(t);
  simulator.guild(PLACE.guildId).setUserLimit(PLACE.channelId, 1);
  t.throws(() => simulator.member(PLACE), { message: /takes nobody more/ });
});

async function audio(client: Client, count: number): Promise<Buffer[]> {
  const isAudio = (datagram: Buffer): boolean => ((datagram[1] ?? 0) & 0x7f) === 0x78;
  const heard = (): Buffer[] => client.media.received.filter(isAudio);
  await client.media.datagram(() => heard().length >= count);
  return heard();
}

function heardFrom(member: SimMember, userId: string): Buffer[] {
  return member.heard.packets.filter((packet) => packet.userId === userId).map(({ opus }) => opus);
}
