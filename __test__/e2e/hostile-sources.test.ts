/** Servers and clients that mean harm, on a real node: the player they are played on says why, the others play on. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { GUILD, PASSWORD, trackId } from "../node/harness.ts";
import { liveNode } from "../support/live-node.ts";
import { FIXTURES, mediaServer, sendBytes } from "../support/media-server.ts";

const media = fileURLToPath(new URL("../../examples/media", import.meta.url));
const tune = join(media, "tune.opus");

test("what a server does wrong is named, and another player plays on", async (t) => {
  const bench = await liveNode(t, { allowed_folders: [media] });
  const opus = await readFile(join(FIXTURES, "stereo-20ms.opus"));
  let requests = 0;
  const server = await mediaServer(t, (request, response) => {
    requests += 1;
    const text = (body: string) => {
      response.writeHead(200, { "Content-Type": "audio/x-mpegurl" }).end(body);
    };
    const to = (Location: string) => void response.writeHead(302, { Location }).end();
    switch (request.url) {
      case "/around":
        return to("/around");
      case "/to-and-fro":
        return to(request.headers.referer ?? "/fro");
      case "/fro":
        return to("/to-and-fro");
      case "/itself.m3u":
        return text("#EXTM3U\n/itself.m3u\n");
      case "/a.m3u":
        return text("#EXTM3U\n/b.m3u\n");
      case "/b.m3u":
        return text("#EXTM3U\n/a.m3u\n");
      case "/choice.m3u8":
        return text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n/choice.m3u8\n");
      case "/big.m3u":
        return text(`#EXTM3U\n${"http://127.0.0.1:1/song.mp3\n".repeat(380_000)}`);
      case "/big.m3u8":
        return text(`#EXTM3U\n#EXT-X-TARGETDURATION:1\n${"#EXTINF:1,\n/s.ts\n".repeat(620_000)}`);
      case "/elsewhere":
        return to("file:///etc/passwd");
      default:
        return sendBytes(request, response, opus);
    }
  });
  await bench.connect();
  await bench.play(tune);
  await bench.client.next("track_start");
  const guilds = ["/around", "/to-and-fro", "/itself.m3u", "/a.m3u", "/choice.m3u8", "/big.m3u"];
  const paths = [...guilds, "/big.m3u8", "/elsewhere"];
  for (const [at, path] of paths.entries()) {
    const answer = await bench.client.send("play", {
      guild_id: String(at + 1),
      track_id: trackId(server + path),
    });
    t.is(answer.type, "done", path);
  }
  const codes: Record<string, string> = {};
  for (const _ of paths) {
    const { guild_id, code, message } = await bench.client.next("track_error");
    codes[paths[Number(guild_id) - 1] ?? ""] = code;
    t.false(message.includes("passwd") && message.includes("root"), message);
  }
  t.deepEqual(codes, {
    "/around": "http_too_many_redirects",
    "/to-and-fro": "http_too_many_redirects",
    "/itself.m3u": "playlist_loop",
    "/a.m3u": "playlist_loop",
    "/choice.m3u8": "playlist_loop",
    "/big.m3u": "http_too_large",
    "/big.m3u8": "http_too_large",
    "/elsewhere": "http_invalid_url",
  });
  t.true(requests < 60, `${requests} requests`);
  await bench.heard(50);
  t.is(bench.listener.problems.length, 0);
});

test("fifty servers that send a byte now and then hold up nobody", async (t) => {
  const bench = await liveNode(t);
  const opus = await readFile(join(FIXTURES, "stereo-20ms.opus"));
  const trickles = new Set<NodeJS.Timeout>();
  t.teardown(() => {
    for (const timer of trickles) clearInterval(timer);
  });
  let slow = 0;
  const server = await mediaServer(t, (request, response) => {
    if (!request.url?.startsWith("/slow")) return sendBytes(request, response, opus);
    slow += 1;
    const head = slow % 2 === 0 ? "HTTP/1.1 200 OK\r\nX: " : "HTTP/1.1 200 OK\r\n\r\nOggS";
    response.socket?.write(head);
    trickles.add(setInterval(() => response.socket?.write("a"), 100));
  });
  await bench.connect();
  for (let guild = 1; guild <= 50; guild++) {
    await bench.client.send("play", {
      guild_id: String(guild),
      track_id: trackId(`${server}/slow${guild}`),
    });
  }
  await bench.play(`http://localhost:${new URL(server).port}/song.opus`);
  t.is((await bench.client.next("track_end")).reason, "finished");
  t.is(bench.client.events.filter(({ type }) => type === "track_error").length, 0);
  for (let guild = 1; guild <= 50; guild++) {
    const answer = await bench.client.send("destroy", { guild_id: String(guild) });
    t.is(answer.type, "done");
  }
});

test("a client that is killed in the middle of everything reaches nobody else", async (t) => {
  const bench = await liveNode(t, { allowed_folders: [media], resume_timeout_s: 1 });
  await bench.connect();
  await bench.play(tune);
  await bench.client.next("track_start");
  const script = `
    import { WebSocket } from "ws";
    const [url, track_id] = process.argv.slice(-2);
    const headers = { Authorization: ${JSON.stringify(PASSWORD)}, "User-Id": "7" };
    const socket = new WebSocket(url, { headers });
    socket.on("open", () => setInterval(() => {
      for (let n = 1; n <= 50; n++) {
        const guild_id = String(n);
        for (const [op, d] of [
          ["play", { track_id }], ["set_filter", { filters: { timescale: { speed: 1.1 } } }],
          ["set_position", { position: 500 }], ["stop", {}], ["play", { track_id }],
        ]) socket.send(JSON.stringify({ op, d: { guild_id, ...d } }));
      }
      socket.send('{"op":"play","d":{"guild_id":"1"');
    }, 5));
    socket.once("message", () => process.stdout.write("up"));
  `;
  for (let round = 0; round < 3; round++) {
    const args = ["--input-type=module", "-e", script, "--", bench.node.url, trackId(tune)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    await bench.heard(25);
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await bench.heard(25);
  const list = await bench.client.send("list_players", {});
  t.is(list.type, "done");
  t.like(await bench.client.send("get_player", { guild_id: GUILD }), { type: "done" });
  t.deepEqual(bench.listener.problems, []);
  const bots = async (): Promise<string> => {
    const text = await (await fetch(`http://127.0.0.1:${bench.node.port}/metrics`)).text();
    return /^cadenza_bots (\d+)$/m.exec(text)?.[1] ?? "";
  };
  const deadline = Date.now() + 60_000;
  while ((await bots()) !== "1" && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  t.is(await bots(), "1");
  t.is((await bench.client.send("stop", { guild_id: GUILD })).type, "done");
});
