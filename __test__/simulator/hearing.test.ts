/** A listener hears a hand-written client, bit for bit, in every mode and both gateway versions. */

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { DiscordSimulator, type Listener } from "../../ts/simulator/index.ts";
import { BOT, CHANNEL, Client, FRIEND, GUILD, openPacket, PLACE, SILENCE } from "./client.ts";
import { untimed } from "./untimed.ts";

const MODES = [
  "aead_aes256_gcm_rtpsize",
  "aead_xchacha20_poly1305_rtpsize",
  "xsalsa20_poly1305_lite",
  "xsalsa20_poly1305_suffix",
  "xsalsa20_poly1305",
];
const TAIL = Array<Buffer>(5).fill(SILENCE);

for (const mode of MODES) {
  for (const version of [8, 4]) {
    test(`${mode}, version ${version}: every frame is heard as it was sent`, async (t) => {
      await using simulator = await DiscordSimulator.start();
      const listener = simulator.listen(PLACE);
      const client = new Client(simulator.admit({ ...PLACE, userId: BOT }), version);
      await client.connect(mode);
      const frames = [...sine(25), ...TAIL];
      await client.play(frames);
      t.true(await listener.waitFor((l) => l.packets.length === frames.length));
      t.deepEqual(
        listener.packets.map((packet) => Buffer.from(packet.opus).toString("hex")),
        frames.map((frame) => Buffer.from(frame).toString("hex")),
      );
      t.deepEqual(untimed(listener.problems), []);
      t.is(listener.stats().mode, mode);
      t.true(listener.packets.every((p) => p.userId === BOT && p.ssrc === client.ssrc));
      t.is(listener.packets.filter((packet) => packet.silence).length, 5);
      await client.close();
    });
  }
}

for (const mode of MODES) {
  test(`${mode}: others in the channel get the audio under their own key, with extension and padding`, async (t) => {
    await using simulator = await DiscordSimulator.start();
    simulator.faults.forwarded.paddingShare = 0.5;
    const speaker = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(mode);
    const friend = await new Client(simulator.admit({ ...PLACE, userId: FRIEND })).connect(mode, 0);
    const announced = await friend.gateway.message(5);
    t.like(announced.d, { user_id: BOT, ssrc: speaker.ssrc, speaking: 1 });
    const frames = sine(20);
    await speaker.play(frames);
    const isAudio = (datagram: Buffer): boolean => (datagram[1] ?? 0) === 0x78;
    await friend.media.datagram(() => friend.media.received.filter(isAudio).length === 20);
    const opened = friend.media.received.filter(isAudio).map((datagram) => {
      t.is(datagram.readUInt32BE(8), speaker.ssrc);
      return audioIn(datagram, openPacket(mode, friend.key, datagram), mode);
    });
    t.deepEqual(
      opened,
      frames.map((frame) => Buffer.from(frame)),
    );
    const padded = friend.media.received.filter((d) => isAudio(d) && (d[0] ?? 0) & 0x20);
    t.true(padded.length > 0 && padded.length < 20);
    await Promise.all([speaker.close(), friend.close()]);
  });
}

test("what was heard decodes to the sound that was sent, gaps filled, and both files hold it", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const listener = simulator.listen(PLACE);
  const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(
    MODES[0] ?? "",
  );
  await client.play([...sine(25), ...TAIL]);
  client.timestamp = (client.timestamp + 25 * 960) >>> 0;
  client.dueMs += 500;
  await client.play(sine(25));
  t.true(await listener.waitFor((l) => l.packets.length === 55));
  t.deepEqual(untimed(listener.problems), []);
  const pcm = listener.pcm();
  t.is(pcm.length, (25 + 5 + 25 + 25) * 960 * 2);
  t.true(rms(pcm.subarray(5 * 1920, 25 * 1920)) > 5000);
  t.is(rms(pcm.subarray(30 * 1920, 55 * 1920)), 0);
  t.true(rms(pcm.subarray(60 * 1920)) > 5000);
  await checkFiles(t, listener, pcm);
  await client.close();
});

test("lateness is measured against the sender's own grid", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const listener = simulator.listen(PLACE);
  const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(
    MODES[0] ?? "",
  );
  for (const packet of sine(50).map((frame) => client.seal(frame))) client.sendDatagram(packet);
  t.true(await listener.waitFor((l) => l.packets.length === 50));
  // Sent at once, the first packet is the latest: it waited for the last one's place on the grid. On a busy
  // machine "at once" takes a while, which comes off.
  const { maxMs, p50Ms } = listener.stats().lateness;
  t.true(maxMs > 600 && maxMs < 1000, `${maxMs}`);
  t.true(p50Ms > 200 && p50Ms < 600, `${p50Ms}`);
  await client.close();
});

test("a listener keeps no more than its limit, and counts the rest", async (t) => {
  await using simulator = await DiscordSimulator.start();
  const listener = simulator.listen({ guildId: GUILD, channelId: CHANNEL, maxPackets: 10 });
  const client = await new Client(simulator.admit({ ...PLACE, userId: BOT })).connect(
    MODES[0] ?? "",
  );
  await client.play(sine(25));
  t.true(await listener.waitFor((l) => l.stats().dropped === 15));
  t.is(listener.packets.length, 10);
  await client.close();
});

/** Removes the extension's elements (two or one words, by the preamble) and the padding. */
function audioIn(datagram: Buffer, plain: Buffer, mode: string): Buffer {
  const first = datagram[0] ?? 0;
  const isRtpsize = mode.endsWith("_rtpsize");
  const words = (isRtpsize ? datagram.subarray(12) : plain).readUInt16BE(2);
  const start = (isRtpsize ? 0 : 4) + words * 4;
  const padding = first & 0x20 ? (plain.at(-1) ?? 0) : 0;
  return Buffer.from(plain.subarray(start, plain.length - padding));
}

async function checkFiles(
  t: import("ava").ExecutionContext,
  listener: Listener,
  pcm: Int16Array,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-heard-"));
  const [wav, ogg] = [join(folder, "heard.wav"), join(folder, "heard.ogg")];
  await listener.writeWav(wav);
  await listener.writeOgg(ogg);
  const bytes = await readFile(wav);
  t.is(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 16), "RIFFWAVEfmt ");
  t.is(bytes.readUInt32LE(40), pcm.byteLength);
  t.deepEqual(bytes.subarray(44), Buffer.from(pcm.buffer, 0, pcm.byteLength));
  const pages = oggPages(await readFile(ogg));
  t.deepEqual(
    pages.map(({ flags }) => flags),
    [2, 0, 0, 4],
  );
  t.deepEqual(
    pages.map(({ granule }) => granule),
    [0, 0, 40 * 960, 80 * 960],
  );
  t.true(pages.every(({ number, crcIsGood }, at) => number === at && crcIsGood));
  const [head, tags, ...audio] = pages.flatMap(({ packets }) => packets);
  t.is(
    head?.toString("hex"),
    Buffer.from("OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0", "latin1").toString("hex"),
  );
  t.is(tags?.toString("latin1", 0, 8), "OpusTags");
  const gap = Array<Buffer>(25).fill(SILENCE);
  const heard = listener.packets.map(({ opus }) => opus);
  t.deepEqual(audio, [...heard.slice(0, 30), ...gap, ...heard.slice(30)]);
  await rm(folder, { recursive: true });
}

/** Takes an Ogg file apart as RFC 3533 says; the checksum bit by bit. */
function oggPages(file: Buffer) {
  const pages = [];
  for (let at = 0; at < file.length; ) {
    const lacing = [...file.subarray(at + 27, at + 27 + (file[at + 26] ?? 0))];
    const begin = at + 27 + lacing.length;
    const end = begin + lacing.reduce((sum, length) => sum + length, 0);
    const page = Buffer.from(file.subarray(at, end));
    const packets: Buffer[] = [];
    let start = begin;
    let length = 0;
    for (const value of lacing) {
      length += value;
      if (value === 255) continue;
      packets.push(file.subarray(start, start + length));
      start += length;
      length = 0;
    }
    const crc = page.readUInt32LE(22);
    page.writeUInt32LE(0, 22);
    const isPage = page.toString("latin1", 0, 5) === "OggS\0";
    pages.push({
      flags: page[5],
      granule: Number(page.readBigInt64LE(6)),
      number: page.readUInt32LE(18),
      crcIsGood: isPage && crc === crc32(page),
      packets,
    });
    at = end;
  }
  return pages;
}

function crc32(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000_0000 ? (crc << 1) ^ 0x04c1_1db7 : crc << 1;
  }
  return crc >>> 0;
}

/** Opus frames of a 440 Hz tone, each different from the others. */
function sine(count: number): Buffer[] {
  const { OpusEncoder } = createRequire(import.meta.url)("@discordjs/opus") as {
    OpusEncoder: new (rate: number, channels: number) => { encode(pcm: Buffer): Buffer };
  };
  const encoder = new OpusEncoder(48_000, 2);
  return Array.from({ length: count }, (_, frame) => {
    const pcm = new Int16Array(1920);
    for (let at = 0; at < 960; at++) {
      const value = 12_000 * Math.sin((2 * Math.PI * 440 * (frame * 960 + at)) / 48_000);
      pcm[at * 2] = value;
      pcm[at * 2 + 1] = value;
    }
    return encoder.encode(Buffer.from(pcm.buffer));
  });
}

function rms(samples: Int16Array): number {
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
}
