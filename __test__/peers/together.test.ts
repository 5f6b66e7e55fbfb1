/** Our library and @discordjs/voice in one end-to-end encrypted call: no frame of ours is lost while others come and go. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import test from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator, type SimMember } from "../../ts/simulator/index.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import { discordjsGuest, node22 } from "./discordjs-call.ts";

const track = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const room = { guildId: "41771983423143937", channelId: "127121515262115840" };
const BOT = "104694319306248192";
const GUEST = "852892297661906993";

test.before((t) => {
  if (!existsSync(node22)) t.fail("the peers are missing: run `node __test__/peers/install.mjs`");
});

test("our library and @discordjs/voice hear each other through ten joins and leaves", async (t) => {
  await using simulator = await DiscordSimulator.start({ tls: true, daveProtocolVersion: 1 });
  const { certificate = "" } = simulator;
  await using engine = new Engine();
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
  const sent = (oggOpusPackets(await readFile(track)) ?? []).map((packet) =>
    Buffer.from(packet).toString("hex"),
  );
  const known = new Set(sent);
  const ours = alice.heard.packets.filter(({ userId }) => userId === BOT);
  const isWhole = ours.every(({ sequence }, at) => {
    const former = ours[at - 1];
    return !former || sequence === ((former.sequence + 1) & 0xffff);
  });
  t.true(isWhole, "no frame of ours is lost");
  t.true(from(BOT).every(({ opus }) => known.has(opus.toString("hex"))));
  t.true(from(GUEST).every(({ opus }) => known.has(opus.toString("hex"))));
  // What it could not decrypt before it had keys, @discordjs/voice passes on as it is.
  const music = heard.filter((packet) => packet !== "f8fffe" && !packet.endsWith("fafa"));
  t.true(music.length > 100, `${music.length} packets of ours at @discordjs/voice`);
  t.true(
    music.every((packet) => known.has(packet)),
    "bit for bit",
  );
  t.is(errors, 0);
  t.is(simulator.dave(room).counts.commits.invalid, 0);
  t.deepEqual(
    simulator.problems.filter(({ userId }) => userId === BOT),
    [],
  );
});
