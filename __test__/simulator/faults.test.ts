/** Every fault on demand does what it says, once or as often as asked, and nothing else. */

import test, { type ExecutionContext } from "ava";
import { DiscordSimulator, type Phase } from "../../ts/simulator/index.ts";
import {
  BOT,
  Client,
  discoveryRequest,
  GatewayClient,
  GUILD,
  gatewayUrl,
  PLACE,
  SILENCE,
} from "./client.ts";
import { untimed } from "./untimed.ts";

const GCM = "aead_aes256_gcm_rtpsize";
const CODES = [
  ...[1000, 1001, 1006, 1011],
  ...[4000, 4001, 4002, 4003, 4004, 4005, 4006, 4009, 4011, 4012, 4013, 4014, 4015, 4016, 4017],
  ...[4020, 4021, 4022],
];
const PHASES: Phase[] = ["before_hello", "before_ready", "before_session_description", "connected"];

async function start(t: ExecutionContext, tls = false) {
  const simulator = await DiscordSimulator.start({ tls });
  t.teardown(() => simulator.close());
  return { simulator, bot: simulator.admit({ ...PLACE, userId: BOT }) };
}

for (const phase of PHASES) {
  test(`${phase}: any close code, once`, async (t) => {
    const { simulator, bot } = await start(t);
    for (const code of CODES) {
      simulator.faults.atPhase(phase, code);
      const client = new Client(bot);
      const connected = client.connect(GCM);
      t.is(await client.gateway.closed(), code, `${code}`);
      await connected.catch(() => undefined);
      t.true(
        client.gateway.messages.every(
          ({ op }) =>
            op !==
            {
              before_hello: 8,
              before_ready: 2,
              before_session_description: 4,
              connected: 9,
              resuming: 9,
            }[phase],
        ),
      );
    }
    t.is((await new Client(bot).connect(GCM)).mode, GCM);
  });
}

for (const tls of [false, true]) {
  test(`connected clients are closed with any code; 1006 is a reset (tls: ${tls})`, async (t) => {
    const { simulator, bot } = await start(t, tls);
    for (const code of CODES) {
      const client = await new Client(bot, 8, { ca: simulator.certificate }).connect(GCM);
      t.is(simulator.faults.closeWith(GUILD, code), 1);
      t.is(await client.gateway.closed(), code);
      const isKept = code < 4000 || [4000, 4009, 4013, 4015].includes(code);
      t.is(simulator.sessions().length, isKept ? 1 : 0, `${code}`);
    }
  });
}

test("resuming: closed with a code, refused, or answered with Ready", async (t) => {
  const { simulator, bot } = await start(t);
  const client = await new Client(bot).connect(GCM);
  await client.gateway.message(15);
  t.is(simulator.faults.cutSocket({ guildId: GUILD, userId: BOT }), 1);
  t.is(await client.gateway.closed(), 1006);
  const resume = async (): Promise<GatewayClient> => {
    const gateway = new GatewayClient(gatewayUrl(bot.endpoint));
    await gateway.message(8);
    const { guildId: server_id, sessionId: session_id, token } = bot;
    gateway.send(7, { server_id, session_id, token, seq_ack: 0 });
    return gateway;
  };
  simulator.faults.atPhase("resuming", 4015);
  t.is(await (await resume()).closed(), 4015);
  const good = await resume();
  await good.message(9);
  simulator.faults.cutSocket(GUILD);
  simulator.faults.readyInsteadOfResumed();
  const fresh = await resume();
  t.not((await fresh.message(2)).d.ssrc as unknown, client.ssrc);
  simulator.faults.cutSocket(GUILD);
  simulator.faults.refuseResume(1, 4009);
  t.is(await (await resume()).closed(), 4009);
  t.deepEqual(simulator.sessions(), []);
});

test("dropped discovery requests stay unanswered; the next one is answered", async (t) => {
  const { simulator, bot } = await start(t);
  simulator.faults.dropDiscovery(2);
  const client = new Client(bot);
  await client.identify();
  for (let sent = 0; sent < 3; sent++) client.sendDatagram(discoveryRequest(client.ssrc));
  await client.media.datagram((datagram) => datagram.length === 74);
  t.is(client.media.received.length, 1);
  t.is(simulator.sessions()[0]?.counts.discoveries, 3);
});

test("heartbeats: acks withheld, or with a wrong nonce; a server's wish for one", async (t) => {
  const { simulator, bot } = await start(t);
  const client = await new Client(bot).connect(GCM);
  await client.gateway.message(15);
  simulator.faults.withholdHeartbeatAcks();
  client.gateway.send(3, { t: 1, seq_ack: 0 });
  client.gateway.send(16, {});
  await client.gateway.message(16);
  t.true(client.gateway.messages.every(({ op }) => op !== 6));
  simulator.faults.withholdHeartbeatAcks(false);
  simulator.faults.heartbeatNonceWrong = true;
  client.gateway.send(3, { t: 5, seq_ack: 0 });
  t.not(Number((await client.gateway.message(6)).d.t), 5);
  simulator.faults.requestHeartbeat(GUILD);
  t.is((await client.gateway.message(3)).op, 3);
});

test("Hello: late, and with a decimal point", async (t) => {
  const { simulator, bot } = await start(t);
  simulator.faults.helloDelayMs = 100;
  simulator.faults.heartbeatIntervalFloat = true;
  const client = new Client(bot);
  const begun = performance.now();
  const hello = await client.gateway.message(8);
  t.true(performance.now() - begun >= 99);
  t.true(hello.raw.includes('"heartbeat_interval":13750.0'));
});

test("unknown ops and raw frames arrive as they are", async (t) => {
  const { simulator, bot } = await start(t);
  const client = await new Client(bot).connect(GCM);
  simulator.faults.sendUnknownOps(GUILD);
  await client.gateway.message(99, 1);
  await client.gateway.until(() => client.gateway.binary.length === 4, "binary frames");
  t.deepEqual(
    client.gateway.binary.map((binary) => binary.length),
    [0, 1, 2, 6],
  );
  simulator.faults.sendRaw(GUILD, '{"op":98,"d":{"long":true},"extra":1}');
  t.true((await client.gateway.message(98)).raw.includes("extra"));
  t.is(simulator.faults.sendRaw("1", "nobody"), 0);
});

test("a second session description brings a new key; the old one is good for a moment only", async (t) => {
  const { simulator, bot } = await start(t);
  const listener = simulator.listen(PLACE);
  const client = await new Client(bot).connect(GCM);
  await client.play([SILENCE]);
  t.true(await listener.waitFor((l) => l.packets.length === 1));
  const oldKey = client.key;
  simulator.faults.rekey(GUILD);
  await client.described(1);
  t.notDeepEqual(client.key, oldKey);
  await client.play([SILENCE]);
  t.true(await listener.waitFor((l) => l.packets.length === 2));
  t.deepEqual(untimed(listener.problems), []);
  client.key = oldKey;
  await new Promise((resolve) => setTimeout(resolve, 1100));
  await client.play([SILENCE]);
  t.true(await listener.waitFor((l) => l.problems.some(({ code }) => code === "tag_invalid")));
});
