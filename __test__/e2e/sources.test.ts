/** Radio, HLS and playlists through a node, from servers on loopback to the ear. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import type { Resolver } from "../../ts/node/index.ts";
import { guild_id, type LiveNode, liveNode } from "../support/live-node.ts";
import { FIXTURES, mediaServer, sendBytes, sendFiles } from "../support/media-server.ts";

const HLS = join(FIXTURES, "hls");
const LIST = { "Content-Type": "application/vnd.apple.mpegurl" };

/** Plays a URL to its end, and tells how it went. */
async function playOut(bench: LiveNode, url: string, d: Record<string, unknown> = {}) {
  const from = bench.listener.packets.length;
  await bench.play(url, d);
  const end = await bench.client.next("track_end");
  const { events } = bench.client;
  const start = events.filter((event) => event.type === "track_start").at(-1);
  const error = events.filter((event) => event.type === "track_error").at(-1);
  const packets = bench.listener.packets.slice(from).filter(({ silence }) => !silence);
  return { end, start, error, from, packets: packets.length };
}

/** Mean power of the sound. */
function powerOf(sound: Float64Array): number {
  return sound.reduce((sum, value) => sum + value * value, 0) / sound.length;
}

test("a radio stream plays without its titles, which arrive at the client", async (t) => {
  const bench = await liveNode(t);
  const whole = await readFile(join(FIXTURES, "stereo-44100.mp3"));
  // A radio has no first frame that tells a length.
  const mark = Buffer.from([0xff, 0xfb]);
  const mp3 = whole.subarray(whole.indexOf(mark, whole.indexOf(mark) + 2));
  const sound = Buffer.concat([mp3, mp3, mp3, mp3]);
  const interval = 8000;
  const asked: (string | undefined)[] = [];
  const radio = await mediaServer(t, (request, response) => {
    asked.push(String(request.headers["icy-metadata"]));
    response.writeHead(200, {
      "Content-Type": "audio/mpeg",
      "icy-name": "Radio Test",
      "icy-metaint": String(interval),
    });
    for (let at = 0; at + interval <= sound.length; at += interval) {
      response.write(sound.subarray(at, at + interval));
      const said = `StreamTitle='Song ${at / interval} – é';StreamUrl='http://radio.test/';`;
      const text = Buffer.from(at % (3 * interval) === 0 ? said : "");
      const blocks = Math.ceil(text.length / 16);
      response.write(Buffer.concat([Buffer.from([blocks]), text], 1 + 16 * blocks));
    }
  });
  await bench.connect();
  await bench.play(`${radio}/live`);
  t.like(await bench.client.next("track_start"), { codec: "mp3", length: null });
  let said = await bench.client.next("track_metadata");
  // The station may be told before its first title.
  if (said.title === null) said = await bench.client.next("track_metadata");
  t.like(said, { guild_id, title: "Song 0 – é", station: "Radio Test", url: "http://radio.test/" });
  // What was said while nothing was decoded yet is not repeated.
  t.regex((await bench.client.next("track_metadata")).title ?? "", /^Song [36] – é$/);
  const from = await bench.heard(50);
  const to = await bench.heard(100);
  t.true(powerOf(bench.sound(from, to)) > 1e-4);
  t.deepEqual([...new Set(asked)], ["1"]);
  await bench.done("set_position", { position: 0 });
  t.is((await bench.client.next("track_error")).code, "seek_failed");
});

for (const list of ["ts", "encrypted", "fmp4", "packed"]) {
  test(`HLS with ${list} segments plays, is sought in and ends`, async (t) => {
    const bench = await liveNode(t);
    const server = await mediaServer(t, sendFiles(HLS));
    await bench.connect();
    const whole = await playOut(bench, `${server}/${list}.m3u8`);
    t.is(whole.end.reason, "finished");
    t.like(whole.start, { codec: "aac", passthrough: false });
    t.true(Math.abs(Number(whole.start?.length) - 2050) < 100, `${whole.start?.length} ms`);
    t.true(whole.packets >= 100 && whole.packets <= 108, `${whole.packets} packets`);
    t.true(powerOf(bench.sound(whole.from)) > 1e-4);
    const rest = await playOut(bench, `${server}/${list}.m3u8`, { start_time: 1200 });
    t.is(rest.end.reason, "finished");
    t.true(rest.packets >= 38 && rest.packets <= 48, `${rest.packets} packets from the middle`);
    await bench.play(`${server}/${list}.m3u8`);
    await bench.heard(10);
    await bench.done("set_pause_state", { state: true });
    await bench.done("set_position", { position: 1600 });
    const from = bench.listener.packets.length;
    await bench.done("set_pause_state", { state: false });
    t.is((await bench.client.next("track_end")).reason, "finished");
    const after = bench.listener.packets.slice(from).filter(({ silence }) => !silence).length;
    t.true(after >= 15 && after <= 40, `${after} packets after the seek`);
  });
}

test("a live HLS list is followed as it moves on, and ends when it says so", async (t) => {
  const bench = await liveNode(t);
  let looks = 0;
  const segments = sendFiles(HLS);
  const server = await mediaServer(t, (request, response) => {
    const number = /^\/(\d+)\.aac$/.exec(request.url ?? "")?.[1];
    if (number !== undefined) {
      request.url = `/packed${Number(number) % 4}.aac`;
      return segments(request, response);
    }
    looks += 1;
    const first = Math.min(looks, 8);
    const lines = Array.from({ length: 4 }, (_, at) => `#EXTINF:0.5,\n${first + at}.aac`);
    const head = `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:${first}\n`;
    const end = first === 8 ? "\n#EXT-X-ENDLIST\n" : "\n";
    response.writeHead(200, LIST).end(head + lines.join("\n") + end);
  });
  await bench.connect();
  const live = await playOut(bench, `${server}/live.m3u8`);
  t.is(live.end.reason, "finished");
  t.is(live.start?.length, null);
  t.true(looks >= 8);
  // From the list's beginning, 3 target durations before its end, up to segment 11 of 25 frames each.
  t.true(live.packets > 200 && live.packets < 300, `${live.packets} packets`);
});

test("HLS goes on behind a missing segment, and names a wrong key", async (t) => {
  const bench = await liveNode(t);
  const files = sendFiles(HLS);
  const server = await mediaServer(t, (request, response) => {
    if (request.url === "/ts1.ts") return void response.writeHead(404).end();
    if (request.url === "/key.bin") return sendBytes(request, response, Buffer.alloc(16, 7));
    return files(request, response);
  });
  await bench.connect();
  const holed = await playOut(bench, `${server}/ts.m3u8`);
  t.is(holed.end.reason, "finished");
  t.true(holed.packets > 60 && holed.packets < 90, `${holed.packets} packets`);
  const locked = await playOut(bench, `${server}/encrypted.m3u8`);
  t.is(locked.end.reason, "load_failed");
  t.is(locked.error?.code, "hls_encrypted");
});

test("header fields that a resolver names reach the server, and seeks carry them, too", async (t) => {
  const files = sendFiles(FIXTURES);
  const seen = new Set<string>();
  const server = await mediaServer(t, (request, response) => {
    const { referer, cookie, "user-agent": agent } = request.headers;
    seen.add(`${referer} ${cookie} ${agent}`);
    return files(request, response);
  });
  const headers = { Referer: "https://page.test/", Cookie: "a=b", "User-Agent": "test/1" };
  const shelf: Resolver = {
    name: "shelf",
    open: async () => ({ url: `${server}/stereo-44100.m4a`, headers }),
  };
  const bench = await liveNode(t, {}, { resolvers: [shelf] });
  await bench.connect();
  const { end } = await playOut(bench, "https://page.test/song", { start_time: 1000 });
  t.is(end.reason, "finished");
  t.deepEqual([...seen], ["https://page.test/ a=b test/1"]);
});

test("M3U and PLS lead to the first address that answers", async (t) => {
  const bench = await liveNode(t);
  const files = sendFiles(FIXTURES);
  const server = await mediaServer(t, (request, response) => {
    const lists: Record<string, string> = {
      "/list.m3u": "#EXTM3U\n#EXTINF:-1,Gone\n/gone.mp3\n#EXTINF:2,Here\nsub/stereo-20ms.opus\n",
      "/list.pls":
        "[playlist]\nNumberOfEntries=2\nFile1=/gone.mp3\nFile2=/list.m3u\nTitle2=Here\nVersion=2\n",
    };
    const list = lists[request.url ?? ""];
    if (list === undefined) return files(request, response);
    const type = request.url === "/list.m3u" ? "audio/x-mpegurl" : "audio/x-scpls";
    response.writeHead(200, { "Content-Type": type }).end(list);
  });
  await bench.connect();
  for (const name of ["list.m3u", "list.pls"]) {
    const { end, start, packets } = await playOut(bench, `${server}/${name}`);
    t.is(end.reason, "finished", name);
    t.like(start, { codec: "opus", passthrough: true }, name);
    t.true(packets >= 60 && packets <= 66, `${name}: ${packets} packets`);
  }
});
