/** The node over a real WebSocket, with the simulator as Discord: auth, ops, answers, events, hostile clients. */

import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import { WebSocket } from "ws";
import { NodeClient, type NodeEvent } from "../../ts/cli/demo/node-client.ts";
import { encodeTrackId, type NodeConfigInput, PlayerNode } from "../../ts/node/index.ts";
import { DiscordSimulator, type Listener } from "../../ts/simulator/index.ts";

const media = fileURLToPath(new URL("../../examples/media", import.meta.url));
const tune = join(media, "tune.opus");
const password = "correct-horse";
const userId = "104694319306248192";
const room = { guildId: "490948346773635102", channelId: "127121515262115840" };
const guild_id = room.guildId;

/** A node with a client that remembers every event. */
async function setUp(t: ExecutionContext, config: NodeConfigInput = {}) {
  const simulator = await DiscordSimulator.start();
  const node = await PlayerNode.start({
    port: 0,
    password,
    allowed_folders: [media],
    insecure_voice_endpoints: true,
    player_update_interval_ms: 200,
    ...config,
  });
  const client = await NodeClient.connect(node.url, password, userId);
  const events: NodeEvent[] = [];
  client.on("event", (event) => events.push(event));
  t.teardown(async () => {
    client.close();
    await node.close();
    await simulator.close();
  });
  return { simulator, node, client, events, listener: simulator.listen(room) };
}

type Bench = Awaited<ReturnType<typeof setUp>>;

/** The next event that matches, from now on. */
function next({ client }: Bench, matches: (event: NodeEvent) => boolean): Promise<NodeEvent> {
  return new Promise((resolve) => {
    const watch = (event: NodeEvent): void => {
      if (!matches(event)) return;
      client.off("event", watch);
      resolve(event);
    };
    client.on("event", watch);
  });
}

/** Whether something is heard, on a busy machine, too. */
function heard({ listener }: Bench, holds: Parameters<Listener["waitFor"]>[0]): Promise<boolean> {
  return listener.waitFor(holds, 60_000);
}

/** Sends an op and gives its answer: done or error. */
async function ask(bench: Bench, op: string, d: Record<string, unknown>): Promise<NodeEvent> {
  const answer = next(bench, ({ type }) => type === "done" || type === "error");
  bench.client.send(op, d);
  return answer;
}

function trackId(url: string): string {
  const rest = { title: null, identifier: null, length: null, author: null, author_id: null };
  return encodeTrackId({ ...rest, url, thumbnail: null, is_live: null });
}

async function connect(bench: Bench): Promise<void> {
  const { sessionId, token, endpoint } = bench.simulator.admit({ ...room, userId });
  const ready = next(bench, (event) => event.type === "voice_state" && event.state === "ready");
  t_is(
    await ask(bench, "voice_update", { guild_id, session_id: sessionId, token, endpoint }),
    "done",
  );
  await ready;
}

function t_is(event: NodeEvent, type: string): void {
  if (event.type !== type) throw new Error(`expected ${type}: ${JSON.stringify(event)}`);
}

test("a wrong password and a missing user id are refused before the upgrade", async (t) => {
  const { node } = await setUp(t);
  const cases: [Record<string, string>, number][] = [
    [{ "User-Id": userId }, 401],
    [{ Authorization: "wrong-password", "User-Id": userId }, 401],
    [{ Authorization: password }, 400],
    [{ Authorization: password, "User-Id": "me" }, 400],
  ];
  for (const [headers, status] of cases) {
    const socket = new WebSocket(node.url, { headers });
    const [error] = (await once(socket, "error")) as [Error];
    t.regex(error.message, new RegExp(String(status)));
  }
});

test("plays, pauses, moves and stops, and answers each op", async (t) => {
  const bench = await setUp(t);
  await connect(bench);
  const started = next(bench, ({ type }) => type === "track_start");
  t.is(
    (
      await ask(bench, "play", {
        guild_id,
        track_id: trackId(tune),
        start_time: 0,
        end_time: 0,
        replace: true,
      })
    ).type,
    "done",
  );
  t.like(await started, { guild_id, passthrough: true, codec: "opus" });
  t.true(await heard(bench, ({ packets }) => packets.length > 20));

  t.is((await ask(bench, "set_pause_state", { guild_id, state: true })).type, "done");
  t.true(await heard(bench, ({ packets }) => packets.at(-1)?.silence === true));
  t.is((await ask(bench, "set_pause_state", { guild_id, state: false })).type, "done");
  t.is((await ask(bench, "set_position", { guild_id, position: 9000 })).type, "done");
  await next(bench, (event) => event.type === "player_update" && Number(event.position) >= 9000);
  t.is((await ask(bench, "set_position", { guild_id, position: 0 })).type, "done");
  await next(bench, (event) => event.type === "player_update" && Number(event.position) < 2000);

  const ended = next(bench, ({ type }) => type === "track_end");
  t.is((await ask(bench, "stop", { guild_id })).type, "done");
  t.like(await ended, { reason: "stopped" });
  t.is((await ask(bench, "destroy", { guild_id })).type, "done");
  t.deepEqual(bench.listener.problems, []);
});

test("start_time and end_time cut the track", async (t) => {
  const bench = await setUp(t);
  await connect(bench);
  const ended = next(bench, ({ type }) => type === "track_end");
  await ask(bench, "play", { guild_id, track_id: trackId(tune), start_time: 5000, end_time: 5500 });
  t.like(await ended, { reason: "finished" });
  const sounding = bench.listener.packets.filter((packet) => !packet.silence).length;
  t.true(Math.abs(sounding - 25) <= 1, `${sounding} packets for 500 ms`);
});

test("replace: a second track ends the first, unless replace is false", async (t) => {
  const bench = await setUp(t);
  await connect(bench);
  await ask(bench, "play", { guild_id, track_id: trackId(tune) });
  t.like(await ask(bench, "play", { guild_id, track_id: trackId(tune), replace: false }), {
    type: "error",
    code: "already_playing",
  });
  const ended = next(bench, ({ type }) => type === "track_end");
  t.is((await ask(bench, "play", { guild_id, track_id: trackId(tune) })).type, "done");
  t.like(await ended, { reason: "replaced" });
});

test("what a client does wrong is named, and the socket stays", async (t) => {
  const bench = await setUp(t);
  const track_id = trackId(tune);
  const cases: [string, Record<string, unknown>, string, string?][] = [
    ["dance", { guild_id }, "unknown_op", "op"],
    ["set_filter", { guild_id }, "missing_field", "filters"],
    ["stop", {}, "missing_field", "guild_id"],
    ["stop", { guild_id: 5 }, "wrong_type", "guild_id"],
    ["stop", { guild_id: "12x" }, "invalid_value", "guild_id"],
    ["stop", { guild_id: "77" }, "no_player", "guild_id"],
    ["voice_update", { guild_id, session_id: "s", endpoint: "e" }, "missing_field", "token"],
    [
      "voice_update",
      { guild_id, session_id: "s", token: "t", endpoint: 5 },
      "wrong_type",
      "endpoint",
    ],
    ["play", { guild_id, track_id: "%%%" }, "unknown_track", "track_id"],
    [
      "play",
      { guild_id, track_id: Buffer.from("{}").toString("base64") },
      "unknown_track",
      "track_id",
    ],
    ["play", { guild_id, track_id: trackId("ftp://x/y") }, "unknown_track", "track_id"],
    ["play", { guild_id, track_id: trackId("/etc/passwd") }, "track_not_allowed", "track_id"],
    ["play", { guild_id, track_id: trackId(join(media, "none.mp3")) }, "unknown_track", "track_id"],
    ["play", { guild_id, track_id, start_time: "0" }, "wrong_type", "start_time"],
    ["play", { guild_id, track_id, start_time: -1 }, "invalid_value", "start_time"],
    ["play", { guild_id, track_id, start_time: 10, end_time: 5 }, "invalid_value", "end_time"],
    ["play", { guild_id, track_id, replace: 1 }, "wrong_type", "replace"],
    ["set_pause_state", { guild_id, state: "yes" }, "wrong_type", "state"],
    ["set_position", { guild_id, position: 1.5 }, "invalid_value", "position"],
  ];
  for (const [op, d, code, field] of cases) {
    const answer = await ask(bench, op, d);
    t.like(
      answer,
      field === undefined
        ? { type: "error", code, op }
        : { type: "error", code, op, field: field === "op" ? field : `d.${field}` },
      JSON.stringify([op, d]),
    );
    t.regex(String(answer.message), /\.$/);
  }
});

test("malformed frames are named, ids come back", async (t) => {
  const { node } = await setUp(t);
  const socket = new WebSocket(node.url, { headers: { Authorization: password, "User-Id": "5" } });
  const received: Record<string, unknown>[] = [];
  socket.on("message", (data) => {
    const { d } = JSON.parse(String(data)) as { d: Record<string, unknown> };
    if (d.type === "error") received.push(d);
  });
  await once(socket, "open");
  const frames = [
    "{",
    "[]",
    "null",
    "{}",
    '{"op":"stop","id":"a1"}',
    '{"op":"stop","d":[],"id":7}',
    '{"op":5,"d":{}}',
  ];
  for (const frame of frames) socket.send(frame);
  socket.send(Buffer.from([1, 2, 3]), { binary: true });
  while (received.length < frames.length + 1) await once(socket, "message");
  t.deepEqual(
    received.map(({ code }) => code),
    [
      "bad_json",
      "bad_json",
      "bad_json",
      "missing_field",
      "missing_field",
      "wrong_type",
      "wrong_type",
      "invalid_value",
    ],
  );
  t.deepEqual([received[4]?.id, received[5]?.id], ["a1", 7]);
  socket.close();
});

test("links and dots do not lead out of the allowed folders", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, "music"));
  await writeFile(join(folder, "secret.txt"), "secret");
  await symlink(join(folder, "secret.txt"), join(folder, "music/link.mp3"));
  const bench = await setUp(t, { allowed_folders: [join(folder, "music")] });
  for (const path of [
    join(folder, "music/link.mp3"),
    `${folder}/music/../secret.txt`,
    `file://${folder}/music/..%2fsecret.txt`,
  ]) {
    const answer = await ask(bench, "play", { guild_id, track_id: trackId(path) });
    t.is(answer.type, "error", path);
    t.true(["track_not_allowed", "unknown_track"].includes(String(answer.code)), path);
  }
});

test("a file that cannot be played is told as track_error and track_end load_failed", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cadenza-"));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "random.mp3"), Buffer.alloc(5000, 0x55));
  const bench = await setUp(t, { allowed_folders: [folder] });
  await connect(bench);
  const error = next(bench, ({ type }) => type === "track_error");
  const ended = next(bench, ({ type }) => type === "track_end");
  await ask(bench, "play", { guild_id, track_id: trackId(join(folder, "random.mp3")) });
  t.is((await error).code, "unsupported_format");
  t.is((await ended).reason, "load_failed");
});

test("http sources on private addresses are refused unless allowed", async (t) => {
  const bench = await setUp(t);
  await connect(bench);
  const error = next(bench, ({ type }) => type === "track_error");
  await ask(bench, "play", { guild_id, track_id: trackId("http://127.0.0.1:9/x.mp3") });
  t.is((await error).code, "http_forbidden_address");
});

test("a storm of random messages leaves a playing track alone", async (t) => {
  const bench = await setUp(t);
  await connect(bench);
  await ask(bench, "play", { guild_id, track_id: trackId(tune) });
  t.true(await heard(bench, ({ packets }) => packets.length > 10));
  const other = new WebSocket(bench.node.url, {
    headers: { Authorization: password, "User-Id": "999" },
  });
  await once(other, "open");
  const ops = fc.constantFrom(
    "play",
    "stop",
    "destroy",
    "voice_update",
    "set_position",
    "set_pause_state",
    "x",
  );
  const frame = fc.oneof(
    fc.string(),
    fc.json(),
    fc.record({ op: ops, d: fc.object() }).map((value) => JSON.stringify(value)),
  );
  for (const text of fc.sample(frame, 3000)) other.send(text);
  const before = bench.listener.packets.length;
  t.true(await heard(bench, ({ packets }) => packets.length > before + 50));
  // The simulator shares this thread with the storm: it may look at its clock late.
  const { problems } = bench.listener;
  t.deepEqual(
    problems.filter(({ code }) => code !== "timestamp_behind_clock"),
    [],
  );
  t.is(other.readyState, WebSocket.OPEN);
  other.close();
});

test("players outlive their client's socket for a while, and a new socket finds them", async (t) => {
  const bench = await setUp(t);
  await connect(bench);
  await ask(bench, "play", { guild_id, track_id: trackId(tune) });
  t.true(await heard(bench, ({ packets }) => packets.length > 10));
  bench.client.close();
  await once(bench.client, "closed");
  const again = await NodeClient.connect(bench.node.url, password, userId);
  const [update] = (await once(again, "event")) as [NodeEvent];
  t.truthy(update);
  const before = bench.listener.packets.length;
  t.true(await heard(bench, ({ packets }) => packets.length > before + 20));
  again.close();
});
