/** The benchmark's arithmetic: medians with their spread, merged histograms, and which rounds were disturbed. */

/** The middle of several rounds, and how far they lay apart. */
export interface Spread {
  median: number;
  min: number;
  max: number;
  rounds: number;
}

/** Upper end of a bucket in microseconds, and how many packets fell into it. */
export type Histogram = [upperUs: number, count: number][];

/** Median, least and greatest of some values; undefined of none. */
export function spread(values: readonly number[]): Spread | undefined {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? min;
  const high = sorted[Math.floor(middle)] ?? max;
  return { median: (low + high) / 2, min, max, rounds: sorted.length };
}

/** All rounds' packets as one distribution. */
export function mergeHistograms(histograms: readonly Histogram[]): Histogram {
  const counts = new Map<number, number>();
  for (const [upperUs, count] of histograms.flat())
    counts.set(upperUs, (counts.get(upperUs) ?? 0) + count);
  return [...counts].sort(([a], [b]) => a - b);
}

/** The value below which a share (0 to 1) of all packets lies, in microseconds; 0 of nothing. */
export function percentile(histogram: Histogram, share: number): number {
  const total = histogram.reduce((sum, [, count]) => sum + count, 0);
  const rank = Math.max(1, Math.ceil(total * share));
  let seen = 0;
  for (const [upperUs, count] of histogram) {
    seen += count;
    if (seen >= rank) return upperUs;
  }
  return 0;
}

/** For each bucket, the share of packets that were later than its upper end. */
export function later(histogram: Histogram): [us: number, share: number][] {
  const total = histogram.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  return histogram.map(([upperUs, count]) => {
    seen += count;
    return [upperUs, (total - seen) / total];
  });
}

/**
 * The share of packets that were more than 20 ms late or never came, 0 to 1. One packet of each call may
 * be missing, because a measurement begins and ends between two of them.
 */
export function lateShare(counts: {
  calls: number;
  seconds: number;
  packets: number;
  late: number;
}): number {
  const expected = counts.calls * Math.max(1, Math.floor(counts.seconds * 50) - 1);
  const missing = Math.max(0, expected - counts.packets);
  return Math.min(1, (counts.late + missing) / Math.max(expected, counts.packets));
}

/** Cores that others may keep busy during a round before it counts as disturbed. */
const TOLERATED_CORES = 0.12;

/** Whether others than the benchmark's own programs took so much of the machine that a round does not count. */
export function isDisturbed(load: { othersCores: number; stolenCores: number }): boolean {
  return load.othersCores + load.stolenCores > TOLERATED_CORES;
}

/**
 * Runs one round until it is undisturbed, at most `tries` times, and returns the quietest of what was
 * measured.
 */
export async function undisturbed<T extends { load: { othersCores: number; stolenCores: number } }>(
  tries: number,
  measure: () => Promise<T>,
): Promise<T & { disturbed: boolean; repeats: number }> {
  let best: T | undefined;
  let repeats = 0;
  for (; repeats < tries; repeats++) {
    const measured = await measure();
    if (!best || disturbance(measured) < disturbance(best)) best = measured;
    if (!isDisturbed(measured.load)) break;
  }
  if (!best) throw new RangeError("A round takes at least one try.");
  const disturbed = isDisturbed(best.load);
  return { ...best, disturbed, repeats: Math.min(repeats, tries - 1) };
}

function disturbance({ load }: { load: { othersCores: number; stolenCores: number } }): number {
  return load.othersCores + load.stolenCores;
}
