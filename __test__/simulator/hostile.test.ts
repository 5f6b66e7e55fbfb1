/** Hostile clients harm nobody but themselves; closing leaves nothing behind. */

import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { fileURLToPath } from "node:url";
import test from "ava";
import { DiscordSimulator } from "../../ts/simulator/index.ts";
import {
  BOT,
  Client,
  discoveryRequest,
  FRIEND,
  GatewayClient,
  gatewayUrl,
  PLACE,
  SILENCE,
} from "./client.ts";
import { untimed } from "./untimed.ts";

const GCM = "aead_aes256_gcm_rtpsize";
const SOUND = Buffer.from([0xfc, 1, 2, 3]);

test.serial(
  "datagrams of 0 to 2,000 random bytes from strangers are counted; a call goes on undisturbed",
  async (t) => {
    await using simulator = await DiscordSimulator.start();
    const listener = simulator.listen(PLACE);
    const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
    const stranger = createSocket("udp4").unref();
    const { address, port } = client.server;
    const playing = client.play([
      ...Array<Buffer>(60).fill(SOUND),
      ...Array<Buffer>(5).fill(SILENCE),
    ]);
    for (let length = 0; length <= 2000; length++) {
      stranger.send(junk(length), port, address);
      // A burst that overflows the system's buffer would cost the client packets, too.
      if (length % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await playing;
    t.true(await listener.waitFor((l) => l.packets.length === 65));
    t.deepEqual(untimed(listener.problems), []);
    const { unknown, discovery } = simulator.strays;
    t.true(unknown + discovery > 1900, `${unknown}`);
    await new Promise<void>((resolve) => stranger.close(resolve));
  },
);

test.serial(
  "a stranger cannot take a session over by discovery, replay or a forged packet",
  async (t) => {
    await using simulator = await DiscordSimulator.start();
    const listener = simulator.listen(PLACE);
    const speaker = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
    const friend = await new Client(simulator.admit({ ...PLACE, userId: FRIEND })).connect(GCM);
    const thief = createSocket("udp4").unref();
    const { address, port } = speaker.server;
    const datagram = speaker.seal(SOUND);
    speaker.sendDatagram(datagram);
    t.true(await listener.waitFor((l) => l.packets.length === 1));
    thief.send(discoveryRequest(friend.ssrc), port, address);
    thief.send(datagram, port, address);
    thief.send(Buffer.concat([datagram.subarray(0, 12), Buffer.alloc(40)]), port, address);
    await new Promise((resolve) => thief.once("message", resolve));
    const before = friend.media.received.length;
    await speaker.play([SOUND]);
    await friend.media.datagram(() => friend.media.received.length > before);
    t.is(listener.packets.length, 2);
    t.deepEqual(
      listener.problems.map(({ code }) => code),
      ["nonce_reused"],
    );
    await new Promise<void>((resolve) => thief.close(resolve));
  },
);

test.serial(
  "random, replayed and reordered datagrams of a client itself are dropped and named",
  async (t) => {
    await using simulator = await DiscordSimulator.start();
    const listener = simulator.listen(PLACE);
    const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
    const packets = Array.from({ length: 6 }, () => client.seal(SOUND));
    const order = [0, 2, 1, 3, 3, 0, 5, 4];
    for (const at of order) client.sendDatagram(packets[at] ?? SOUND);
    for (let length = 0; length <= 2000; length += 40) client.sendDatagram(junk(length));
    client.sendDatagram(client.seal(SILENCE));
    t.true(await listener.waitFor((l) => l.packets.at(-1)?.silence === true));
    t.deepEqual(
      listener.packets.map(({ sequence }) => (sequence - 0xfffe) & 0xffff),
      [0, 2, 1, 3, 5, 4, 6],
    );
    const codes = listener.problems.map(({ code }) => code);
    t.is(codes.filter((code) => code === "nonce_reused").length, 2);
    t.is(codes.filter((code) => code === "sequence_order").length, 2);
    const known = ["nonce_reused", "sequence_order", "sequence_gap", "tag_invalid"];
    t.deepEqual(
      codes.filter((code) => !known.includes(code)),
      [],
    );
  },
);

test.serial(
  "pings are answered, keepalives swallowed, 70-byte and foreign discovery ignored",
  async (t) => {
    await using simulator = await DiscordSimulator.start();
    const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
    client.sendDatagram(Buffer.from("0100000000000000", "hex"));
    client.sendDatagram(discoveryRequest(client.ssrc).subarray(4));
    client.sendDatagram(discoveryRequest(client.ssrc + 1000));
    client.sendDatagram(Buffer.from("1337cafe0000002a", "hex"));
    const pong = await client.media.datagram((datagram) => datagram.length === 8);
    t.is(pong.toString("hex"), "1337f00d0000002a");
    t.is(client.media.received.length, 2);
    t.is(simulator.sessions()[0]?.counts.keepalives, 2);
    t.is(simulator.strays.discovery, 1);
  },
);

test.serial(
  "frames that are not JSON, too long or senseless end their own connection only",
  async (t) => {
    await using simulator = await DiscordSimulator.start();
    const listener = simulator.listen(PLACE);
    const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
    const playing = client.play([...Array<Buffer>(30).fill(SOUND)]);
    const frames = [
      ..."x{}[]",
      '{"op":1e999}',
      "\u0000".repeat(1000),
      junk(3000),
      `"${"y".repeat(2 ** 23)}"`,
    ];
    const codes = await Promise.all(
      frames.map(async (frame) => {
        const hostile = new GatewayClient(gatewayUrl(client.credentials.endpoint));
        await hostile.message(8);
        hostile.socket.send(frame);
        return hostile.closed();
      }),
    );
    t.true(
      codes.every((code) => [4002, 4003, 4020, 1009].includes(code)),
      codes.join(),
    );
    await playing;
    t.true(await listener.waitFor((l) => l.packets.length === 30));
    t.deepEqual(untimed(listener.problems), []);
    t.is(client.gateway.closeCode, undefined);
  },
);

test.serial("problems are bounded", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const listener = simulator.listen(PLACE);
  const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(GCM);
  for (let sent = 0; sent < 1200; sent++) client.gateway.send(5, { speaking: 1, ssrc: 3 });
  client.gateway.send(16, {});
  await client.gateway.message(16);
  t.is(listener.problems.length, 1000);
  t.is(simulator.problems.length, 1000);
});

test.serial("close is idempotent, cuts everybody off, and lets the process end", async (t) => {
  const simulator = await DiscordSimulator.start({ tls: true });
  const listener = simulator.listen(PLACE);
  const waiting = listener.waitFor(() => false, 3_600_000);
  const bot = simulator.admit({ ...PLACE, userId: BOT });
  const client = await new Client(bot, 8, { ca: simulator.certificate }).connect(GCM);
  await Promise.all([simulator.close(), simulator.close()]);
  await simulator.close();
  t.false(await waiting);
  t.true([1001, 1006].includes(await client.gateway.closed()));
  const script = fileURLToPath(new URL("closing.mjs", import.meta.url));
  const child = spawnSync(process.execPath, ["--import", "tsx", script], { timeout: 60_000 });
  t.is(child.status, 0, String(child.stderr));
});

function junk(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = length + 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}
