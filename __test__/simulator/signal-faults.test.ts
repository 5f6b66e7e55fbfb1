/** What the voice gateway and the main gateway do wrong on demand, beyond closing: odd, hostile and missing frames. */

import test, { type ExecutionContext } from "ava";
import { DiscordSimulator, hostileFrames } from "../../ts/simulator/index.ts";
import { BOT, Client, FRIEND, GatewayClient, GUILD, gatewayUrl, PLACE } from "./client.ts";

const GCM = "aead_aes256_gcm_rtpsize";

async function start(t: ExecutionContext) {
  const simulator = await DiscordSimulator.start();
  t.teardown(() => simulator.close());
  return { simulator, bot: simulator.admit({ ...PLACE, userId: BOT }) };
}

test("Hello comes twice, and every message carries keys that nobody knows", async (t) => {
  const { simulator, bot } = await start(t);
  Object.assign(simulator.faults, { helloTwice: true, extraKeys: true });
  const client = await new Client(bot).connect(GCM);
  t.is(client.gateway.messages.filter(({ op }) => op === 8).length, 2);
  const described = await client.gateway.message(4);
  t.deepEqual(described.d._trace as unknown, ["here"]);
  t.true(described.raw.startsWith('{"_extra":null'));
  t.is(client.mode, GCM);
});

test("messages without their number are not replayed and use none up", async (t) => {
  const { simulator, bot } = await start(t);
  simulator.faults.unnumberedShare = 1;
  const client = await new Client(bot).connect(GCM);
  t.is((await client.gateway.message(15)).seq, undefined);
  simulator.faults.unnumberedShare = 0;
  const friend = simulator.member({ ...PLACE, userId: FRIEND });
  t.is((await client.gateway.message(11)).seq, 0);
  friend.leave();
  t.true(((await client.gateway.message(13)).seq ?? 0) > 0);
});

test("a frozen connection stays open and silent; the session can be resumed on another", async (t) => {
  const { simulator, bot } = await start(t);
  const client = await new Client(bot).connect(GCM);
  await client.gateway.message(15);
  t.is(simulator.faults.freeze(GUILD), 1);
  client.gateway.send(3, { t: 1, seq_ack: 0 });
  simulator.member({ ...PLACE, userId: FRIEND });
  const again = new GatewayClient(gatewayUrl(bot.endpoint));
  await again.message(8);
  const { guildId: server_id, sessionId: session_id, token } = bot;
  again.send(7, { server_id, session_id, token, seq_ack: client.gateway.lastSeq });
  await again.message(9);
  t.deepEqual((await again.message(11)).d.user_ids as unknown, [FRIEND]);
  t.true(client.gateway.messages.every(({ op }) => op !== 6 && op !== 11));
});

test("long frames are as long as asked", async (t) => {
  const { simulator, bot } = await start(t);
  const client = await new Client(bot).connect(GCM);
  simulator.faults.sendLongFrame(GUILD, 300_000);
  t.is((await client.gateway.message(99)).raw.length, 300_000);
});

test("hostile frames arrive, all of them, and the session lives on", async (t) => {
  const { simulator, bot } = await start(t);
  const client = await new Client(bot).connect(GCM);
  await client.gateway.message(15);
  const frames = hostileFrames();
  t.true(frames.length > 400);
  let received = 0;
  client.gateway.socket.removeAllListeners("message");
  const all = new Promise<void>((resolve) => {
    client.gateway.socket.on("message", () => {
      received += 1;
      if (received === frames.length) resolve();
    });
  });
  simulator.faults.sendHostileFrames(GUILD);
  await all;
  t.true(simulator.sessions()[0]?.isConnected);
});

test("new tokens for the same endpoint; the old one opens nothing any more", async (t) => {
  const { simulator, bot } = await start(t);
  const gateway = simulator.mainGateway(BOT);
  const events: { t: string; d: Record<string, unknown> }[] = [];
  gateway.on("dispatch", (event) => events.push(event));
  simulator.faults.renewTokens(GUILD);
  await Promise.resolve();
  t.is(events.length, 1);
  t.like(events[0], { t: "VOICE_SERVER_UPDATE", d: { endpoint: simulator.endpoint } });
  t.not(events[0]?.d.token, bot.token);
  const old = new Client(bot);
  await t.throwsAsync(old.connect(GCM), { message: /4004/ });
  const fresh = new Client({ ...bot, token: String(events[0]?.d.token) });
  t.is((await fresh.connect(GCM)).mode, GCM);
});
