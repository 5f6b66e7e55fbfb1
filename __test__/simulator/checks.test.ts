/** What a client does wrong is named: one table row per rule, and no objection to a client that does right. */

import test from "ava";
import { DiscordSimulator, type Listener, type ProblemCode } from "../../ts/simulator/index.ts";
import { BOT, Client, discoveryRequest, PLACE, SILENCE, sealPacket } from "./client.ts";

const GCM = "aead_aes256_gcm_rtpsize";
const SOUND = Buffer.from([0xfc, 1, 2, 3]);
const TAIL = Array<Buffer>(5).fill(SILENCE);
const sound = (count: number): Buffer[] => Array<Buffer>(count).fill(SOUND);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A rule, and how a client that is connected breaks it. */
const RULES: [ProblemCode, (client: Client) => Promise<void> | void][] = [
  ["wrong_header", (client) => client.sendDatagram(packet(client, { header: 0x80f8 }))],
  ["wrong_ssrc", (client) => client.sendDatagram(packet(client, { ssrc: client.ssrc + 1 }))],
  ["tag_invalid", (client) => client.sendDatagram(flipped(client.seal(SOUND)))],
  [
    "nonce_reused",
    async (client) => {
      await client.play(sound(2));
      client.counter -= 1;
      await client.play(sound(1));
    },
  ],
  [
    "sequence_gap",
    async (client) => {
      await client.play(sound(1));
      client.sequence = (client.sequence + 1) & 0xffff;
      await client.play(sound(1));
    },
  ],
  [
    "sequence_order",
    async (client) => {
      await client.play(sound(2));
      client.sequence = (client.sequence - 2) & 0xffff;
      await client.play(sound(1));
    },
  ],
  [
    "timestamp_step",
    async (client) => {
      await client.play(sound(1));
      client.timestamp += 1;
      await client.play(sound(1));
    },
  ],
  [
    "timestamp_order",
    async (client) => {
      await client.play(sound(2));
      client.timestamp = (client.timestamp - 1920) >>> 0;
      await client.play(sound(1));
    },
  ],
  [
    "silence_missing",
    async (client) => {
      await client.play(sound(2));
      client.timestamp = (client.timestamp + 960 * 50) >>> 0;
      await client.play(sound(1));
    },
  ],
  [
    "silence_missing",
    async (client) => {
      await client.play([...sound(2), ...TAIL.slice(1)]);
      client.speak(0);
    },
  ],
  [
    "timestamp_behind_clock",
    async (client) => {
      await client.play([...sound(5), ...TAIL]);
      await pause(1000);
      client.dueMs = 0;
      await client.play(sound(120));
    },
  ],
  [
    "timestamp_ahead_of_clock",
    async (client) => {
      await client.play(sound(60));
      for (const frame of sound(60)) client.sendDatagram(client.seal(frame));
      client.dueMs = 0;
      await client.play(sound(60));
    },
  ],
  [
    "audio_while_not_speaking",
    async (client) => {
      await client.play(TAIL);
      client.speak(0);
      client.gateway.send(16, {});
      await client.gateway.message(16);
      await pause(300);
      client.dueMs = 0;
      await client.play(sound(1));
    },
  ],
  ["speaking_wrong_ssrc", (client) => client.gateway.send(5, { speaking: 1, ssrc: 3 })],
  [
    "discovery_malformed",
    (client) => client.sendDatagram(discoveryRequest(client.ssrc).fill(1, 20)),
  ],
  ["seq_ack_wrong", (client) => client.gateway.send(3, { t: 1, seq_ack: 900 })],
  [
    "seq_ack_wrong",
    async (client) => {
      await client.gateway.message(15);
      client.gateway.send(3, { t: 1, seq_ack: 0 });
      client.gateway.send(3, { t: 1, seq_ack: -1 });
    },
  ],
  ["protocol_violation", (client) => client.gateway.send(77, {})],
  [
    "identify_twice",
    (client) =>
      client.gateway.send(0, { server_id: "1", user_id: "1", session_id: "1", token: "1" }),
  ],
  ["unexpected_dave_message", (client) => client.gateway.socket.send(Buffer.from([26, 1]))],
];

for (const [index, [code, breakRule]] of RULES.entries()) {
  test.serial(`${code} (${index}): named, and nothing else`, async (t) => {
    await using simulator = await DiscordSimulator.start();
    const listener = simulator.listen(PLACE);
    const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
    await breakRule(client);
    t.true(await named(listener, code), JSON.stringify(listener.problems));
    t.deepEqual([...new Set(listener.problems.map((problem) => problem.code))], [code]);
    t.like(listener.problems[0], { ...PLACE, userId: BOT });
    t.deepEqual(simulator.problems, listener.problems);
  });
}

test.serial(
  "audio without any op 5 is held, then dropped and named; with a late op 5 it is heard",
  async (t) => {
    await using simulator = await DiscordSimulator.start();
    const listener = simulator.listen(PLACE);
    const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM, 0);
    await client.play(sound(1));
    t.true(await named(listener, "audio_before_speaking"));
    t.is(listener.packets.length, 0);
    await client.play(sound(2));
    client.speak(1);
    t.true(await listener.waitFor((l) => l.packets.length === 2));
    t.is(listener.problems.length, 1);
  },
);

test.serial("audio before the key is dropped and named", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const listener = simulator.listen(PLACE);
  const client = new Client(simulator.admit({ ...PLACE, userId: BOT }));
  await client.identify();
  await client.discover();
  client.mode = GCM;
  client.sendDatagram(client.seal(SOUND));
  t.true(await named(listener, "audio_before_session_description"));
});

test.serial("op 1 has to repeat the discovered address", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const listener = simulator.listen(PLACE);
  const client = new Client(simulator.admit({ ...PLACE, userId: BOT }));
  await client.identify();
  const { address, port } = await client.discover();
  client.select(GCM, address, port - 1);
  t.true(await named(listener, "address_mismatch"));
});

test.serial("late Identify and late heartbeats are named", async (t) => {
  await using simulator = await DiscordSimulator.start({ heartbeatIntervalMs: 1500 });
  const client = new Client(simulator.admit({ ...PLACE, userId: BOT }));
  await client.gateway.message(8);
  await pause(2600);
  await client.identify();
  client.gateway.send(3, { t: 1, seq_ack: -1 });
  await client.gateway.message(6);
  t.deepEqual(
    simulator.problems.map((problem) => problem.code),
    ["identify_late", "heartbeat_late"],
  );
});

test.serial(
  "a client that does right is not objected to: pause by the clock, stall, heartbeats, wraps",
  async (t) => {
    await using simulator = await DiscordSimulator.start({ heartbeatIntervalMs: 400 });
    simulator.faults.firstSequence = 65_535;
    const listener = simulator.listen(PLACE);
    const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
    const beats = setInterval(
      () => client.gateway.send(3, { t: Date.now(), seq_ack: client.gateway.lastSeq }),
      400,
    );
    await client.play([...sound(40), ...TAIL]);
    client.speak(0);
    client.timestamp = (client.timestamp + 960 * 30) >>> 0;
    client.dueMs += 600;
    await pause(400);
    client.speak(1);
    await client.play(sound(40));
    // The client stalls for 300 ms, then catches up: late, but on its grid.
    await pause(300);
    await client.play([...sound(70), ...TAIL]);
    client.speak(0);
    await pause(300);
    clearInterval(beats);
    t.deepEqual(listener.problems, []);
    t.is(listener.packets.length, 160);
    t.true((simulator.sessions()[0]?.counts.heartbeats ?? 0) >= 4);
  },
);

test.serial("a listener that comes later is told of earlier problems", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
  client.gateway.send(5, { speaking: 1, ssrc: 3 });
  client.gateway.send(16, {});
  await client.gateway.message(16);
  t.is(simulator.listen(PLACE).problems[0]?.code, "speaking_wrong_ssrc");
  t.deepEqual(simulator.listen({ ...PLACE, channelId: "1" }).problems, []);
});

function named(listener: Listener, code: ProblemCode): Promise<boolean> {
  return listener.waitFor((l) => l.problems.some((problem) => problem.code === code));
}

function packet(client: Client, change: { header?: number; ssrc?: number }): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(change.header ?? 0x8078, 0);
  header.writeUInt16BE(client.sequence, 2);
  header.writeUInt32BE(client.timestamp, 4);
  header.writeUInt32BE(change.ssrc ?? client.ssrc, 8);
  return sealPacket(client.mode, client.key, header, SOUND, client.counter++);
}

function flipped(datagram: Buffer): Buffer {
  datagram[14] = (datagram[14] ?? 0) ^ 1;
  return datagram;
}
