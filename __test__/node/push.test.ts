/** Sound that clients push: binary messages, what is wrong with them, the bounded wait, and the word for more. */

import test from "ava";
import fc from "fast-check";
import { HELD_MS, readPush } from "../../ts/node/pushed-sound.ts";
import { type EventOf, eventually, GUILD, type TestClient, TestNode, TRACK } from "./harness.ts";

/** A binary message for a guild. */
function message(sound: Uint8Array, guild = GUILD): Buffer {
  const head = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  head.writeBigUInt64BE(BigInt(guild), 2);
  return Buffer.concat([head, sound]);
}

/** Opus packets of 20 ms, each behind its length. */
function packets(count: number, toc = 0xfc): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, at) => Buffer.from([0, 3, toc, at, 7])));
}

/** The next event of a type, of those that come from now on. */
async function then<Type extends "push_wanted" | "error">(
  client: TestClient,
  type: Type,
  cause: () => void,
) {
  const from = client.events.length;
  cause();
  return await client.until((event): event is EventOf<Type> => event.type === type, from);
}

test("packets are handed on as they are, and the client is told when more are wanted", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const about = { guild_id: GUILD, track_id: "mine" };
  t.is(
    (await client.send("push", { guild_id: GUILD, format: "opus", track_id: "mine" })).type,
    "done",
  );
  const { flow } = node.call();
  t.deepEqual(
    flow.pushes.map(({ track, pcm }) => ({ track, pcm })),
    [{ track: 1, pcm: undefined }],
  );
  const wanted = await then(client, "push_wanted", () =>
    flow.emit({ type: "frames_wanted", count: 50 }),
  );
  t.like(wanted, { ...about, frames: 50 });
  flow.room = 4;
  client.raw(message(packets(3)));
  client.raw(message(packets(3)));
  await eventually(() => flow.pushed.length === 4);
  t.deepEqual(flow.pushed[2], Buffer.from([0xfc, 2, 7]));
  flow.start();
  t.like(await client.next("track_start"), about);
  flow.room = 40;
  const more = await then(client, "push_wanted", () =>
    flow.emit({ type: "frames_wanted", count: 40 }),
  );
  t.is(more.frames, 38, "two waited in the node");
  t.is(flow.pushed.length, 6);
  t.is((await client.send("push_end", { guild_id: GUILD })).type, "done");
  t.like(await client.next("track_end"), { ...about, reason: "finished" });
  t.like(await then(client, "error", () => client.raw(message(packets(1)))), {
    op: "push",
    guild_id: GUILD,
    code: "not_pushing",
  });
});

test("samples may be cut anywhere, wait in the node, and end when all are taken", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const format = { format: "f32le", sample_rate: 8000, channels: 1 };
  await client.send("push", { guild_id: GUILD, ...format });
  const { flow } = node.call();
  t.deepEqual(flow.pushes[0]?.pcm, { sampleType: "f32le", sampleRate: 8000, channels: 1 });
  flow.room = 100;
  client.raw(message(Buffer.alloc(61, 1)));
  client.raw(message(Buffer.alloc(61, 2)));
  t.is((await client.send("push_end", { guild_id: GUILD })).type, "done");
  t.deepEqual(
    flow.pushed.map(({ length }) => length).filter((length) => length > 0),
    [61, 39],
  );
  t.is(flow.playing, 1);
  flow.room = 1000;
  flow.emit({ type: "frames_wanted", count: 50 });
  t.like(await client.next("track_end"), { reason: "finished" });
  t.is(Buffer.concat(flow.pushed).length, 122);
});

test("more than is wanted is left out and named, and what came before is kept", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("push", { guild_id: GUILD, format: "opus" });
  const { flow } = node.call();
  const most = HELD_MS / 20;
  client.raw(message(packets(most)));
  const refused = await then(client, "error", () => client.raw(message(packets(1, 0xf8))));
  t.like(refused, { op: "push", code: "push_overflow" });
  flow.room = 1000;
  flow.emit({ type: "frames_wanted", count: 50 });
  t.is(flow.pushed.length, most);
  await client.send("push", { guild_id: "2", format: "s16le" });
  for (let at = 0; at < 6; at++) client.raw(message(Buffer.alloc(60_000), "2"));
  const samples = await then(client, "error", () => client.raw(message(Buffer.alloc(60_000), "2")));
  t.like(samples, { guild_id: "2", code: "push_overflow" });
});

test("what is no sound is named, and nothing of it is taken", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("push", { guild_id: GUILD, format: "opus" });
  const { flow } = node.call();
  flow.room = 1000;
  const cases: [string, Buffer, string][] = [
    ["too short", Buffer.from([1, 0, 0]), "invalid_value"],
    [
      "another version",
      Buffer.concat([Buffer.from([2]), message(packets(1)).subarray(1)]),
      "invalid_value",
    ],
    ["no player", message(packets(1), "77"), "no_player"],
    ["half a length", message(Buffer.from([0])), "invalid_value"],
    ["an empty packet", message(Buffer.from([0, 0])), "invalid_value"],
    ["a packet that is cut off", message(packets(2).subarray(0, 9)), "invalid_value"],
    [
      "a packet that is too long",
      message(Buffer.concat([Buffer.from([5, 0]), Buffer.alloc(1280, 0xfc)])),
      "invalid_value",
    ],
    ["packets of 10 ms", message(packets(1, 0xf4)), "invalid_value"],
  ];
  for (const [name, bytes, code] of cases) {
    t.is((await then(client, "error", () => client.raw(bytes))).code, code, name);
  }
  t.deepEqual(flow.pushed, []);
  await client.send("play", { guild_id: GUILD, track_id: TRACK });
  const late = await then(client, "error", () => client.raw(message(packets(1))));
  t.is(late.code, "not_pushing", "another track took its place");
});

test("a pushed track is stopped, replaced and not sought in, like no other", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("play", { guild_id: GUILD, track_id: TRACK });
  const kept = await client.send("push", { guild_id: GUILD, format: "opus", replace: false });
  t.like(kept, { type: "error", code: "already_playing" });
  await client.send("push", { guild_id: GUILD, format: "opus", track_id: "one" });
  t.like(await client.next("track_end"), { track_id: TRACK, reason: "replaced" });
  const moved = await client.send("set_position", { guild_id: GUILD, position: 0 });
  t.like(moved, { type: "error", code: "not_seekable" });
  t.like(await client.send("get_player", { guild_id: GUILD }), { result: { track_id: "one" } });
  await client.send("stop", { guild_id: GUILD });
  t.like(await client.next("track_end"), { track_id: "one", reason: "stopped" });
  t.like(await client.send("push_end", { guild_id: GUILD }), { code: "not_pushing" });
});

for (const [name, d] of Object.entries({
  "no format": {},
  "an unknown format": { format: "mp3" },
  "a format of another type": { format: 1 },
  "too slow": { format: "s16le", sample_rate: 7999 },
  "too fast": { format: "s16le", sample_rate: 192_001 },
  "too many channels": { format: "s16le", channels: 3 },
})) {
  test(`push refuses ${name}`, async (t) => {
    await using node = await TestNode.start();
    const client = await node.connect();
    const answer = await client.send("push", { guild_id: GUILD, ...d });
    t.true(answer.type === "error" && /^d\.\w+$/.test(answer.field ?? ""), JSON.stringify(answer));
  });
}

test("whatever bytes come, they are read or refused, and the node stays", async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        return readPush(Buffer.from(bytes)).sound.length === bytes.length - 10;
      } catch (error) {
        return (error as { code?: string }).code === "invalid_value";
      }
    }),
  );
  await using node = await TestNode.start();
  const client = await node.connect();
  await client.send("push", { guild_id: GUILD, format: "opus" });
  await client.send("push", { guild_id: "2", format: "s16le" });
  for (const bytes of fc.sample(fc.uint8Array({ maxLength: 300 }), 2000)) {
    client.raw(message(bytes, bytes.length % 2 === 0 ? GUILD : "2"));
    client.raw(bytes);
  }
  t.is((await client.send("stop", { guild_id: GUILD })).type, "done");
  t.is((await client.send("stop", { guild_id: "2" })).type, "done");
});
