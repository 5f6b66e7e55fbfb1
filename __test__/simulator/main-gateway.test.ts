/** The main-gateway side: what an op 4 and a moderator bring about. */

import test from "ava";
import { DiscordSimulator, type Dispatch, type SimMainGateway } from "../../ts/simulator/index.ts";
import {
  BOT,
  CHANNEL,
  Client,
  FRIEND,
  GatewayClient,
  GUILD,
  gatewayUrl,
  PLACE,
  SILENCE,
} from "./client.ts";

const GCM = "aead_aes256_gcm_rtpsize";
const OTHER_CHANNEL = "127121515262115841";
const join4 = (channelId: string | null): unknown => ({
  op: 4,
  d: { guild_id: GUILD, channel_id: channelId, self_mute: false, self_deaf: true },
});

function record(gateway: SimMainGateway): Dispatch[] {
  const events: Dispatch[] = [];
  gateway.on("dispatch", (dispatch) => events.push(dispatch));
  return events;
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const names = (events: Dispatch[]): string[] => events.map(({ t }) => t);

test("a join is answered by both events, and what they carry opens the voice gateway", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const gateway = simulator.mainGateway(BOT);
  const events = record(gateway);
  t.true(gateway.send(join4(CHANNEL)));
  t.deepEqual(events, [], "events come later, as by a network");
  await settled();
  t.deepEqual(names(events), ["VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE"]);
  const [state, server] = events;
  t.like(state?.d, { guild_id: GUILD, channel_id: CHANNEL, user_id: BOT, self_deaf: true });
  t.regex(String(state?.d.session_id), /^[0-9a-f]{32}$/);
  t.like(server?.d, { guild_id: GUILD, endpoint: simulator.endpoint });
  const client = new Client({
    ...PLACE,
    userId: BOT,
    sessionId: String(state?.d.session_id),
    token: String(server?.d.token),
    endpoint: String(server?.d.endpoint),
  });
  await client.connect(GCM);
  t.like(simulator.sessions()[0], { ...PLACE, userId: BOT });
});

test("the events come in the other order, doubled, or not at all on demand", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const gateway = simulator.mainGateway(BOT);
  const events = record(gateway);
  simulator.faults.joinsIgnored = true;
  gateway.send(join4(CHANNEL));
  await settled();
  t.deepEqual(events, []);
  simulator.faults.joinsIgnored = false;
  simulator.faults.serverEventFirst = true;
  simulator.faults.eventsDoubled = true;
  gateway.send(join4(CHANNEL));
  await settled();
  const [server, state] = ["VOICE_SERVER_UPDATE", "VOICE_STATE_UPDATE"];
  t.deepEqual(names(events), [server, server, state, state]);
});

test("op 4 for the same channel brings no server event; a change of flags brings the state alone", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const gateway = simulator.mainGateway(BOT);
  gateway.send(join4(CHANNEL));
  await settled();
  const events = record(gateway);
  gateway.send(join4(CHANNEL));
  await settled();
  t.deepEqual(events, []);
  gateway.send({ op: 4, d: { guild_id: GUILD, channel_id: CHANNEL, self_mute: true } });
  await settled();
  t.deepEqual(names(events), ["VOICE_STATE_UPDATE"]);
  t.like(events[0]?.d, { self_mute: true, self_deaf: false });
});

test("malformed op 4s are refused", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const gateway = simulator.mainGateway(BOT);
  const d = { guild_id: GUILD, channel_id: CHANNEL };
  for (const payload of [null, 4, {}, { op: 3, d }, { op: 4 }, { op: 4, d: null }]) {
    t.false(gateway.send(payload));
  }
  t.false(gateway.send({ op: 4, d: { guild_id: GUILD } }), "the channel has to be present");
  t.false(gateway.send({ op: 4, d: { ...d, guild_id: 41 } }));
  t.false(gateway.send({ op: 4, d: { ...d, channel_id: 41 } }));
});

test("a full channel gives no answer; admit says so", async (t) => {
  await using simulator = await DiscordSimulator.start();
  simulator.guild(GUILD).setUserLimit(CHANNEL, 1);
  simulator.admit({ ...PLACE, userId: FRIEND });
  await settled();
  const gateway = simulator.mainGateway(BOT);
  const events = record(gateway);
  t.true(gateway.send(join4(CHANNEL)));
  await settled();
  t.deepEqual(events, []);
  t.throws(() => simulator.admit({ ...PLACE, userId: BOT }), { code: "channel_full" });
});

for (const closesBeforeEvents of [false, true]) {
  test(`a move: both events, a new token, the old connection closed with 4014 (${closesBeforeEvents})`, async (t) => {
    await using simulator = await DiscordSimulator.start();
    simulator.faults.closesBeforeEvents = closesBeforeEvents;
    const old = simulator.admit({ ...PLACE, userId: BOT });
    const client = await new Client(old).connect(GCM);
    const gateway = simulator.mainGateway(BOT);
    const events = record(gateway);
    simulator.guild(GUILD).move(BOT, OTHER_CHANNEL);
    t.is(await client.gateway.closed(), 4014);
    t.deepEqual(names(events), ["VOICE_STATE_UPDATE", "VOICE_SERVER_UPDATE"]);
    t.is(events[0]?.d.session_id, old.sessionId);
    t.not(events[1]?.d.token, old.token);
    const again = new GatewayClient(gatewayUrl(old.endpoint));
    await again.message(8);
    again.send(0, { server_id: GUILD, user_id: BOT, session_id: old.sessionId, token: old.token });
    t.is(await again.closed(), 4004);
    const fresh = simulator.admit({ guildId: GUILD, channelId: OTHER_CHANNEL, userId: BOT });
    t.is(fresh.token, String(events[1]?.d.token));
    await new Client(fresh).connect(GCM);
  });
}

test("a kick and a leave: an event without a channel, then 4014", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const gateway = simulator.mainGateway(BOT);
  const events = record(gateway);
  const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
  simulator.guild(GUILD).kick(BOT);
  t.is(await client.gateway.closed(), 4014);
  t.is(events.at(-1)?.d.channel_id, null);
  gateway.send(join4(CHANNEL));
  gateway.send(join4(null));
  await settled();
  t.is(events.at(-1)?.d.channel_id, null);
  t.deepEqual(simulator.guild(GUILD).members(CHANNEL), []);
});

test("a new main-gateway session voids the voice session", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const gateway = simulator.mainGateway(BOT);
  const old = simulator.admit({ ...PLACE, userId: BOT });
  const client = await new Client(old).connect(GCM);
  gateway.reidentify();
  t.is(await client.gateway.closed(), 4006);
  t.not(simulator.admit({ ...PLACE, userId: BOT }).sessionId, old.sessionId);
});

test("endpoint null, then a server elsewhere: new endpoint, new token, 4014 on the old connection", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const events = record(simulator.mainGateway(BOT));
  const old = simulator.admit({ ...PLACE, userId: BOT });
  const client = await new Client(old).connect(GCM);
  simulator.faults.endpointNull(GUILD);
  t.throws(() => simulator.admit({ ...PLACE, userId: BOT }), { code: "endpoint_lost" });
  await settled();
  t.like(events.at(-1), { t: "VOICE_SERVER_UPDATE", d: { endpoint: null, guild_id: GUILD } });
  await simulator.faults.moveServer(GUILD);
  t.is(await client.gateway.closed(), 4014);
  const { endpoint, token } = events.at(-1)?.d ?? {};
  t.not(endpoint, old.endpoint);
  t.not(token, old.token);
  const moved = simulator.admit({ ...PLACE, userId: BOT });
  t.like(moved, { endpoint, token, sessionId: old.sessionId });
  const listener = simulator.listen(PLACE);
  const again = await new Client(moved).connect(GCM);
  await again.play([SILENCE]);
  t.true(await listener.waitFor((l) => l.packets.length === 1));
});

test("a move of the server leaves old connections open or closes them as asked", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
  await simulator.faults.moveServer(GUILD, { closeCode: null });
  client.gateway.send(3, { t: 1, seq_ack: 0 });
  await client.gateway.message(6);
  await simulator.faults.moveServer(GUILD, { closeCode: 4022 });
  t.is(await client.gateway.closed(), 4022);
});

test("suppressed and muted users are not heard, deafened ones do not hear", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const guild = simulator.guild(GUILD);
  const listener = simulator.listen(PLACE);
  const bot = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
  const friend = await new Client(simulator.admit({ ...PLACE, userId: FRIEND })).connect(GCM);
  const counts = () => simulator.sessions()[0]?.counts;
  guild.moderate(BOT, { suppress: true });
  await bot.play([SILENCE]);
  bot.sendDatagram(bot.seal(SILENCE));
  while (counts()?.audioDropped !== 2) await settled();
  t.is(listener.packets.length, 0);
  guild.moderate(BOT, { suppress: false });
  guild.moderate(FRIEND, { deaf: true });
  await bot.play([SILENCE]);
  t.true(await listener.waitFor((l) => l.packets.length === 1));
  guild.moderate(FRIEND, { deaf: false });
  const before = friend.media.received.length;
  await bot.play([SILENCE]);
  await friend.media.datagram(() => friend.media.received.length > before);
  t.is(friend.media.received.filter((datagram) => datagram[1] === 0x78).length, 1);
});

test("the same seed gives the same ids, tokens and keys; another seed others", async (t) => {
  const draw = async (seed: number) => {
    await using simulator = await DiscordSimulator.start({ seed });
    const { sessionId, token, ...place } = simulator.admit({ ...PLACE, userId: BOT });
    const client = await new Client({ ...place, sessionId, token }).connect(GCM);
    return { sessionId, token, ssrc: client.ssrc, key: client.key.toString("hex") };
  };
  const first = await draw(7);
  t.deepEqual(await draw(7), first);
  const other = await draw(8);
  for (const part of ["sessionId", "token", "ssrc", "key"] as const)
    t.not(other[part], first[part]);
});
