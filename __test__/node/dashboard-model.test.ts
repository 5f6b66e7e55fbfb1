/** What the dashboard's page makes of what it is told. */

import test from "ava";

interface Model {
  MAX_SAMPLES: number;
  addSamples(kept: { at: number }[], added: { at: number }[]): { at: number }[];
  clock(ms: number): string;
  duration(ms: number): string;
  judge(sample: unknown): string;
  judgePlayer(row: { standing: string; state: string; queue: number | null }): string;
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

test("a player that plays without a call is bad, one without frames a warning", (t) => {
  const row = { standing: "playing", state: "ready", queue: 10 };
  t.is(model.judgePlayer(row), "good");
  t.is(model.judgePlayer({ ...row, queue: 0 }), "warn");
  t.is(model.judgePlayer({ ...row, state: "resuming" }), "warn");
  t.is(model.judgePlayer({ ...row, state: "disconnected" }), "bad");
  t.is(model.judgePlayer({ ...row, standing: "idle" }), "idle");
});

test("a line stands at the right, and has gaps where nothing is known", (t) => {
  t.is(model.line([0, 5, 10], 100, 50, 10, 3), "M0.0 50.0L50.0 25.0L100.0 0.0");
  t.is(model.line([10], 100, 50, 10, 3), "M100.0 0.0");
  t.is(model.line([0, null, 10, 99], 90, 50, 10, 4), "M0.0 50.0M60.0 0.0L90.0 0.0");
  t.is(model.niceTop(35, 10), 40);
  t.is(model.niceTop(0, 10), 10);
});
