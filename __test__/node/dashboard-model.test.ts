/** What the dashboard's page makes of what it is told. */

import test from "ava";

interface Model {
  MAX_SAMPLES: number;
  addSamples(kept: { at: number }[], added: { at: number }[]): { at: number }[];
  clock(ms: number): string;
  duration(ms: number): string;
  judge(sample: unknown): string;
  judgePlayer(
    row: { standing: string; state: string },
    history: { queue: number | null }[],
  ): { judgement: string; words: string };
  verdictOn(samples: unknown[]): { judgement: string; words: string };
  buckets(samples: unknown[]): (string | undefined)[];
  pastInWords(samples: unknown[]): string;
  groupErrors(errors: object[]): { times: number }[];
  short(value: number): string;
  span(known: number): number;
  line(values: (number | null)[], w: number, h: number, top: number, places: number): string;
  niceTop(largest: number, least: number): number;
  worst(judgements: string[]): string;
}

const path = "../../ts/node/dashboard/page/model.js";
const model = (await import(path)) as Model;

test("samples are kept once and for ten minutes", (t) => {
  const many = Array.from({ length: 700 }, (_, at) => ({ at: at + 1 }));
  t.is(model.addSamples([], many).length, model.MAX_SAMPLES);
  t.deepEqual(model.addSamples([{ at: 1 }, { at: 2 }], [{ at: 2 }, { at: 3 }]), [
    { at: 1 },
    { at: 2 },
    { at: 3 },
  ]);
});

test("times are for people", (t) => {
  t.is(model.clock(65_900), "1:05");
  t.is(model.clock(3_725_000), "1:02:05");
  t.is(model.duration(59_000), "59 s");
  t.is(model.duration(3_700_000), "1 h 1 min");
  t.is(model.duration(100 * 3_600_000), "4 d 4 h");
});

test("a moment is bad when it is heard, and a warning when it is close", (t) => {
  const sample = { packets: 1000, late: 0, queue_min: 10, load: { total: 0.3 } };
  t.is(model.judge(undefined), "good");
  t.is(model.judge(sample), "good");
  t.is(model.judge({ ...sample, late: 11 }), "bad");
  t.is(model.judge({ ...sample, late: 1 }), "warn");
  t.is(model.judge({ ...sample, queue_min: 1 }), "warn");
  t.is(model.judge({ ...sample, load: { total: 0.9 } }), "warn");
  t.is(model.judge({ packets: 0, late: 0, queue_min: null, load: { total: 0 } }), "good");
  t.is(model.worst(["good", "warn", "good"]), "warn");
  t.is(model.worst(["warn", "bad"]), "bad");
  t.is(model.worst([]), "good");
});

test("the last of the worst moments says what is wrong", (t) => {
  const sample = { packets: 1000, late: 0, queue_min: 10, load: { total: 0.3 } };
  const slow = { ...sample, queue_min: 0 };
  const busy = { ...sample, load: { total: 0.9 } };
  t.is(model.verdictOn([]).judgement, "good");
  t.is(model.verdictOn([sample, sample]).words, "all in time");
  t.is(model.verdictOn([slow, busy, sample]).words, "the machine is busy");
  t.is(model.verdictOn([{ ...sample, late: 50 }, slow]).words, "sound suffers");
});

test("a player that plays without a call or without frames is bad", (t) => {
  const row = { standing: "playing", state: "ready" };
  const judge = (changes: object, queues: (number | null)[] = [10, 10]) => {
    const history = queues.map((queue) => ({ queue }));
    return model.judgePlayer({ ...row, ...changes }, history).judgement;
  };
  t.is(judge({}), "good");
  t.is(judge({}, [10, 0]), "good", "it may be the end of its track");
  t.is(judge({}, [10, 0, 2]), "bad");
  t.is(judge({ state: "resuming" }), "warn");
  t.is(judge({ state: "disconnected" }), "bad");
  t.is(judge({ standing: "idle" }), "idle");
  t.is(judge({ standing: "idle", state: "disconnected" }), "warn");
});

test("a single bad second is seen in the strip of moments", (t) => {
  const good = { at: 0, packets: 1000, late: 0, queue_min: 10, load: { total: 0.3 } };
  const past = Array.from({ length: 600 }, (_, at) => ({ ...good, at: at * 1000 }));
  past[304] = { ...good, at: 304_000, late: 100 };
  const bars = model.buckets(past);
  t.is(bars.length, 60);
  t.deepEqual(
    bars.flatMap((judgement, at) => (judgement === "good" ? [] : [[judgement, at]])),
    [["bad", 30]],
  );
  t.regex(model.pastInWords(past), /^1 second bad of 10 min, the last at /);
  t.is(model.pastInWords(past.slice(310)), "all good for 4 min");
  const few = model.buckets(past.slice(300, 310));
  t.deepEqual(few.slice(49, 56), [undefined, "good", "good", "good", "good", "bad", "good"]);
  t.deepEqual([1, 60, 61, 300, 301, 600].map(model.span), [60, 60, 120, 300, 600, 600]);
});

test("the same error in a row is one line, and numbers are short", (t) => {
  const error = { code: "a", guild_id: "1", user_id: "2" };
  const other = { ...error, guild_id: null };
  const groups = model.groupErrors([error, error, other, error]);
  t.deepEqual(
    groups.map(({ times }) => times),
    [2, 1, 1],
  );
  t.deepEqual([0, 0.126, 1.26, 12.6].map(model.short), ["0", "0.13", "1.3", "13"]);
});

test("a line stands at the right, and has gaps where nothing is known", (t) => {
  t.is(model.line([0, 5, 10], 100, 50, 10, 3), "M0.0 50.0L50.0 25.0L100.0 0.0");
  t.is(model.line([10], 100, 50, 10, 3), "M100.0 0.0");
  t.is(model.line([0, null, 10, 99], 90, 50, 10, 4), "M0.0 50.0M60.0 0.0L90.0 0.0");
  t.is(model.niceTop(35, 10), 40);
  t.is(model.niceTop(0, 10), 10);
});
