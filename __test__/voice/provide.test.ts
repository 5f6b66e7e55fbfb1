/** Credentials from a process that owns the main gateway: joined with, replaced, lost, refused, and never asked for. */

import test from "ava";
import { Engine } from "../../ts/native/index.ts";
import { DiscordSimulator } from "../../ts/simulator/index.ts";
import { VoiceManager } from "../../ts/voice/manager.ts";
import type { GatewayOptions } from "../../ts/voice/options.ts";
import { channelId, guildId, tune, userId } from "./bench.ts";

const place = { guildId, channelId, userId };

async function open(timeouts: GatewayOptions["timeouts"] = {}) {
  const simulator = await DiscordSimulator.start();
  const engine = new Engine();
  const gateway = { insecureEndpoints: true, timeouts };
  const manager = new VoiceManager({ userId, engine, gateway });
  const connection = manager.connection(guildId);
  const listener = simulator.listen(place);
  const reached = (wanted: string): Promise<void> =>
    new Promise((resolve) => {
      const watch = (status: string): void => {
        if (status !== wanted) return;
        connection.off("stateChange", watch);
        resolve();
      };
      connection.on("stateChange", watch);
      watch(connection.status);
    });
  const hears = (more: number): Promise<boolean> => {
    const target = listener.packets.length + more;
    return listener.waitFor(({ packets }) => packets.length >= target, 30_000);
  };
  const close = async (): Promise<void> => {
    await manager.close();
    await engine.close();
    await simulator.close();
  };
  return { simulator, manager, connection, reached, hears, [Symbol.asyncDispose]: close };
}

test("credentials join; the same ones again change nothing, others begin a new session", async (t) => {
  await using world = await open();
  const { connection, simulator } = world;
  await t.throwsAsync(connection.join(channelId), { code: "no_main_gateway" });
  connection.player.play({ kind: "file", path: tune });
  connection.provide(simulator.admit(place));
  await world.reached("ready");
  t.is(connection.channelId, channelId);
  t.true(await world.hears(10));
  const { ssrc } = connection.state;
  connection.provide(simulator.admit(place));
  t.is(connection.status, "ready");
  simulator.faults.renewTokens(guildId);
  connection.provide(simulator.admit(place));
  t.is(connection.status, "connecting");
  await world.reached("ready");
  t.true(await world.hears(10));
  t.not(connection.state.ssrc, ssrc);
});

test("a lost session is told; the owner's next credentials mend it, the track goes on", async (t) => {
  await using world = await open();
  const { connection, simulator } = world;
  connection.player.play({ kind: "file", path: tune });
  connection.provide(simulator.admit(place));
  t.true(await world.hears(10));
  simulator.faults.closeWith(guildId, 4006);
  await world.reached("unconnected");
  t.is(connection.reason?.code, "closed_session_invalid");
  simulator.faults.renewTokens(guildId);
  connection.provide(simulator.admit(place));
  await world.reached("ready");
  t.true(await world.hears(10));
});

test("an owner that never answers ends the connection in time", async (t) => {
  await using world = await open({ credentials: 100 });
  const { connection, simulator } = world;
  connection.provide(simulator.admit(place));
  await world.reached("ready");
  simulator.faults.closeWith(guildId, 4006);
  await world.reached("disconnected");
  t.is(connection.reason?.code, "no_credentials");
  simulator.faults.renewTokens(guildId);
  connection.provide(simulator.admit(place));
  await world.reached("ready");
  t.is(connection.status, "ready", "and a later answer is a new beginning");
});

test("a server that is lost is waited for; credentials that cannot be end at once", async (t) => {
  await using world = await open();
  const { connection, simulator } = world;
  connection.provide(simulator.admit(place));
  await world.reached("ready");
  connection.serverLost();
  t.is(connection.status, "unconnected");
  t.is(connection.reason?.code, "server_lost");
  simulator.faults.renewTokens(guildId);
  connection.provide({ ...simulator.admit(place), endpoint: "https://voice.example" });
  t.is(connection.status, "disconnected");
  t.is(connection.reason?.code, "invalid_endpoint");
});

test("state is one frozen value without secrets", async (t) => {
  await using world = await open();
  const { connection, simulator } = world;
  const credentials = simulator.admit(place);
  connection.provide(credentials);
  await world.reached("ready");
  const { state } = world.connection;
  t.true(Object.isFrozen(state));
  t.like(state, { guildId, userId, channelId, status: "ready", selfDeaf: true, speaking: 0 });
  t.true(state.ssrc > 0);
  const text = JSON.stringify(state);
  t.false(text.includes(credentials.token) || text.includes(credentials.sessionId));
});
