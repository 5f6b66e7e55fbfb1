/** The benchmark's arithmetic: what its medians, percentiles and repeated rounds say. */

import test from "ava";
import { search } from "../../benchmark/experiments/density.ts";
import {
  isDisturbed,
  later,
  lateShare,
  mergeHistograms,
  percentile,
  spread,
  undisturbed,
} from "../../benchmark/harness/statistics.ts";

test("a spread is the median with its ends, of odd and even numbers of rounds", (t) => {
  t.deepEqual(spread([3, 1, 2]), { median: 2, min: 1, max: 3, rounds: 3 });
  t.deepEqual(spread([4, 1, 2, 3]), { median: 2.5, min: 1, max: 4, rounds: 4 });
  t.deepEqual(spread([7]), { median: 7, min: 7, max: 7, rounds: 1 });
  t.deepEqual(spread([Number.NaN, 5]), { median: 5, min: 5, max: 5, rounds: 1 });
  t.is(spread([]), undefined);
});

test("merged histograms count every packet once", (t) => {
  const merged = mergeHistograms([
    [
      [10, 4],
      [30, 1],
    ],
    [
      [20, 3],
      [30, 2],
    ],
  ]);
  t.deepEqual(merged, [
    [10, 4],
    [20, 3],
    [30, 3],
  ]);
});

test("percentiles are the upper ends of the buckets in which they lie", (t) => {
  const histogram: [number, number][] = [
    [10, 98],
    [500, 1],
    [20_000, 1],
  ];
  t.is(percentile(histogram, 0.5), 10);
  t.is(percentile(histogram, 0.98), 10);
  t.is(percentile(histogram, 0.99), 500);
  t.is(percentile(histogram, 0.999), 20_000);
  t.is(percentile([], 0.5), 0);
});

test("the distribution says how many packets were later", (t) => {
  const points = later([
    [10, 90],
    [100, 9],
    [1000, 1],
  ]);
  t.deepEqual(points, [
    [10, 0.1],
    [100, 0.01],
    [1000, 0],
  ]);
});

test("packets that never came are late; one of each call may lie on the border", (t) => {
  const run = { calls: 10, seconds: 2, late: 0 };
  t.is(lateShare({ ...run, packets: 1000 }), 0);
  t.is(lateShare({ ...run, packets: 990 }), 0);
  t.is(lateShare({ ...run, packets: 495 }), 0.5);
  t.is(lateShare({ ...run, packets: 1000, late: 100 }), 0.1);
  t.is(lateShare({ ...run, packets: 0 }), 1);
});

test("a round counts when others leave the machine alone", (t) => {
  t.false(isDisturbed({ othersCores: 0.05, stolenCores: 0.01 }));
  t.true(isDisturbed({ othersCores: 0.3, stolenCores: 0 }));
  t.true(isDisturbed({ othersCores: 0.1, stolenCores: 0.1 }));
});

test("a disturbed round is measured again, and the quietest of all is kept", async (t) => {
  const loads = [0.5, 0.2, 0.9, 0.01];
  const measure = async () => ({ load: { othersCores: loads.shift() ?? 0, stolenCores: 0 } });
  const kept = await undisturbed(3, measure);
  t.is(kept.load.othersCores, 0.2);
  t.true(kept.disturbed);
  t.is(kept.repeats, 2);
  const quiet = await undisturbed(3, measure);
  t.false(quiet.disturbed);
  t.is(quiet.repeats, 0);
});

test("the search finds the largest number that holds, to within its precision", async (t) => {
  for (const limit of [3, 17, 400, 650, 5000, 11_999]) {
    let tries = 0;
    const found = await search(600, 12_000, async (calls) => {
      tries += 1;
      return calls <= limit;
    });
    t.true(found <= limit && (found * 1.08 >= limit || limit - found <= 1), `${limit}: ${found}`);
    t.true(tries < 20, `${limit}: ${tries} tries`);
  }
  t.is(await search(600, 12_000, async () => true), 12_000);
  t.is(await search(600, 12_000, async () => false), 0);
});
