/** A client that lost its socket gets what it missed: everything, once, in order. */

import test from "ava";
import { EventLog, MAX_KEPT_CHARACTERS, MAX_KEPT_EVENTS } from "../../ts/node/event-log.ts";
import type { NodeEvent } from "../../ts/node/ops/protocol.ts";
import { GUILD, type TestClient, TestNode, TRACK } from "./harness.ts";

/** The events of a socket that a log keeps, the answer to the greeting left out. */
function kept(client: TestClient): NodeEvent["type"][] {
  const momentary = new Set(["ready", "player_update", "stats"]);
  return client.events.map(({ type }) => type).filter((type) => !momentary.has(type));
}

function sessionOf(client: TestClient): string {
  const [ready] = client.events;
  if (ready?.type !== "ready") throw new Error("the first event is not ready");
  return ready.session_id;
}

test("what a client missed follows ready, in order and once", async (t) => {
  await using node = await TestNode.start();
  const before = await node.connect();
  await before.send("play", { guild_id: GUILD, track_id: TRACK });
  const session = sessionOf(before);
  before.socket.terminate();
  await before.closed;
  const { flow } = node.call();
  flow.start();
  flow.stall(5);
  flow.finish();
  const after = await node.connect({
    "Session-Id": session,
    "Last-Event": String(before.lastEvent),
  });
  t.like(after.events[0], { type: "ready", resumed: true, replayed: 3, complete: true });
  await after.send("list_players", {});
  t.deepEqual(kept(after), ["track_start", "track_stuck", "track_end", "done"]);
  t.is(after.lastEvent, before.lastEvent + 4);
});

test("without the headers nothing is repeated, and ready says that it is not complete", async (t) => {
  await using node = await TestNode.start();
  const before = await node.connect();
  await before.send("play", { guild_id: GUILD, track_id: TRACK });
  before.socket.terminate();
  await before.closed;
  node.call().flow.start();
  const after = await node.connect();
  t.like(after.events[0], { type: "ready", resumed: true, replayed: 0, complete: false });
  await after.send("list_players", {});
  t.deepEqual(kept(after), ["done"]);
});

test("another session's id, and a number from the future, repeat nothing", async (t) => {
  await using node = await TestNode.start();
  const before = await node.connect();
  await before.send("play", { guild_id: GUILD, track_id: TRACK });
  const session = sessionOf(before);
  for (const headers of [
    { "Session-Id": "0".repeat(32), "Last-Event": "0" },
    { "Session-Id": session, "Last-Event": "999999" },
  ]) {
    const after = await node.connect(headers);
    t.like(after.events[0], { type: "ready", replayed: 0, complete: false });
  }
});

test("a client that missed nothing is told so", async (t) => {
  await using node = await TestNode.start();
  const before = await node.connect();
  await before.send("play", { guild_id: GUILD, track_id: TRACK });
  const headers = { "Session-Id": sessionOf(before), "Last-Event": String(before.lastEvent) };
  const after = await node.connect(headers);
  t.like(after.events[0], { type: "ready", replayed: 0, complete: true });
});

test("a Last-Event that is no number is refused", async (t) => {
  await using node = await TestNode.start();
  await t.throwsAsync(node.connect({ "Last-Event": "-1" }), { message: /400/ });
});

test("an answer that was on its way when the socket broke is among what was missed", async (t) => {
  let answer: (value: undefined) => void = () => undefined;
  const open = new Promise<undefined>((resolve) => {
    answer = resolve;
  });
  const resolver = { name: "slow", open: () => open };
  await using node = await TestNode.start({}, undefined, { resolvers: [resolver] });
  const before = await node.connect();
  await before.send("voice_update", {
    guild_id: GUILD,
    session_id: "s",
    token: "t",
    endpoint: "e:443",
  });
  before.raw(JSON.stringify({ op: "play", d: { guild_id: GUILD, track_id: TRACK }, id: "late" }));
  await before.send("list_players", {});
  before.socket.terminate();
  await before.closed;
  answer(undefined);
  const headers = { "Session-Id": sessionOf(before), "Last-Event": String(before.lastEvent) };
  const after = await node.connect(headers);
  const done = await after.until(
    (event): event is Extract<NodeEvent, { type: "done" }> =>
      event.type === "done" && event.id === "late",
    0,
  );
  t.is(done.op, "play");
});

test("the log forgets the oldest and says that it did", (t) => {
  const log = new EventLog();
  for (let count = 1; count <= MAX_KEPT_EVENTS + 5; count++) log.add((number) => `event ${number}`);
  t.is(log.last, MAX_KEPT_EVENTS + 5);
  const all = log.since(0);
  t.false(all.complete);
  t.is(all.messages.length, MAX_KEPT_EVENTS);
  t.is(all.messages[0], "event 6");
  t.deepEqual(log.since(5), { messages: all.messages, complete: true });
  t.deepEqual(log.since(log.last), { messages: [], complete: true });
  t.deepEqual(log.since(log.last + 1), { messages: [], complete: false });
});

test("the log is bounded in characters, too", (t) => {
  const log = new EventLog();
  const text = "x".repeat(1024 * 1024);
  for (let count = 0; count < 20; count++) log.add(() => text);
  const { messages, complete } = log.since(0);
  t.false(complete);
  t.is(messages.length, MAX_KEPT_CHARACTERS / text.length);
});
