/** Our library and @discordjs/voice hear each other bit for bit, in both transport modes, end-to-end encrypted and not. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import test from "ava";
import { oggOpusPackets } from "../../ts/cli/demo/ogg-packets.ts";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator } from "../../ts/simulator/index.ts";
import type { VoiceConnection } from "../../ts/voice/connection.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import { discordjsGuest, gaps, hex, node22 } from "./discordjs-call.ts";

const track = fileURLToPath(new URL("../../examples/media/tune.opus", import.meta.url));
const room = { guildId: "41771983423143937", channelId: "127121515262115840" };
const BOT = "104694319306248192";
const GUEST = "852892297661906993";
const SILENCE = "f8fffe";
/** Three seconds: the track is not over by then. */
const FRAMES = 150;

test.before((t) => {
  if (!existsSync(node22)) t.fail("the peers are missing: run `node __test__/peers/install.mjs`");
});

for (const mode of ["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"]) {
  for (const daveProtocolVersion of [0, 1] as const) {
    const how =
      daveProtocolVersion === 1 ? "end-to-end encrypted" : "without end-to-end encryption";
    test(`heard both ways in ${mode}, ${how}`, async (t) => {
      const options = { tls: true, modes: [mode], daveProtocolVersion };
      await using simulator = await DiscordSimulator.start(options);
      const { certificate = "" } = simulator;
      await using engine = new Engine();
      const gateway = { tls: { ca: certificate } };
      await using manager = new VoiceManager({ userId: BOT, engine, gateway });
      const connection = manager.connection(room.guildId);
      const fromGuest = take(connection);
      connection.provide(simulator.admit({ ...room, userId: BOT }));
      const guest = await discordjsGuest(
        simulator,
        { ...room, userId: GUEST },
        { track, listenTo: BOT },
      );
      connection.player.play({ kind: "file", path: track });
      const heardByUs = await fromGuest;
      const sent = (oggOpusPackets(await readFile(track)) ?? []).map(hex);
      t.deepEqual(gaps(heardByUs, sent), [], "what it says, bit for bit");
      const isSent = (): boolean => connection.statistics().sent.packets >= FRAMES + 50;
      const deadline = performance.now() + 30_000;
      while (!isSent() && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const { heard, errors } = await guest.stop();
      const first = heard.findIndex((packet) => sent.includes(packet));
      const heardByIt = heard.slice(first).filter((packet) => packet !== SILENCE);
      t.true(heardByIt.length >= FRAMES / 2, `${heardByIt.length} packets heard by it`);
      t.deepEqual(gaps(heardByIt, sent), [], "what we say, bit for bit");
      t.is(errors, 0);
      const { received } = connection.statistics();
      t.is(received.lost, 0);
      t.is(received.decryptFailures.transport.authentication, 0);
      t.is(connection.encryption.state.protocolVersion, daveProtocolVersion);
    });
  }
}

/** The guest's first packets that sound. */
async function take(connection: VoiceConnection): Promise<string[]> {
  const taken: string[] = [];
  for await (const { opus, silent } of connection.receiver.subscribe({ users: GUEST })) {
    if (silent) continue;
    taken.push(hex(opus));
    if (taken.length === FRAMES) break;
  }
  return taken;
}
