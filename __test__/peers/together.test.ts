/** Our library and @discordjs/voice in one end-to-end encrypted call: no frame of ours is lost while others come and go. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import test from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator, type SimMember } from "../../ts/simulator/index.ts";
import type { VoiceConnection } from "../../ts/voice/connection.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import { discordjsGuest, gaps, hex, node22 } from "./discordjs-call.ts";

const track = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const room = { guildId: "41771983423143937", channelId: "127121515262115840" };
const BOT = "104694319306248192";
const GUEST = "852892297661906993";
const SILENCE = "f8fffe";

test.before((t) => {
  if (!existsSync(node22)) t.fail("the peers are missing: run `node __test__/peers/install.mjs`");
});

test("our library and @discordjs/voice hear each other through ten joins and leaves", async (t) => {
  await using simulator = await DiscordSimulator.start({ tls: true, daveProtocolVersion: 1 });
  const { certificate = "" } = simulator;
  await using engine = new Engine();
  const sent = (oggOpusPackets(await readFile(track)) ?? []).map(hex);
  const gateway = { tls: { ca: certificate } };
  await using manager = new VoiceManager({ userId: BOT, engine, gateway });
  const alice = simulator.member(room);
  const connection = manager.connection(room.guildId);
  const play = (): unknown => connection.player.play({ kind: "file", path: track });
  connection.player.on("trackEnd", (_, reason) => reason === "finished" && play());
  connection.provide(simulator.admit({ ...room, userId: BOT }));
  t.true(await alice.ready(30_000));
  play();
  const guest = await discordjsGuest(
    simulator,
    { ...room, userId: GUEST },
    { track, listenTo: BOT },
  );
  const guestHeard: string[] = [];
  const listening = hear(connection, guestHeard);
  const company: SimMember[] = [];
  const from = (userId: string) =>
    alice.heard.packets.filter((packet) => packet.userId === userId && !packet.silence);
  for (let change = 0; change < 10; change++) {
    if (change % 3 === 2) company.shift()?.leave();
    else company.push(simulator.member(room));
    const isSettled = (): boolean => {
      const { epoch, pendingTransitions, members } = simulator.dave(room);
      const present = members.filter((member) => member !== undefined).length;
      const isOne = alice.dave?.epoch === epoch && connection.encryption.state.epoch === epoch;
      return pendingTransitions.length === 0 && present === company.length + 3 && isOne;
    };
    t.true(await alice.heard.waitFor(isSettled, 30_000), `change ${change}`);
    const before = { bot: from(BOT).length, guest: from(GUEST).length };
    const isMore = (): boolean =>
      from(BOT).length > before.bot + 20 && from(GUEST).length > before.guest + 20;
    t.true(await alice.heard.waitFor(isMore, 30_000), `change ${change}: both are heard`);
  }
  const { heard, errors } = await guest.stop();
  const ours = alice.heard.packets.filter(({ userId }) => userId === BOT);
  const isWhole = ours.every(({ sequence }, at) => {
    const former = ours[at - 1];
    return !former || sequence === ((former.sequence + 1) & 0xffff);
  });
  t.true(isWhole, "no packet of ours is lost");
  const atAlice = from(BOT).map(({ opus }) => hex(opus));
  t.deepEqual(gaps(atAlice, sent), [], "bit for bit, no frame missing");
  // What it could not decrypt before it had keys, @discordjs/voice passes on as it is.
  const keyed = heard.slice(heard.findIndex((packet) => sent.includes(packet)));
  const atGuest = keyed.filter((packet) => packet !== SILENCE);
  t.true(atGuest.length > 150, `${atGuest.length} packets of ours at @discordjs/voice`);
  t.deepEqual(gaps(atGuest, sent), [], "bit for bit, no frame missing");
  t.is(errors, 0);
  const { endToEnd } = connection.statistics().received.decryptFailures;
  await connection.destroy();
  await listening;
  t.true(guestHeard.length > 150, `${guestHeard.length} packets of @discordjs/voice at ours`);
  const missing = gaps(guestHeard, sent);
  t.true(Math.max(0, ...missing) < sent.length, "every packet is one of the track's");
  // It encrypts with a new key as soon as it has it, which is before others may know it, and leaves out a track's last.
  const missed = missing.reduce((sum, gap) => sum + gap, 0);
  const early = Object.values(endToEnd).reduce((sum, count) => sum + count, 0);
  t.log(
    `${guestHeard.length} of its packets heard, ${missed} missed, ${early} encrypted too early`,
  );
  t.true(missed <= early + Math.ceil(guestHeard.length / sent.length), `${missed} of ${early}`);
  t.is(simulator.dave(room).counts.commits.invalid, 0);
  t.deepEqual(
    simulator.problems.filter(({ userId }) => userId === BOT),
    [],
  );
});

/** Keeps what the guest says, silence aside, until the connection ends. */
async function hear(connection: VoiceConnection, into: string[]): Promise<void> {
  for await (const { opus, silent } of connection.receiver.subscribe({ users: GUEST })) {
    if (!silent) into.push(hex(opus));
  }
}
