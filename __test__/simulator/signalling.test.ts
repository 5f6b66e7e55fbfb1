/** The voice gateway answers hand-written clients as Discord's does: handshake, close codes, numbers, resume. */

import { once } from "node:events";
import test, { type ExecutionContext } from "ava";
import { WebSocket } from "ws";
import { DiscordSimulator, type SimulatorOptions } from "../../ts/simulator/index.ts";
import {
  BOT,
  Client,
  FRIEND,
  GatewayClient,
  GUILD,
  gatewayUrl,
  identifyBody,
  PLACE,
  SILENCE,
} from "./client.ts";
import { untimed } from "./untimed.ts";

const GCM = "aead_aes256_gcm_rtpsize";

async function start(t: ExecutionContext, options: SimulatorOptions = {}) {
  const simulator = await DiscordSimulator.start(options);
  t.teardown(() => simulator.close());
  return { simulator, bot: simulator.admit({ ...PLACE, userId: BOT }) };
}

for (const version of [8, 4]) {
  test(`version ${version}: Hello first, heartbeats acknowledged in the version's form`, async (t) => {
    const { bot } = await start(t);
    const client = new Client(bot, version);
    const hello = await client.gateway.message(8);
    t.deepEqual(hello.d as object, { v: version, heartbeat_interval: 13_750 });
    await client.identify();
    const beat = version === 8 ? { t: 1_786_000_000_123, seq_ack: -1 } : 1_786_000_000_123;
    client.gateway.send(3, beat);
    const ack = await client.gateway.message(6);
    t.deepEqual(ack.d as unknown, version === 8 ? { t: 1_786_000_000_123 } : 1_786_000_000_123);
  });
}

test("Ready tells a small SSRC, the media server and the modes", async (t) => {
  const { bot } = await start(t, { modes: [GCM] });
  const client = new Client(bot);
  await client.identify();
  const ready = await client.gateway.message(2);
  t.like(ready.d, {
    ip: "127.0.0.1",
    modes: [GCM],
    streams: [],
    experiments: ["fixed_keyframe_interval"],
  });
  t.true(client.ssrc > 0 && client.ssrc < 100_000 && client.server.port > 0);
  t.is(ready.seq, undefined);
});

test("the URL needs no slash, but a version that is known", async (t) => {
  const { bot } = await start(t, { gatewayVersions: [8] });
  const client = new GatewayClient(`${bot.endpoint}?v=8`);
  t.is((await client.message(8)).op, 8);
  for (const query of ["?v=4", "?v=3", "?v=banana", "", "?w=8"]) {
    t.is(await new GatewayClient(`${bot.endpoint}/${query}`).closed(), 4020, query);
  }
});

/** What a client sends as its first frame, and the code that it earns. */
const FIRST_FRAMES: [string, (body: Record<string, unknown>) => string | Buffer, number][] = [
  ["no JSON", () => "hello?", 4002],
  ["an array", () => "[1,2]", 4002],
  ["null", () => "null", 4002],
  ["JSON in a binary frame", () => Buffer.from('{"op":3,"d":{}}'), 4003],
  ["no op", () => '{"d":{}}', 4020],
  ["op of a wrong type", () => '{"op":"0","d":{}}', 4020],
  ["a heartbeat before Identify", () => '{"op":3,"d":{"t":1}}', 4003],
  ["an unknown op before Identify", () => '{"op":77,"d":{}}', 4003],
  ["Identify without a body", () => '{"op":0,"d":null}', 4020],
  ["a guild id as a number", (b) => frame(0, { ...b, server_id: 41 }), 4020],
  ["no token", (b) => frame(0, { ...b, token: undefined }), 4020],
  ["a version as text", (b) => frame(0, { ...b, max_dave_protocol_version: "1" }), 4020],
  ["a wrong token", (b) => frame(0, { ...b, token: "0000000000000000" }), 4004],
  ["a stale session", (b) => frame(0, { ...b, session_id: "f".repeat(32) }), 4006],
  ["another user", (b) => frame(0, { ...b, user_id: "1" }), 4006],
  ["an unknown guild", (b) => frame(0, { ...b, server_id: "1" }), 4011],
  ["a resume of nothing", (b) => frame(7, { ...b, seq_ack: 3 }), 4006],
  ["8 MiB", () => "x".repeat(8 * 1024 * 1024), 1009],
];

for (const [name, make, code] of FIRST_FRAMES) {
  test(`first frame: ${name} is closed with ${code}`, async (t) => {
    const { bot } = await start(t);
    const client = new GatewayClient(gatewayUrl(bot.endpoint));
    await client.message(8);
    client.socket.send(make(identifyBody(bot)));
    t.is(await client.closed(), code);
  });
}

/** What a client sends after Ready, and the code that it earns. */
const LATER_FRAMES: [string, string | Buffer, number][] = [
  [
    "a second Identify",
    frame(0, { server_id: GUILD, user_id: BOT, session_id: "", token: "" }),
    4005,
  ],
  ["an unknown op", frame(77, {}), 4001],
  ["a server's op", frame(2, {}), 4001],
  ["broken JSON", '{"op":3', 4002],
  ["an unknown binary frame", Buffer.from([3, 1, 2]), 4002],
  ["an empty binary frame", Buffer.alloc(0), 4002],
  ["a heartbeat without t", frame(3, { seq_ack: 1 }), 4020],
  ["a bare heartbeat", frame(3, 12), 4020],
  ["a heartbeat with a text seq_ack", frame(3, { t: 1, seq_ack: "1" }), 4020],
  ["speaking as text", frame(5, { speaking: "1" }), 4020],
  ["an unknown protocol", frame(1, { protocol: "smoke", data: {} }), 4012],
  ["no protocol", frame(1, {}), 4020],
  ["no data", frame(1, { protocol: "udp" }), 4020],
  ["no port", frame(1, { protocol: "udp", data: { address: "1.2.3.4", mode: GCM } }), 4020],
  ["a mode not offered", select("aead_aes256_gcm"), 4016],
];

for (const [name, sent, code] of LATER_FRAMES) {
  test(`after Ready: ${name} is closed with ${code}`, async (t) => {
    const { simulator, bot } = await start(t);
    const client = new Client(bot);
    await client.identify();
    client.gateway.socket.send(sent);
    t.is(await client.gateway.closed(), code);
    t.deepEqual(simulator.sessions(), []);
  });
}

test("messages about the others are numbered from 0; a leave is told", async (t) => {
  const { simulator, bot } = await start(t);
  const friend = await new Client(simulator.admit({ ...PLACE, userId: FRIEND })).connect(GCM);
  const client = await new Client(bot).connect(GCM);
  await client.gateway.message(5);
  const numbered = client.gateway.messages.filter((message) => message.seq !== undefined);
  t.deepEqual(
    numbered.map(({ op, seq }) => [op, seq]),
    [
      [11, 0],
      [18, 1],
      [20, 2],
      [5, 3],
      [15, 4],
    ],
  );
  t.deepEqual(numbered[0]?.d as unknown, { user_ids: [FRIEND] });
  t.like(numbered[3]?.d, { user_id: FRIEND, ssrc: friend.ssrc });
  t.like((await friend.gateway.message(11)).d, { user_ids: [BOT] });
  await client.close();
  t.deepEqual((await friend.gateway.message(13)).d as unknown, { user_id: BOT });
});

test("version 4 messages have no numbers", async (t) => {
  const { simulator, bot } = await start(t);
  await new Client(simulator.admit({ ...PLACE, userId: FRIEND })).connect(GCM);
  const client = await new Client(bot, 4).connect(GCM);
  await client.gateway.message(15);
  t.true(client.gateway.messages.every((message) => message.seq === undefined));
});

for (const firstSequence of [0, 65_534]) {
  test(`a resume replays what was missed, from ${firstSequence} on; SSRC, key and sound survive`, async (t) => {
    const { simulator, bot } = await start(t);
    simulator.faults.firstSequence = firstSequence;
    const listener = simulator.listen(PLACE);
    const client = await new Client(bot).connect(GCM);
    await client.gateway.message(15);
    t.is(client.gateway.lastSeq, firstSequence);
    await client.play([SILENCE, SILENCE]);
    client.gateway.socket.terminate();
    await client.gateway.closed();
    await listener.waitFor(() => simulator.sessions()[0]?.isConnected === false);
    const friend = await new Client(simulator.admit({ ...PLACE, userId: FRIEND })).connect(GCM);
    await client.play([SILENCE, SILENCE]);
    const again = await resume(client, firstSequence);
    t.is((await again.message(9)).d as unknown, null);
    await again.message(5);
    const seqs = again.messages.flatMap(({ op, seq }) => (seq === undefined ? [] : [[op, seq]]));
    const following = (n: number): number => (firstSequence + n) & 0xffff;
    t.deepEqual(seqs, [
      [11, following(1)],
      [18, following(2)],
      [20, following(3)],
      [5, following(4)],
    ]);
    await client.play([SILENCE]);
    t.true(await listener.waitFor((l) => l.packets.length === 5));
    t.deepEqual(untimed(listener.problems), []);
    t.is(simulator.sessions()[0]?.counts.resumes, 1);
    await friend.close();
  });
}

test("a resume fails after a clean close, a wrong token, a number never sent, a gap, or too late", async (t) => {
  const { simulator, bot } = await start(t, { resumeWindowMs: 200 });
  const listener = simulator.listen(PLACE);
  const broken = async (): Promise<Client> => {
    const client = await new Client(bot).connect(GCM);
    await client.gateway.message(15);
    client.gateway.socket.terminate();
    return client;
  };
  const clean = await new Client(bot).connect(GCM);
  await clean.close(1000);
  t.is(await (await resume(clean, 0)).closed(), 4006);
  t.is(await (await resume(await broken(), 0, { token: "0" })).closed(), 4004);
  t.is(await (await resume(await broken(), 77)).closed(), 4006);
  const late = await broken();
  t.true(await listener.waitFor(() => simulator.sessions().length === 0));
  t.is(await (await resume(late, 0)).closed(), 4006);
});

test("the buffer holds 256 messages: a resume beyond it fails", async (t) => {
  const { simulator, bot } = await start(t);
  for (const [missed, outcome] of [
    [255, 9],
    [258, 4006],
  ] as const) {
    const client = await new Client(bot).connect(GCM);
    await client.gateway.message(15);
    client.gateway.socket.terminate();
    await client.gateway.closed();
    // Each visit is told by ops 11, 18, 20 and 13... the first three as the visitor comes.
    for (let visit = 0; visit < missed / 3; visit++) {
      const visitor = new Client(simulator.admit({ ...PLACE, userId: `9${visit}` }));
      await visitor.identify();
      visitor.gateway.socket.terminate();
    }
    const again = await resume(client, 0);
    const got = await Promise.race([again.message(9).then(() => 9), again.closed()]).catch(
      () => 4006,
    );
    t.is(got, outcome, `${missed} missed`);
    again.socket.close(1000);
    await again.closed();
  }
});

test("without heartbeats a connection is closed with 4009; the session can be resumed", async (t) => {
  const { bot } = await start(t, { heartbeatIntervalMs: 400 });
  const client = new Client(bot);
  await client.identify();
  t.is(await client.gateway.closed(), 4009);
  const again = await resume(client, -1);
  t.is((await again.message(9)).op, 9);
});

test("a second connection of the same user ends the first with 4006", async (t) => {
  const { simulator, bot } = await start(t);
  const first = await new Client(bot).connect(GCM);
  const second = await new Client(bot).connect(GCM);
  t.is(await first.gateway.closed(), 4006);
  t.deepEqual(
    simulator.sessions().map(({ ssrc }) => ssrc),
    [second.ssrc],
  );
});

test("with TLS the certificate made at the start is accepted as authority", async (t) => {
  const { simulator, bot } = await start(t, { tls: true });
  t.regex(bot.endpoint, /^127\.0\.0\.1:\d+$/);
  const ca = simulator.certificate;
  const client = await new Client(bot, 8, { ca }).connect(GCM);
  t.is(client.mode, GCM);
  const distrustful = new WebSocket(gatewayUrl(bot.endpoint));
  const [error] = (await once(distrustful, "error")) as [NodeJS.ErrnoException];
  t.regex(error.code ?? "", /SELF_SIGNED|UNABLE_TO_VERIFY/);
});

async function resume(
  client: Client,
  seqAck: number,
  changes: Record<string, unknown> = {},
): Promise<GatewayClient> {
  const gateway = new GatewayClient(gatewayUrl(client.credentials.endpoint, client.version));
  await gateway.message(8);
  const { guildId, sessionId, token } = client.credentials;
  const body = { server_id: guildId, session_id: sessionId, token, seq_ack: seqAck, ...changes };
  gateway.send(7, body);
  return gateway;
}

function frame(op: number, d: unknown): string {
  return JSON.stringify({ op, d });
}

function select(mode: string): string {
  return frame(1, { protocol: "udp", data: { address: "127.0.0.1", port: 4, mode } });
}
