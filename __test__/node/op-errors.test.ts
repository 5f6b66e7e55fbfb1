/** What clients get wrong: the answer's code and field, and that the socket and everybody else live on. */

import test from "ava";
import fc from "fast-check";
import { MAX_STRING, OpError } from "../../ts/node/ops/fields.ts";
import { type Envelope, readCommand } from "../../ts/node/ops/table.ts";
import { eventually, GUILD, TestNode, TRACK, trackId } from "./harness.ts";

interface Case {
  name: string;
  message: unknown;
  code: string;
  field?: string;
}

const op = (name: unknown, d: unknown, more: object = {}): object => ({ op: name, d, ...more });
const playing = (more: object): object => op("play", { guild_id: GUILD, track_id: TRACK, ...more });

const CASES: Case[] = [
  { name: "an array", message: [], code: "bad_json" },
  { name: "null", message: null, code: "bad_json" },
  { name: "a number", message: 5, code: "bad_json" },
  { name: "no op", message: { d: {} }, code: "missing_field", field: "op" },
  { name: "an op of another type", message: op(5, {}), code: "wrong_type", field: "op" },
  { name: "an unknown op", message: op("sing", {}), code: "unknown_op", field: "op" },
  { name: "an inherited op", message: op("toString", {}), code: "unknown_op", field: "op" },
  { name: "the node's own op", message: op("event", {}), code: "unknown_op", field: "op" },
  { name: "no d", message: { op: "stop" }, code: "missing_field", field: "d" },
  { name: "d null", message: op("stop", null), code: "wrong_type", field: "d" },
  { name: "d an array", message: op("stop", []), code: "wrong_type", field: "d" },
  {
    name: "an id of another type",
    message: op("stop", { guild_id: GUILD }, { id: {} }),
    code: "wrong_type",
    field: "id",
  },
  {
    name: "a long id",
    message: op("stop", { guild_id: GUILD }, { id: "x".repeat(101) }),
    code: "invalid_value",
    field: "id",
  },
  { name: "no guild", message: op("stop", {}), code: "missing_field", field: "d.guild_id" },
  {
    name: "a guild as a number",
    message: op("stop", { guild_id: 490948 }),
    code: "wrong_type",
    field: "d.guild_id",
  },
  ...["", "abc", "-1", "0", "007", "1e5", " 5", "18446744073709551616", "1".repeat(21)].map(
    (guild_id) => ({
      name: `the guild ${JSON.stringify(guild_id)}`,
      message: op("stop", { guild_id }),
      code: "invalid_value",
      field: "d.guild_id",
    }),
  ),
  {
    name: "no session_id",
    message: op("voice_update", { guild_id: GUILD, token: "t", endpoint: "e" }),
    code: "missing_field",
    field: "d.session_id",
  },
  {
    name: "no endpoint",
    message: op("voice_update", { guild_id: GUILD, session_id: "s", token: "t" }),
    code: "missing_field",
    field: "d.endpoint",
  },
  {
    name: "a token null",
    message: op("voice_update", { guild_id: GUILD, session_id: "s", token: null, endpoint: "e" }),
    code: "wrong_type",
    field: "d.token",
  },
  {
    name: "a bad channel",
    message: op("voice_update", {
      guild_id: GUILD,
      session_id: "s",
      token: "t",
      endpoint: "e",
      channel_id: "general",
    }),
    code: "invalid_value",
    field: "d.channel_id",
  },
  {
    name: "no track",
    message: op("play", { guild_id: GUILD }),
    code: "missing_field",
    field: "d.track_id",
  },
  {
    name: "a track of another type",
    message: playing({ track_id: 1 }),
    code: "wrong_type",
    field: "d.track_id",
  },
  {
    name: "a long track",
    message: playing({ track_id: "A".repeat(MAX_STRING + 1) }),
    code: "invalid_value",
    field: "d.track_id",
  },
  {
    name: "a start of another type",
    message: playing({ start_time: "0" }),
    code: "wrong_type",
    field: "d.start_time",
  },
  {
    name: "a negative start",
    message: playing({ start_time: -1 }),
    code: "invalid_value",
    field: "d.start_time",
  },
  {
    name: "a broken start",
    message: playing({ start_time: 0.5 }),
    code: "invalid_value",
    field: "d.start_time",
  },
  {
    name: "an enormous end",
    message: playing({ end_time: 2 ** 31 }),
    code: "invalid_value",
    field: "d.end_time",
  },
  {
    name: "an end before the start",
    message: playing({ start_time: 2000, end_time: 1000 }),
    code: "invalid_value",
    field: "d.end_time",
  },
  {
    name: "replace of another type",
    message: playing({ replace: 1 }),
    code: "wrong_type",
    field: "d.replace",
  },
  {
    name: "replace null",
    message: playing({ replace: null }),
    code: "wrong_type",
    field: "d.replace",
  },
  {
    name: "no state",
    message: op("set_pause_state", { guild_id: GUILD }),
    code: "missing_field",
    field: "d.state",
  },
  {
    name: "a state of another type",
    message: op("set_pause_state", { guild_id: GUILD, state: "true" }),
    code: "wrong_type",
    field: "d.state",
  },
  {
    name: "no position",
    message: op("set_position", { guild_id: GUILD }),
    code: "missing_field",
    field: "d.position",
  },
  {
    name: "an infinite position",
    message: `{"op":"set_position","d":{"guild_id":"${GUILD}","position":1e999}}`,
    code: "invalid_value",
    field: "d.position",
  },
  {
    name: "no filters",
    message: op("set_filter", { guild_id: GUILD }),
    code: "missing_field",
    field: "d.filters",
  },
  { name: "set_filter without d", message: { op: "set_filter" }, code: "missing_field" },
  { name: "text", message: "hello", code: "bad_json" },
  { name: "half an object", message: '{"op":"stop","d":{', code: "bad_json" },
  { name: "nothing", message: "", code: "bad_json" },
  { name: "ten thousand brackets", message: "[".repeat(10_000), code: "bad_json" },
];

for (const { name, message, code, field } of CASES) {
  test(`a message is refused: ${name}`, (t) => {
    const frame = typeof message === "string" ? message : JSON.stringify(message);
    const error = t.throws<OpError>(() => readCommand(frame, {}), { instanceOf: OpError });
    t.is(error?.code, code, error?.message);
    if (field !== undefined) t.is(error?.field, field);
    t.regex(error?.message ?? "", /^\S.*\.$/);
  });
}

test("a refusal repeats op, id and guild as far as they could be read", (t) => {
  const envelope: Envelope = {};
  const frame = JSON.stringify({
    op: "set_position",
    id: 8,
    d: { guild_id: GUILD, position: "x" },
  });
  t.throws(() => readCommand(frame, envelope), { instanceOf: OpError });
  t.deepEqual(envelope, { op: "set_position", id: 8, guild_id: GUILD });
});

test("all of them over one socket: each is answered, and the socket stays up", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  for (const { message } of CASES) {
    client.raw(typeof message === "string" ? message : JSON.stringify(message));
  }
  client.raw(new Uint8Array([1, 2, 3]));
  const good = await client.send("play", { guild_id: GUILD, track_id: TRACK });
  t.is(good.type, "done");
  const errors = client.events.filter((event) => event.type === "error");
  t.deepEqual(
    errors.map(({ code }) => code),
    [...CASES.map(({ code }) => code), "invalid_value"],
  );
});

test("tracks that cannot be played are named as such", async (t) => {
  await using node = await TestNode.start();
  const client = await node.connect();
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const ids = [
    "not base64!",
    base64("no json"),
    base64("[]"),
    base64("null"),
    base64('{"title": "x"}'),
    base64('{"url": 5}'),
    base64('{"url": " "}'),
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]).toString("base64"),
    trackId("song.ogg"),
    trackId("http://"),
    trackId("ftp://example.org/song.ogg"),
    trackId("data:audio/ogg;base64,T2dnUw=="),
    trackId("javascript:alert(1)"),
  ];
  for (const track_id of ids) {
    const answer = await client.send("play", { guild_id: GUILD, track_id });
    t.like(answer, { type: "error", code: "unknown_track", field: "d.track_id" }, track_id);
  }
  t.deepEqual(node.call().flow.plays, []);
});

/** Mostly almost right, so that every depth of the parser is reached. */
const hostileValue = fc.oneof(
  fc.constantFrom(GUILD, "0", "", "-1", TRACK, true, false, null, 0, -1, 1e308, [], {}),
  fc.jsonValue({ maxDepth: 3 }),
);
const hostileMessage = fc.oneof(
  fc.record(
    {
      op: fc.oneof(
        fc.constantFrom("play", "stop", "destroy", "voice_update", "set_position", "set_filter"),
        fc.constantFrom("set_pause_state", "__proto__", "constructor"),
        hostileValue,
      ),
      d: fc.oneof(
        fc.record(
          {
            guild_id: fc.oneof(fc.constant(GUILD), hostileValue),
            track_id: hostileValue,
            start_time: hostileValue,
            end_time: hostileValue,
            replace: hostileValue,
            state: hostileValue,
            position: hostileValue,
            session_id: hostileValue,
            token: hostileValue,
            endpoint: hostileValue,
            channel_id: hostileValue,
          },
          { requiredKeys: [] },
        ),
        hostileValue,
      ),
      id: hostileValue,
    },
    { requiredKeys: [] },
  ),
  fc.jsonValue(),
);

test("whatever a client sends, reading it gives a command or an OpError", (t) => {
  const check = (frame: string): boolean => {
    try {
      const { guildId } = readCommand(frame, {});
      return guildId === undefined || /^[1-9]\d{0,19}$/.test(guildId);
    } catch (error) {
      return error instanceof OpError && /^[a-z_]+$/.test(error.code);
    }
  };
  fc.assert(
    fc.property(hostileMessage, (message) => check(JSON.stringify(message) ?? "")),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (frame) => check(frame)),
    { numRuns: 1000 },
  );
  t.pass();
});

test("a storm of hostile messages is answered one by one and reaches nobody else", async (t) => {
  await using node = await TestNode.start();
  const victim = await node.connect({ "User-Id": "2" });
  await victim.send("play", { guild_id: GUILD, track_id: TRACK });
  const attacker = await node.connect();
  const messages = fc.sample(hostileMessage, 5000);
  for (const message of messages) attacker.raw(JSON.stringify(message) ?? "");
  const answers = (): number =>
    attacker.events.filter(({ type }) => type === "done" || type === "error").length;
  await eventually(() => answers() === messages.length);
  t.false(
    attacker.events.some((event) => event.type === "error" && event.code === "internal_error"),
  );
  t.is(node.call(GUILD, "2").flow.playing, 1);
  t.is((await victim.send("stop", { guild_id: GUILD })).type, "done");
});
