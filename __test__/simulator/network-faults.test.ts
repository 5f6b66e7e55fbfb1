/** What the media server does wrong on demand: lossy ways, RTCP, garbage, strangers, odd discovery answers. */

import { createDecipheriv } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import sodium from "sodium-native";
import {
  ABSURD_LENGTHS,
  DiscordSimulator,
  type LinkFaults,
  type SimMember,
  toneFrames,
} from "../../ts/simulator/index.ts";
import { BOT, Client, discoveryRequest, GUILD, openPacket, opusIn, PLACE } from "./client.ts";

const GCM = "aead_aes256_gcm_rtpsize";
const MODES = [GCM, "aead_xchacha20_poly1305_rtpsize"];
const FRAMES = toneFrames({ seconds: 1 });

async function start(t: ExecutionContext, mode = GCM, seed = 1) {
  const simulator = await DiscordSimulator.start({ seed });
  t.teardown(() => simulator.close());
  const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(mode, 0);
  t.teardown(() => client.media.close());
  return { simulator, client, member: simulator.member({ ...PLACE, firstSequence: 65_530 }) };
}

/** Waits until no packet has come for a while: those that the link delays may come behind the one that marks the end. */
async function quiet(client: Client): Promise<void> {
  let before = -1;
  while (client.media.received.length !== before) {
    before = client.media.received.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Timers run before sockets are read: what they sent is read first.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Sends 200 packets, then one that marks the end, and returns the places of those that came. */
async function places(client: Client, member: SimMember): Promise<number[]> {
  const [frame = Buffer.alloc(0)] = FRAMES;
  for (let sent = 0; sent < 200; sent++) {
    member.send(frame);
    // The client's socket is read in between: its buffer does not hold them all.
    if (sent % 20 === 19) await new Promise((resolve) => setImmediate(resolve));
  }
  // The ways of two members to one client are one way, so the last packet is not overtaken.
  const isEnd = (datagram: Buffer): boolean => datagram.readUInt32BE(8) === 1;
  while (!client.media.received.some(isEnd)) {
    member.send(frame, { ssrc: 1 });
    await client.media.datagram(isEnd, 200).catch(() => undefined);
  }
  await quiet(client);
  const audio = client.media.received.filter((d) => d.length !== 74 && !isEnd(d));
  return audio.map((datagram) => (datagram.readUInt16BE(2) - 65_530) & 0xffff);
}

const cases: { name: string; link: Partial<LinkFaults>; check: (at: number[]) => boolean }[] = [
  { name: "loss", link: { lossShare: 0.1 }, check: (at) => at.length > 150 && at.length < 195 },
  {
    name: "loss in bursts",
    link: { lossShare: 0.02, lossBurst: 5 },
    check: (at) => gaps(at).length > 0 && gaps(at).every((gap) => gap >= 5),
  },
  { name: "duplicates", link: { duplicateShare: 0.1 }, check: (at) => at.length > 205 },
  {
    name: "swapped neighbours",
    link: { swapShare: 0.1 },
    check: (at) => new Set(at).size === 200 && at.some((value, i) => value < (at[i - 1] ?? 0)),
  },
  {
    name: "a decision for each packet",
    link: { decide: ({ index }) => (index % 2 === 0 ? "drop" : "pass") },
    check: (at) => at.length === 100 && at.every((value) => value % 2 === 1),
  },
  {
    name: "jitter",
    link: { delayMs: 5, jitterMs: 30 },
    check: (at) => new Set(at).size === 200 && at.some((value, i) => value < (at[i - 1] ?? 0)),
  },
];

for (const { name, link, check } of cases) {
  test(`${name}: as asked, and alike for the same seed`, async (t) => {
    const runs: number[][] = [];
    for (const seed of [7, 7]) {
      const { simulator, client, member } = await start(t, GCM, seed);
      Object.assign(simulator.faults.link, link);
      const came = await places(client, member);
      t.true(check(came), `${came}`);
      runs.push(came);
    }
    // Timers decide the order of delayed packets.
    if (name !== "jitter") t.deepEqual(runs[0], runs[1]);
  });
}

test("damaged packets do not authenticate, the others do", async (t) => {
  const { simulator, client, member } = await start(t);
  simulator.faults.link.corruptShare = 0.2;
  await places(client, member);
  const opened = client.media.received.filter((datagram) => {
    try {
      return datagram.length !== 74 && opusIn(GCM, client.key, datagram).length > 0;
    } catch {
      return false;
    }
  });
  t.true(opened.length > 120 && opened.length < 195, `${opened.length}`);
});

test("padding that cannot be right: a count of zero, or more than the packet has", async (t) => {
  const { simulator, client, member } = await start(t);
  Object.assign(simulator.faults.forwarded, { wrongPaddingShare: 1, extension: "none" });
  for (let sent = 0; sent < 20; sent++) member.send(Buffer.alloc(10, 1));
  const isAudio = (datagram: Buffer): boolean => datagram[1] === 0x78;
  await client.media.datagram(() => client.media.received.filter(isAudio).length === 20);
  const counts = client.media.received
    .filter(isAudio)
    .map((datagram) => openPacket(GCM, client.key, datagram).at(-1));
  t.deepEqual([...new Set(counts)].sort(), [0, 255]);
});

for (const mode of MODES) {
  test(`${mode}: RTCP reports come along, sealed; a broken one does not authenticate`, async (t) => {
    const { simulator, client, member } = await start(t, mode);
    simulator.faults.forwarded.rtcpIntervalMs = 5000;
    await member.speak(FRAMES.slice(0, 5), { intervalMs: 0 });
    simulator.faults.sendRtcp(GUILD, { isBroken: true });
    const isRtcp = (datagram: Buffer): boolean => datagram[1] === 200;
    await client.media.datagram(() => client.media.received.filter(isRtcp).length === 2);
    const [report = Buffer.alloc(0), broken = Buffer.alloc(0)] =
      client.media.received.filter(isRtcp);
    t.is(report.readUInt32BE(4), member.ssrc);
    const plain = openRtcp(mode, client.key, report);
    t.is(plain.toString("hex", 28, 32), "81c90007");
    t.is(plain.readUInt32BE(36), client.ssrc);
    t.throws(() => openRtcp(mode, client.key, broken));
  });
}

test("garbage of absurd lengths, from the server and from a stranger", async (t) => {
  const { simulator, client } = await start(t);
  const senders = new Set<number>();
  client.media.socket.on("message", (_, from) => senders.add(from.port));
  for (const source of ["server", "stranger"] as const) {
    client.media.received.length = 0;
    simulator.faults.sendGarbage(GUILD, source);
    await client.media.datagram(() => client.media.received.length === 3 * ABSURD_LENGTHS.length);
    const lengths = client.media.received.map(({ length }) => length);
    t.deepEqual([...new Set(lengths)], ABSURD_LENGTHS);
    t.true(client.media.received.some((d) => d.length >= 12 && d.readUInt32BE(8) === client.ssrc));
  }
  t.is(senders.size, 2);
  t.true(senders.has(client.server.port));
});

test("discovery answers: doubled, short, late, of another kind or for another SSRC", async (t) => {
  const { simulator, client } = await start(t);
  client.media.received.length = 0;
  simulator.faults.planDiscovery("wrong_ssrc", "short", "wrong_type", "duplicate", { delayMs: 30 });
  for (let sent = 0; sent < 5; sent++) client.sendDatagram(discoveryRequest(client.ssrc));
  await client.media.datagram(() => client.media.received.length === 6);
  const answers = client.media.received;
  t.deepEqual(
    answers.map(({ length }) => length),
    [74, 70, 74, 74, 74, 74],
  );
  t.deepEqual(
    answers.map((answer) => answer.readUInt16BE(0)),
    [2, 2, 3, 2, 2, 2],
  );
  t.deepEqual(
    answers.map((answer) => answer.readUInt32BE(4) === client.ssrc),
    [false, true, true, true, true, true],
  );
});

function gaps(at: number[]): number[] {
  return at.map((value, i) => value - (at[i - 1] ?? -1) - 1).filter((gap) => gap > 0);
}

/** RTCP is sealed like audio, with its first eight bytes in clear. */
function openRtcp(mode: string, key: Buffer, datagram: Buffer): Buffer {
  const [clear, body] = [datagram.subarray(0, 8), datagram.subarray(8, -4)];
  const suffix = datagram.subarray(-4);
  if (mode === GCM) {
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.concat([suffix], 12));
    decipher.setAAD(clear).setAuthTag(body.subarray(-16));
    return Buffer.concat([clear, decipher.update(body.subarray(0, -16)), decipher.final()]);
  }
  const plain = Buffer.alloc(body.length - 16);
  const nonce = Buffer.concat([suffix], 24);
  sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(plain, null, body, clear, nonce, key);
  return Buffer.concat([clear, plain]);
}
