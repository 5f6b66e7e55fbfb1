/** The dashboard: who may look, what is told, and how it is drawn, down to a browser where there is one. */

import test from "ava";
import { WebSocket } from "ws";
import { MAX_ERRORS, MAX_SAMPLES, Recorder } from "../../ts/node/dashboard/recorder.ts";
import { MAX_ROWS, type Snapshot } from "../../ts/node/dashboard/snapshot.ts";
import { encodeTrackId } from "../../ts/node/index.ts";
import { eventually, GUILD, PASSWORD, TestNode, trackId } from "./harness.ts";

const LOAD = { total: 0.5, pacer: 0.1, decoding: 0.2, processor: 0.5, cores: 1 };

interface Viewer {
  socket: WebSocket;
  snapshots: Snapshot[];
  closed: Promise<number>;
}

/** A viewer that has said something. */
function view(node: TestNode, first: unknown = { password: PASSWORD }): Viewer {
  const socket = new WebSocket(`ws://127.0.0.1:${node.node.port}/v1/dashboard`);
  const snapshots: Snapshot[] = [];
  socket.on("open", () => socket.send(JSON.stringify(first)));
  socket.on("message", (data) => snapshots.push(JSON.parse(String(data)) as Snapshot));
  socket.on("error", () => undefined);
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  return { socket, snapshots, closed };
}

test("the page and its parts are there, and load nothing from elsewhere", async (t) => {
  await using node = await TestNode.start();
  const get = (path: string) => fetch(`http://127.0.0.1:${node.node.port}${path}`);
  const page = await get("/dashboard");
  t.is(page.status, 200);
  t.is(page.headers.get("content-type"), "text/html; charset=utf-8");
  t.regex(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  const html = await page.text();
  const parts = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, path = ""]) => path);
  for (const path of [
    ...parts.filter((path) => !path.startsWith("data:")),
    "/dashboard/model.js",
  ]) {
    t.is((await get(path)).status, 200, path);
  }
  t.is((await get("/dashboard/../auth.ts")).status, 404);
  t.is((await get("/dashboard/recorder.ts")).status, 404);
});

test("a node without a dashboard has neither page nor socket", async (t) => {
  await using node = await TestNode.start({ dashboard: false });
  const page = await fetch(`http://127.0.0.1:${node.node.port}/dashboard`);
  t.is(page.status, 404);
  const { closed, snapshots } = view(node);
  t.is(await closed, 1006);
  t.deepEqual(snapshots, []);
});

test("nothing is told without the password", async (t) => {
  await using node = await TestNode.start();
  for (const first of [{ password: "wrong password" }, {}, null, { find: "" }, { password: 5 }]) {
    const { closed, snapshots } = view(node, first);
    t.is(await closed, 4401, JSON.stringify(first));
    t.deepEqual(snapshots, []);
  }
});

test("players, errors and samples are told, the worst player first, without secrets", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const track_id = encodeTrackId({
    title: "A song",
    identifier: null,
    url: "https://user:pass@example.org/a.ogg?key=secret",
    length: 244_000,
    author: null,
    author_id: null,
    thumbnail: null,
    is_live: null,
  });
  await client.send("voice_update", {
    guild_id: "1",
    session_id: "secret-session",
    token: "secret-token",
    endpoint: "e:443",
  });
  await client.send("play", { guild_id: GUILD, track_id });
  await client.send("stop", { guild_id: "404" });
  const { snapshots, socket } = view(node);
  await eventually(() => snapshots.some(({ samples }) => samples.length > 0));
  const [first] = snapshots;
  t.like(first, {
    type: "snapshot",
    unready: null,
    bots: 1,
    clients: 1,
    players: { playing: 1, paused: 0, idle: 1 },
    found: 2,
  });
  t.like(first?.rows[0], {
    guild_id: GUILD,
    title: "A song",
    source: "https://example.org/a.ogg",
    length: 244_000,
    standing: "playing",
    queue: 0,
  });
  t.like(first?.errors[0], { kind: "op", code: "no_player", guild_id: "404" });
  const told = JSON.stringify(snapshots);
  for (const secret of ["secret", "pass@", PASSWORD]) t.false(told.includes(secret), secret);
  socket.terminate();
});

test("a viewer finds players by guild, bot and title", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  for (let guild = 1; guild <= MAX_ROWS + 10; guild++) {
    await client.send("play", { guild_id: String(guild * 1000), track_id: trackId("https://x/y") });
  }
  const { snapshots, socket } = view(node);
  await eventually(() => snapshots.length > 0);
  t.is(snapshots[0]?.rows.length, MAX_ROWS);
  t.is(snapshots[0]?.found, MAX_ROWS + 10);
  socket.send(JSON.stringify({ find: "  205000" }));
  await eventually(() => snapshots.at(-1)?.found === 1);
  t.is(snapshots.at(-1)?.rows[0]?.guild_id, "205000");
  socket.send("nonsense");
  socket.send(JSON.stringify({ find: 5 }));
  socket.send(JSON.stringify({ find: "nobody" }));
  await eventually(() => snapshots.at(-1)?.found === 0);
  socket.terminate();
});

test("the number of viewers is bounded, and the node's end ends them", async (t) => {
  const node = await TestNode.start();
  const viewers = Array.from({ length: 32 }, () => view(node));
  await eventually(() => viewers.every(({ snapshots }) => snapshots.length > 0));
  t.is(await view(node).closed, 4429);
  viewers[0]?.socket.terminate();
  await viewers[0]?.closed;
  const again = view(node);
  await eventually(() => again.snapshots.length > 0);
  await node.node.close();
  t.is(await again.closed, 1001);
});

test("the recorder tells what happened between two samples, and forgets in time", (t) => {
  const recorder = new Recorder();
  const pacer = (count: number, inTime: number, fast: number) => {
    const within = [
      { boundUs: 1000, count: fast },
      { boundUs: 20_000, count: inTime },
    ];
    return { lateness: { count, within } } as never;
  };
  const rest = { load: LOAD, memory: 1, queues: [] as { player: object; frames: number }[] };
  const ofPlayers = (...frames: number[]) => frames.map((frames) => ({ player: {}, frames }));
  recorder.add({ at: 1, ...rest, pacers: [pacer(100, 100, 100)] });
  recorder.add({ at: 2, ...rest, pacers: [pacer(200, 190, 150)], queues: ofPlayers(9, 3, 7) });
  recorder.add({ at: 3, ...rest, pacers: [pacer(300, 290, 250)] });
  recorder.add({ at: 4, ...rest, pacers: [] });
  t.like(recorder.since(1)[0], { packets: 100, late: 10, p99: null });
  t.like(recorder.since(1)[0], { queue_min: 3, queue_median: 7, playing: 3 });
  t.like(recorder.since(2)[0], { packets: 100, late: 0, p99: 1, queue_min: null });
  t.like(recorder.since(3)[0], { packets: 0, late: 0 });
  for (let at = 5; at < MAX_SAMPLES + 50; at++) recorder.add({ at, ...rest, pacers: [] });
  t.is(recorder.since(0).length, MAX_SAMPLES);
  for (let count = 0; count < MAX_ERRORS + 5; count++) {
    recorder.observe("1", { type: "error", code: `c${count}`, message: "x".repeat(1000) });
  }
  recorder.observe("1", { type: "done", op: "stop" });
  t.is(recorder.errors.length, MAX_ERRORS);
  t.like(recorder.errors[0], { code: `c${MAX_ERRORS + 4}`, guild_id: null });
  t.is(recorder.errors[0]?.message.length, 300);
});

test("a queue counts as short when it stays so: tracks end", (t) => {
  const recorder = new Recorder();
  const rest = { load: LOAD, memory: 1, pacers: [] };
  const [ends, starves, plays] = [{}, {}, {}];
  const add = (at: number, queues: { player: object; frames: number }[]) =>
    recorder.add({ at, ...rest, queues });
  add(1, [
    { player: ends, frames: 0 },
    { player: starves, frames: 2 },
    { player: plays, frames: 30 },
  ]);
  add(2, [
    { player: starves, frames: 1 },
    { player: plays, frames: 30 },
  ]);
  t.like(recorder.since(0)[0], { queue_min: 30, playing: 3 });
  t.like(recorder.since(1)[0], { queue_min: 1, playing: 2 });
});
