/** Ops over a real socket, and what the voice connection is asked to do. */

import test from "ava";
import type { NodeEvent } from "../../ts/node/ops/protocol.ts";
import { type EventOf, GUILD, TestNode, TRACK, trackId } from "./harness.ts";

const OTHER = trackId("https://example.org/other.ogg");
const CREDENTIALS = {
  guild_id: GUILD,
  session_id: "e791a05f21b28e088e654865050b29bb",
  token: "baa182102d236205",
  endpoint: "rotterdam2601.discord.media:443",
};

const play = (more: object = {}): object => ({ guild_id: GUILD, track_id: TRACK, ...more });

test("voice_update hands the credentials to the call", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  t.is((await client.send("voice_update", CREDENTIALS)).type, "done");
  t.is((await client.send("voice_update", { ...CREDENTIALS, channel_id: "42" })).type, "done");
  const expected = {
    guildId: GUILD,
    userId: "104694319306248192",
    sessionId: CREDENTIALS.session_id,
    token: CREDENTIALS.token,
    endpoint: CREDENTIALS.endpoint,
  };
  t.deepEqual(node.call().provided, [expected, { ...expected, channelId: "42" }]);
});

test("voice_update with the endpoint null says that the server is lost", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  t.is((await client.send("voice_update", { ...CREDENTIALS, endpoint: null })).type, "done");
  t.is(node.call().serversLost, 1);
  t.deepEqual(node.call().provided, []);
});

test("play starts a track, and its events follow", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  t.like(await client.send("play", play()), { type: "done", op: "play", guild_id: GUILD, id: 1 });
  const { flow } = node.call();
  t.deepEqual(flow.plays, [
    {
      track: 1,
      source: { kind: "http", url: "https://example.org/song.ogg" },
      startMs: 0,
      encoder: { bitrate: 128_000, complexity: 10 },
    },
  ]);
  flow.start();
  const about = { guild_id: GUILD, track_id: TRACK };
  t.like(await client.next("track_start"), { ...about, codec: "opus", length: 244_000 });
  t.like(await client.next("player_update"), { ...about, paused: false, packets_sent: 50 });
  flow.stall(5000);
  t.like(await client.next("track_stuck"), { ...about, for_ms: 5000 });
  flow.say({ title: "Artist - Title", station: "Radio" });
  const said = { title: "Artist - Title", station: "Radio", url: null };
  t.like(await client.next("track_metadata"), { ...about, ...said });
  flow.finish();
  t.like(await client.next("track_end"), { ...about, reason: "finished" });
  t.like(await client.next("player_update"), { guild_id: GUILD, track_id: null, position: 0 });
});

test("start_time and end_time are handed on, and end_time 0 is the end of the track", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", play({ start_time: 1500, end_time: 0 }));
  await client.send("play", play({ start_time: 0, end_time: 9000 }));
  const times = node.call().flow.plays.map(({ startMs, endMs }) => [startMs, endMs]);
  t.deepEqual(times, [
    [1500, undefined],
    [0, 9000],
  ]);
});

test("replace: false changes nothing while a track plays, and says so", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  t.is((await client.send("play", play({ replace: false }))).type, "done");
  const refused = await client.send("play", play({ track_id: OTHER, replace: false }));
  t.like(refused, { type: "error", code: "already_playing", op: "play", guild_id: GUILD });
  t.is(node.call().flow.plays.length, 1);
  node.call().flow.finish();
  t.is((await client.send("play", play({ replace: false }))).type, "done");
});

test("a track that is replaced ends with that reason, under its own id", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", play());
  t.is((await client.send("play", play({ track_id: OTHER }))).type, "done");
  t.like(await client.next("track_end"), { track_id: TRACK, reason: "replaced" });
  node.call().flow.start();
  t.is((await client.next("track_start")).track_id, OTHER);
});

test("a track that fails tells why, then ends with load_failed", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", play());
  node.call().flow.fail("unsupported_format", "no audio.");
  t.like(await client.next("track_error"), { track_id: TRACK, code: "unsupported_format" });
  t.like(await client.next("track_end"), { track_id: TRACK, reason: "load_failed" });
});

test("false and 0 are values", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", play({ start_time: 5000 }));
  const call = node.call();
  t.is((await client.send("set_pause_state", { guild_id: GUILD, state: true })).type, "done");
  t.true(call.flow.paused);
  t.true((await client.next("player_update")).paused);
  t.is((await client.send("set_pause_state", { guild_id: GUILD, state: false })).type, "done");
  t.false(call.flow.paused);
  t.false((await client.next("player_update")).paused);
  t.is((await client.send("set_position", { guild_id: GUILD, position: 0 })).type, "done");
  t.deepEqual(call.flow.seeks, [0]);
  t.is((await client.next("player_update")).position, 0);
});

test("stop ends the track and keeps the player", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", play());
  t.is((await client.send("stop", { guild_id: GUILD })).type, "done");
  t.is((await client.next("track_end")).reason, "stopped");
  t.like(await client.send("stop", { guild_id: GUILD }), { type: "error", code: "not_playing" });
  t.false(node.call().destroyed);
});

test("destroy ends player and call, and the next play begins anew", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", play());
  const first = node.call();
  t.is((await client.send("destroy", { guild_id: GUILD })).type, "done");
  t.like(await client.next("track_end"), { track_id: TRACK, reason: "cleanup" });
  t.true(first.destroyed);
  t.like(await client.send("destroy", { guild_id: GUILD }), { code: "no_player" });
  t.is((await client.send("play", play())).type, "done");
  t.not(node.call(), first);
});

test("ops without a player or a track say so", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const ops: [string, object][] = [
    ["stop", {}],
    ["set_pause_state", { state: true }],
    ["set_position", { position: 1 }],
  ];
  for (const [op, more] of ops) {
    const answer = await client.send(op, { guild_id: GUILD, ...more });
    t.like(answer, { type: "error", op, code: "no_player", field: "d.guild_id" });
  }
  await client.send("voice_update", CREDENTIALS);
  for (const [op, more] of ops) {
    const answer = await client.send(op, { guild_id: GUILD, ...more });
    t.like(answer, { type: "error", op, code: "not_playing" });
  }
});

test("ops of a guild are carried out in their order, though play looks its source up", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const answers = await Promise.all([
    client.send("play", play()),
    client.send("set_position", { guild_id: GUILD, position: 3000 }),
    client.send("set_pause_state", { guild_id: GUILD, state: true }),
    client.send("play", play({ track_id: OTHER })),
    client.send("stop", { guild_id: GUILD }),
  ]);
  t.deepEqual(
    answers.map(({ type }) => type),
    ["done", "done", "done", "done", "done"],
  );
  t.deepEqual(node.call().flow.seeks, [3000]);
  t.is(node.call().flow.playing, undefined);
});

test("the voice connection's states are told with their reasons", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("voice_update", CREDENTIALS);
  const call = node.call();
  call.ping = { lastMs: 12.54, averageMs: 12.5 };
  call.become("ready");
  t.deepEqual(await client.next("voice_state"), {
    type: "voice_state",
    guild_id: GUILD,
    state: "ready",
  });
  t.like(await client.next("player_update"), { connected: true, ping: 12.5 });
  call.become("disconnected", { code: "closed_disconnected", message: "Out.", closeCode: 4014 });
  t.like(await client.next("voice_state"), {
    state: "disconnected",
    code: "closed_disconnected",
    message: "Out.",
    close_code: 4014,
  });
  t.like(await client.next("player_update"), { connected: false });
});

test("player_update comes at regular intervals", async (t) => {
  await using node = await TestNode.start({ player_update_interval_ms: 100 });
  const client = await node.connect();
  await client.send("voice_update", CREDENTIALS);
  for (let count = 0; count < 3; count++) t.is((await client.next("player_update")).ping, null);
});

test("two bots in one guild have players of their own", async (t) => {
  await using node = await TestNode.start();
  const one = await node.connect();
  const two = await node.connect({ "User-Id": "2" });
  await one.send("play", play());
  t.like(await two.send("stop", { guild_id: GUILD }), { type: "error", code: "no_player" });
  await two.send("play", play({ track_id: OTHER }));
  node.call(GUILD, "2").flow.start();
  t.is((await two.next("track_start")).track_id, OTHER);
  await one.send("stop", { guild_id: GUILD });
  t.is(node.call(GUILD, "2").flow.playing, 1);
  t.false(one.events.some(({ type }) => type === "track_start"));
});

test("a bot has no more players than the configuration allows", async (t) => {
  await using node = await TestNode.start({ max_players: 1 });
  const client = await node.connect();
  await client.send("play", play());
  const answer = await client.send("play", play({ guild_id: "7" }));
  t.like(answer, { type: "error", code: "too_many_players" });
  await client.send("destroy", { guild_id: GUILD });
  t.is((await client.send("play", play({ guild_id: "7" }))).type, "done");
});

test("each play that is done leads to one track_end", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  for (let count = 0; count < 20; count++) await client.send("play", play());
  await client.send("stop", { guild_id: GUILD });
  const isEnd = (event: NodeEvent): event is EventOf<"track_end"> => event.type === "track_end";
  const reasons = client.events.filter(isEnd).map(({ reason }) => reason);
  t.deepEqual(reasons, [...Array<string>(19).fill("replaced"), "stopped"]);
});
