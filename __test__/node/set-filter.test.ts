/** The ops `set_filter` and `set_volume`: what they take, what they refuse, what clients are told. */

import test from "ava";
import fc from "fast-check";
import { OpError } from "../../ts/node/ops/fields.ts";
import { readCommand } from "../../ts/node/ops/table.ts";
import { GUILD, TestNode, TRACK } from "./harness.ts";

const guild_id = GUILD;
const SNAKE = {
  volume: 0.8,
  equalizer: [{ band: 0, gain: 0.25 }],
  karaoke: { mono_level: 0.5 },
  timescale: { speed: 1.5, rate: 1.1 },
  rotation: { rotation_hz: 0.2 },
  channel_mix: { left_to_right: 0.5 },
  low_pass: { smoothing: 10 },
};

test("filters reach the flow and are told with all their fields", async (t) => {
  await using world = await TestNode.start();
  const client = await world.connect();
  await client.send("play", { guild_id, track_id: TRACK });
  const flow = world.call().flow;
  const updated = client.next("player_update");
  t.is((await client.send("set_filter", { guild_id, filters: SNAKE })).type, "done");
  t.like(await updated, { volume: 100, speed: 1.5 * 1.1 });
  t.like(flow.filters.at(-1), {
    volume: 0.8,
    karaoke: { monoLevel: 0.5, filterBand: 220 },
    channelMix: { leftToRight: 0.5, leftToLeft: 1 },
    lowPass: { smoothing: 10 },
  });
  const answer = await client.send("get_player", { guild_id });
  t.like(answer, {
    result: {
      filters: {
        equalizer: [{ band: 0, gain: 0.25 }],
        karaoke: { level: 1, mono_level: 0.5, filter_band: 220, filter_width: 100 },
        rotation: { rotation_hz: 0.2 },
        low_pass: { smoothing: 10 },
      },
    },
  });
  t.is((await client.send("set_filter", { guild_id, filters: {} })).type, "done");
  t.deepEqual(flow.filters.at(-1), {});
});

test("the volume is told in percent and set for a player that plays nothing, too", async (t) => {
  await using world = await TestNode.start();
  const client = await world.connect();
  await client.send("play", { guild_id, track_id: TRACK });
  const flow = world.call().flow;
  flow.finish();
  await client.next("track_end");
  await client.next("player_update");
  t.is((await client.send("set_volume", { guild_id, volume: 50 })).type, "done");
  t.deepEqual(flow.volumes, [0.5]);
  t.like(await client.next("player_update"), { volume: 50 });
});

test("without a player both answer no_player", async (t) => {
  await using world = await TestNode.start();
  const client = await world.connect();
  t.like(await client.send("set_filter", { guild_id, filters: {} }), { code: "no_player" });
  t.like(await client.send("set_volume", { guild_id, volume: 5 }), { code: "no_player" });
});

/** Body, code, field, what the message says. */
const REFUSED: [string, object, string, string, RegExp][] = [
  ["set_filter", {}, "missing_field", "d.filters", /missing/],
  ["set_filter", { filters: null }, "wrong_type", "d.filters", /filters takes an object, not null/],
  ["set_filter", { filters: { echo: {} } }, "invalid_value", "d.filters", /only volume, equalizer/],
  [
    "set_filter",
    { filters: { low_pass: { smoothing: 0 } } },
    "invalid_value",
    "d.filters.low_pass.smoothing",
    /filters\.low_pass\.smoothing takes 1 or more, not 0/,
  ],
  [
    "set_filter",
    { filters: { lowPass: { smoothing: "a" } } },
    "wrong_type",
    "d.filters.low_pass.smoothing",
    /takes a number/,
  ],
  [
    "set_filter",
    { filters: { equalizer: [{ band: 15 }] } },
    "invalid_value",
    "d.filters.equalizer[0].band",
    /0 to 14/,
  ],
  ["set_filter", { filters: [[[[[[]]]]]] }, "wrong_type", "d.filters", /an object/],
  ["set_volume", {}, "missing_field", "d.volume", /missing/],
  ["set_volume", { volume: 1001 }, "invalid_value", "d.volume", /0 to 1000/],
  ["set_volume", { volume: 0.5 }, "invalid_value", "d.volume", /whole number/],
  ["set_volume", { volume: "50" }, "wrong_type", "d.volume", /number/],
];

for (const [op, body, code, field, message] of REFUSED) {
  test(`${op} refuses ${JSON.stringify(body)}`, (t) => {
    const frame = JSON.stringify({ op, d: { guild_id, ...body } });
    const error = t.throws<OpError>(() => readCommand(frame, {}), { instanceOf: OpError });
    t.is(error?.code, code);
    t.is(error?.field, field);
    t.regex(error?.message ?? "", message);
  });
}

test("a filter that is nested without end is refused", (t) => {
  const frame = `{"op":"set_filter","d":{"guild_id":"${guild_id}","filters":{"karaoke":${"[".repeat(20_000)}${"]".repeat(20_000)}}}}`;
  t.throws(() => readCommand(frame, {}), { instanceOf: OpError });
});

test("whatever JSON comes, it is read or refused", (t) => {
  const name = fc.constantFrom("volume", "low_pass", "timescale", "equalizer", "__proto__", "x");
  fc.assert(
    fc.property(fc.dictionary(name, fc.jsonValue({ maxDepth: 4 })), (filters) => {
      const frame = JSON.stringify({ op: "set_filter", d: { guild_id, filters } });
      try {
        readCommand(frame, {});
      } catch (error) {
        if (!(error instanceof OpError)) throw error;
      }
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});
