/** What an operator sees of a node: health, readiness, metrics, its description, admission, and its way out. */

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import test from "ava";
import { WebSocket } from "ws";
import { Admission } from "../../ts/node/admission.ts";
import { CONFIG_KEYS } from "../../ts/node/index.ts";
import { latenessHistogram } from "../../ts/node/lateness-histogram.ts";
import { LoadMeter } from "../../ts/node/load-meter.ts";
import { eventually, GUILD, PASSWORD, TestClient, TestNode, TRACK } from "./harness.ts";

/** Asks the node's HTTP side. */
async function get(node: TestNode, path: string, method = "GET"): Promise<Response> {
  return await fetch(`http://127.0.0.1:${node.node.port}${path}`, { method });
}

/** As much of an OpenAPI description as is looked at here. */
interface Description {
  paths: Record<string, { get: { responses: Record<number, Documented> } }>;
}

interface Documented {
  content?: { "application/json": { schema: object } };
}

/** Asks for a WebSocket and gives the refusal. */
async function upgrade(node: TestNode, headers: Record<string, string>) {
  const socket = new WebSocket(node.node.url, { headers });
  socket.on("error", () => undefined);
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, body: JSON.parse(text) as unknown };
}

/** Metrics by name and labels. */
async function metrics(node: TestNode): Promise<Map<string, number>> {
  const text = await (await get(node, "/metrics")).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

test("health, readiness and the description answer without a password", async (t) => {
  await using node = await TestNode.start();
  const health = await get(node, "/healthz");
  t.is(health.status, 200);
  t.deepEqual(await health.json(), { status: "ok" });
  t.deepEqual(await (await get(node, "/readyz")).json(), { status: "ready" });
  const description = (await (await get(node, "/openapi.json")).json()) as {
    openapi: string;
    paths: object;
  };
  t.is(description.openapi, "3.1.0");
  for (const path of Object.keys(description.paths).filter((path) => path !== "/v1/ws")) {
    t.is((await get(node, path)).status, 200, path);
  }
});

test("the description is OpenAPI, says another program, and what is answered fits it", async (t) => {
  await using node = await TestNode.start();
  const description: Description & Record<string, unknown> = JSON.parse(
    await (await get(node, "/openapi.json")).text(),
  );
  const { valid, errors } = await new Validator().validate(description);
  t.true(valid, JSON.stringify(errors));
  const broken = { ...description, paths: { ...description.paths, healthz: { get: 1 } } };
  t.false((await new Validator().validate(broken)).valid);
  const ajv = new Ajv2020();
  for (const path of ["/healthz", "/readyz", "/openapi.json"]) {
    const answer = await get(node, path);
    const { content } = description.paths[path]?.get.responses[answer.status] ?? {};
    const fits = ajv.validate(content?.["application/json"].schema ?? false, await answer.json());
    t.true(fits, `${path}: ${ajv.errorsText()}`);
  }
  const refused = [
    { headers: {}, status: 401 },
    { headers: { Authorization: PASSWORD }, status: 400 },
  ];
  for (const { headers, status } of refused) {
    const answer = await upgrade(node, headers);
    t.is(answer.status, status);
    const { content } = description.paths["/v1/ws"]?.get.responses[status] ?? {};
    const schema = content?.["application/json"].schema ?? false;
    t.true(ajv.validate(schema, answer.body), ajv.errorsText());
  }
});

test("what is not there, and methods that are not answered, say so", async (t) => {
  await using node = await TestNode.start();
  const missing = await get(node, "/etc/passwd");
  t.is(missing.status, 404);
  t.like(await missing.json(), { code: "not_found" });
  for (const path of ["/__proto__", "/constructor"]) t.is((await get(node, path)).status, 404);
  const posted = await get(node, "/healthz", "POST");
  t.is(posted.status, 405);
  t.is(posted.headers.get("allow"), "GET, HEAD");
  const head = await get(node, "/healthz", "HEAD");
  t.is(head.status, 200);
  t.is(await head.text(), "");
});

test("metrics count players, ops and errors, with a bounded number of labels", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", { guild_id: GUILD, track_id: TRACK });
  await client.send("play", { guild_id: "2", track_id: TRACK });
  await client.send("set_pause_state", { guild_id: "2", state: true });
  node.call("2").become("disconnected", { code: "kicked", message: "Kicked." });
  node.call().flow.fail("http_status", "404");
  for (const op of ["sing", "dance", "constructor"]) await client.send(op, {});
  const found = await metrics(node);
  t.is(found.get('cadenza_players{state="paused"}'), 1);
  t.is(found.get('cadenza_players{state="idle"}'), 1);
  t.is(found.get('cadenza_ops_total{op="play",outcome="done"}'), 2);
  t.is(found.get('cadenza_ops_total{op="unknown",outcome="error"}'), 3);
  t.is(found.get('cadenza_errors_total{kind="op",code="unknown_op"}'), 3);
  t.is(found.get('cadenza_errors_total{kind="track",code="http_status"}'), 1);
  t.is(found.get('cadenza_errors_total{kind="voice",code="kicked"}'), 1);
  t.is(found.get("cadenza_clients"), 1);
  t.true((found.get("process_resident_memory_bytes") ?? 0) > 0);
  t.true(found.has('cadenza_packet_lateness_seconds_bucket{le="+Inf"}'));
  t.false([...found.keys()].some((key) => key.includes("sing")));
});

test("metrics are the text format: each name has one help and one type, before its values", async (t) => {
  await using node = await TestNode.start();
  const text = await (await get(node, "/metrics")).text();
  const seen = new Set<string>();
  let current = "";
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const [, kind, name = ""] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
    if (kind === "HELP") {
      t.false(seen.has(name), name);
      seen.add(name);
      current = name;
    } else if (kind === "TYPE") t.is(name, current);
    else t.regex(line, new RegExp(`^${current}(_bucket|_sum|_count)?(\\{[^}]*\\})? [0-9.e+-]+$`));
  }
  t.true(seen.size > 15);
});

test("the lateness histogram adds the pacers up and counts upwards", (t) => {
  const lateness = {
    count: 10,
    p50Us: 0,
    p99Us: 0,
    p999Us: 0,
    maxUs: 0,
    sumUs: 2_000_000,
    within: [
      { boundUs: 250, count: 4 },
      { boundUs: 20_000, count: 9 },
    ],
  };
  const counters = { flows: 0, loadPermille: 0, sent: 0, skipped: 0, wakeups: 0 };
  const pacer = { ...counters, lateness, realtime: false };
  const lines = latenessHistogram([pacer, pacer]).split("\n");
  const name = "cadenza_packet_lateness_seconds";
  t.true(lines.includes(`${name}_bucket{le="0.00025"} 8`));
  t.true(lines.includes(`${name}_bucket{le="0.02"} 18`));
  t.true(lines.includes(`${name}_bucket{le="+Inf"} 20`));
  t.true(lines.includes(`${name}_sum 4`));
  t.true(lines.includes(`${name}_count 20`));
});

test("the load is the largest share, smoothed over a few seconds", (t) => {
  const meter = new LoadMeter(2);
  const pacer = (loadPermille: number) => ({ loadPermille }) as never;
  t.is(meter.load.total, 0);
  for (let second = 0; second <= 5; second++) {
    meter.add({
      atMs: second * 1000,
      cpuUs: second * 1_000_000,
      engine: { pacers: [pacer(900), pacer(300)] },
    });
  }
  t.is(Math.round(meter.load.cores * 100), 100);
  t.is(Math.round(meter.load.processor * 100), 50);
  t.is(Math.round(meter.load.pacer * 100), 30);
  t.is(meter.load.total, meter.load.processor);
  meter.add({ atMs: 5000, cpuUs: 0, engine: undefined });
  t.is(Math.round(meter.load.cores * 100), 100, "a clock that stands still changes nothing");
});

test("a full or busy machine refuses new players, and lets queues go on", (t) => {
  let players = 0;
  let load = 0;
  const door = new Admission({
    maxPlayers: 2,
    maxLoad: 0.85,
    players: () => players,
    load: () => load,
  });
  t.notThrows(() => door.player());
  players = 2;
  t.throws(() => door.player(), { code: "node_full", message: /max_node_players/ });
  players = 1;
  load = 0.9;
  t.throws(() => door.player(), { code: "node_overloaded", message: /90 %/ });
  t.notThrows(() => door.track(10_000));
  t.throws(() => door.track(61_000), { code: "node_overloaded" });
  door.draining = true;
  load = 0;
  t.throws(() => door.player(), { code: "draining" });
  t.throws(() => door.track(0), { code: "draining" });
});

test("the node has a bound for the players of all bots; readiness follows it", async (t) => {
  await using node = await TestNode.start({ max_node_players: 1 });
  const one = await node.connect();
  const two = await node.connect({ "User-Id": "2" });
  t.is((await one.send("play", { guild_id: GUILD, track_id: TRACK })).type, "done");
  t.like(await two.send("play", { guild_id: GUILD, track_id: TRACK }), { code: "node_full" });
  const unready = await get(node, "/readyz");
  t.is(unready.status, 503);
  t.deepEqual(await unready.json(), { status: "unready", reason: "node_full" });
  await one.send("destroy", { guild_id: GUILD });
  t.is((await two.send("play", { guild_id: GUILD, track_id: TRACK })).type, "done");
});

test("a draining node tells, takes nothing new, and goes when nothing plays", async (t) => {
  const node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", { guild_id: GUILD, track_id: TRACK });
  const call = node.call();
  const drained = node.node.drain();
  t.is((await client.next("draining")).deadline, 300_000);
  t.is((await get(node, "/readyz")).status, 503);
  t.is((await get(node, "/healthz")).status, 200);
  t.like(await client.send("play", { guild_id: "2", track_id: TRACK }), { code: "draining" });
  t.is((await client.send("set_position", { guild_id: GUILD, position: 5 })).type, "done");
  await t.throwsAsync(TestClient.open(node.node.url, { "User-Id": "2" }), { message: /503/ });
  call.flow.finish();
  t.is(await client.closed, 1001);
  await drained;
});

test("a bot that is here may come back while the node drains", async (t) => {
  await using node = await TestNode.start();
  const before = await node.connect();
  await before.send("play", { guild_id: GUILD, track_id: TRACK });
  void node.node.drain();
  before.socket.terminate();
  await before.closed;
  const after = await node.connect();
  t.like(after.events[0], { type: "ready", resumed: true });
});

test("draining ends at its limit, and close makes it short", async (t) => {
  const short = await TestNode.start({ drain_timeout_s: 0 });
  const client = await short.connect();
  await client.send("play", { guild_id: GUILD, track_id: TRACK });
  await short.node.drain();
  t.is(await client.closed, 1001);
  t.like(client.events.at(-1), { type: "track_end", reason: "cleanup" });
  const long = await TestNode.start();
  const other = await long.connect();
  await other.send("play", { guild_id: GUILD, track_id: TRACK });
  const drained = long.node.drain();
  await other.next("draining");
  await long.node.close();
  await drained;
  t.is(await other.closed, 1001);
});

test("stats come after ready and at their interval", async (t) => {
  await using node = await TestNode.start({ stats_interval_ms: 1000 });
  const client = await node.connect();
  t.like(await client.next("stats"), { players: 0, playing: 0, node_players: 0 });
  await client.send("play", { guild_id: GUILD, track_id: TRACK });
  await eventually(() =>
    client.events.some((event) => event.type === "stats" && event.playing === 1),
  );
  const last = client.events.filter(({ type }) => type === "stats").at(-1);
  t.like(last, { players: 1, playing: 1, node_players: 1 });
});

test("every key of the configuration has a range that its error names", (t) => {
  for (const [name, { allowed }] of Object.entries(CONFIG_KEYS)) t.true(allowed.length > 5, name);
});
