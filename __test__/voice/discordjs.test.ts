/** discord.js itself: its client's `guild.voiceAdapterCreator`, unchanged, joins, moves and leaves through the library. */

import test from "ava";
import {
  Client,
  type Guild,
  type InternalDiscordGatewayAdapterCreator,
  type InternalDiscordGatewayAdapterLibraryMethods,
} from "discord.js";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator, type SimMainGateway } from "../../ts/simulator/index.ts";
import type { GatewayAdapterCreator, GatewayAdapterMethods } from "../../ts/voice/adapter.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import { channelId, guildId, tune, userId } from "./bench.ts";

test("its types fit unchanged, in both directions", (t) => {
  const creator = (given: InternalDiscordGatewayAdapterCreator): GatewayAdapterCreator => given;
  const ofGuild = (guild: Guild): GatewayAdapterCreator => guild.voiceAdapterCreator;
  const methods = (given: GatewayAdapterMethods): InternalDiscordGatewayAdapterLibraryMethods =>
    given;
  t.is([creator, ofGuild, methods].length, 3);
});

test("a guild's adapter joins, plays, follows a move and a kick", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const { guild, shard } = logIn(simulator.mainGateway(userId));
  await using engine = new Engine();
  await using manager = new VoiceManager({ userId, engine, gateway: { insecureEndpoints: true } });
  const connection = manager.connection(guild.id, { adapterCreator: guild.voiceAdapterCreator });
  await connection.join(channelId);
  connection.player.play({ kind: "file", path: tune });
  const listener = simulator.listen({ guildId, channelId });
  t.true(await listener.waitFor(({ packets }) => packets.length > 20));
  const other = simulator.listen({ guildId, channelId: "5" });
  simulator.guild(guildId).move(userId, "5");
  t.true(await other.waitFor(({ packets }) => packets.length > 20));
  shard.status = 5;
  await t.throwsAsync(connection.join(channelId), { code: "main_gateway_unavailable" });
  shard.status = 0;
  await connection.join(channelId);
  simulator.guild(guildId).kick(userId);
  await new Promise<void>((resolve) =>
    connection.on("stateChange", (status) => status === "disconnected" && resolve()),
  );
  t.is(connection.reason?.code, "kicked");
});

/** A discord.js client that is logged in, as far as voice can tell, over the simulator's main gateway. */
function logIn(gateway: SimMainGateway) {
  const client = new Client({ intents: ["GuildVoiceStates"] });
  const shard = { status: 0, send: (payload: unknown) => gateway.send(payload) };
  const inside = client as unknown as {
    user: { id: string };
    ws: { shards: Map<number, typeof shard> };
    guilds: { _add(data: object): Guild };
    voice: { onVoiceServer(d: object): void; onVoiceStateUpdate(d: object): void };
  };
  inside.user = { id: userId };
  inside.ws.shards.set(0, shard);
  const guild = inside.guilds._add({ id: guildId, name: "guild", shardId: 0 });
  gateway.on("dispatch", ({ t, d }) => {
    if (t === "VOICE_SERVER_UPDATE") inside.voice.onVoiceServer(d);
    else inside.voice.onVoiceStateUpdate(d);
  });
  return { client, guild, shard };
}
