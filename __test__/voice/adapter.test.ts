/** The adapter of discord.js and raw dispatches: every way in, several bots in one process, and each way out. */

import test from "ava";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator } from "../../ts/simulator/index.ts";
import type { GatewayAdapterCreator, GatewayAdapterMethods } from "../../ts/voice/adapter.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import { channelId, guildId, tune, userId } from "./bench.ts";

/** A simulator, and a client that keeps adapters as discord.js' `ClientVoiceManager` does. */
async function openWorld(bots: readonly string[]) {
  const simulator = await DiscordSimulator.start();
  const engine = new Engine();
  const clients = bots.map((bot) => {
    const gateway = simulator.mainGateway(bot);
    const adapters = new Map<string, GatewayAdapterMethods>();
    gateway.on("dispatch", ({ t, d }) => {
      const adapter = adapters.get(`${d.guild_id}`);
      if (t === "VOICE_SERVER_UPDATE") adapter?.onVoiceServerUpdate(d);
      else if (d.user_id === bot) adapter?.onVoiceStateUpdate(d);
    });
    const log: string[] = [];
    const creator =
      (guild: string): GatewayAdapterCreator =>
      (methods) => {
        adapters.set(guild, methods);
        return {
          sendPayload: (payload) => gateway.send(payload),
          destroy: () => {
            log.push(`destroyed ${guild}`);
            adapters.delete(guild);
          },
        };
      };
    const gatewayOptions = { insecureEndpoints: true };
    const manager = new VoiceManager({ userId: bot, engine, gateway: gatewayOptions });
    return { bot, gateway, adapters, creator, manager, log };
  });
  const close = async (): Promise<void> => {
    await Promise.all(clients.map(({ manager }) => manager.close()));
    await engine.close();
    await simulator.close();
  };
  return { simulator, clients, [Symbol.asyncDispose]: close };
}

test("an adapter joins, plays, and is destroyed with its connection", async (t) => {
  await using world = await openWorld([userId]);
  const [client] = world.clients;
  if (!client) return t.fail();
  const { manager, creator, log } = client;
  const connection = manager.connection(guildId, { adapterCreator: creator(guildId) });
  const listener = world.simulator.listen({ guildId, channelId });
  await connection.join(channelId);
  connection.player.play({ kind: "file", path: tune });
  t.true(await listener.waitFor(({ packets }) => packets.length > 20));
  await connection.destroy();
  await connection.destroy();
  t.deepEqual(log, [`destroyed ${guildId}`]);
});

test("when the bot library drops the adapter the connection is destroyed", async (t) => {
  await using world = await openWorld([userId]);
  const [client] = world.clients;
  if (!client) return t.fail();
  const connection = client.manager.connection(guildId, {
    adapterCreator: client.creator(guildId),
  });
  await connection.join(channelId);
  const destroyed = new Promise<void>((resolve) => connection.once("destroyed", resolve));
  client.adapters.get(guildId)?.destroy();
  await destroyed;
  t.is(client.manager.get(guildId), undefined);
  t.is(connection.reason?.code, "left");
});

test("an adapter that refuses, or throws, says so and leaves nothing behind", async (t) => {
  await using world = await openWorld([userId]);
  const [client] = world.clients;
  if (!client) return t.fail();
  const { manager } = client;
  const refusing = manager.connection("1", {
    adapterCreator: () => ({ sendPayload: () => false, destroy: () => undefined }),
  });
  await t.throwsAsync(refusing.join("2"), { code: "main_gateway_unavailable" });
  t.is(refusing.status, "disconnected");
  const throwing = manager.connection("3", {
    adapterCreator: () => ({
      sendPayload: () => {
        throw new Error("the shard is gone");
      },
      destroy: () => {
        throw new Error("and so is this");
      },
    }),
  });
  await t.throwsAsync(throwing.join("4"), { code: "main_gateway_unavailable" });
  await throwing.destroy();
  t.throws(
    () =>
      manager.connection("5", {
        adapterCreator: () => {
          throw new Error("no adapters here");
        },
      }),
    { message: "no adapters here" },
  );
  t.is(manager.get("5"), undefined);
});

test("two bots of one process in one channel keep their own sessions", async (t) => {
  const bots = [userId, "104694319306248193"];
  await using world = await openWorld(bots);
  const listener = world.simulator.listen({ guildId, channelId });
  const connections = world.clients.map(({ manager, creator }) =>
    manager.connection(guildId, { adapterCreator: creator(guildId) }),
  );
  await Promise.all(connections.map((connection) => connection.join(channelId)));
  for (const { player } of connections) player.play({ kind: "file", path: tune });
  const heard = (bot: string): number =>
    listener.packets.filter((packet) => packet.userId === bot).length;
  t.true(await listener.waitFor(() => bots.every((bot) => heard(bot) > 20)));
  await connections[0]?.destroy();
  const before = heard(bots[1] ?? "");
  t.true(await listener.waitFor(() => heard(bots[1] ?? "") > before + 20));
  t.deepEqual(listener.problems, []);
});

test("dispatches of the main gateway: others than the two, other users' and malformed ones change nothing", async (t) => {
  await using world = await openWorld([userId]);
  const [client] = world.clients;
  if (!client) return t.fail();
  const { manager, creator, gateway } = client;
  const connection = manager.connection(guildId, { adapterCreator: creator(guildId) });
  await connection.join(channelId);
  const state = { guild_id: guildId, channel_id: null, session_id: "f".repeat(32) };
  const odd: unknown[] = [
    { t: "MESSAGE_CREATE", d: { guild_id: guildId } },
    { t: "VOICE_STATE_UPDATE", d: { ...state, user_id: "9" } },
    { t: "VOICE_STATE_UPDATE", d: { ...state, user_id: Number(userId) } },
    { t: "VOICE_STATE_UPDATE", d: { ...state, user_id: userId, channel_id: 5 } },
    { t: "VOICE_STATE_UPDATE", d: { user_id: userId, channel_id: null } },
    { t: "VOICE_SERVER_UPDATE", d: { guild_id: guildId, token: 5, endpoint: "x:1" } },
    { t: "VOICE_SERVER_UPDATE", d: { guild_id: guildId, token: "t", endpoint: 1 } },
    { t: "VOICE_SERVER_UPDATE", d: { guild_id: null, token: "t", endpoint: null } },
    { t: "VOICE_SERVER_UPDATE", d: null },
    { t: "VOICE_STATE_UPDATE" },
    { t: 5, d: 5 },
    {},
  ];
  for (const packet of odd) manager.handleDispatch(packet as { t?: unknown; d?: unknown });
  manager.handleVoiceStateUpdate("text");
  manager.handleVoiceServerUpdate([]);
  t.is(connection.status, "ready");
  gateway.send({ op: 4, d: { guild_id: guildId, channel_id: null } });
  await new Promise<void>((resolve) =>
    connection.on("stateChange", (status) => status === "disconnected" && resolve()),
  );
  t.is(connection.reason?.code, "kicked");
});
