/** Measures sound: levels and frequencies of tones, by least squares and by counting. */

const RATE = 48_000;

/** One side of interleaved stereo, as numbers from -1 to 1. */
export function sideOf(samples: Int16Array, side: 0 | 1): Float64Array {
  return Float64Array.from(
    { length: samples.length / 2 },
    (_, at) => (samples[2 * at + side] ?? 0) / 32_768,
  );
}

/** The amplitudes of tones that sound together, each by a least-squares fit of its own. */
export function levelOf(samples: Float64Array, hertz: number): number {
  let [ss, cc, sc, ys, yc] = [0, 0, 0, 0, 0];
  for (let at = 0; at < samples.length; at++) {
    // A window keeps the other tones out.
    const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * (at + 0.5)) / samples.length);
    const sin = Math.sin((2 * Math.PI * hertz * at) / RATE);
    const cos = Math.cos((2 * Math.PI * hertz * at) / RATE);
    const value = samples[at] ?? 0;
    ss += window * sin * sin;
    cc += window * cos * cos;
    sc += window * sin * cos;
    ys += window * value * sin;
    yc += window * value * cos;
  }
  const determinant = ss * cc - sc * sc;
  return Math.hypot((ys * cc - yc * sc) / determinant, (yc * ss - ys * sc) / determinant);
}

/** Frequency of one tone: from its first rise through zero to its last. */
export function pitchOf(samples: Float64Array): number {
  const rises: number[] = [];
  for (let at = 1; at < samples.length; at++) {
    const [before = 0, now = 0] = [samples[at - 1], samples[at]];
    if (before < 0 && now >= 0) rises.push(at - 1 + before / (before - now));
  }
  const [first = 0] = rises;
  return ((rises.length - 1) * RATE) / ((rises.at(-1) ?? 1) - first);
}

/** Levels of a tone over time: one value for every `step` samples. */
export function envelopeOf(samples: Float64Array, hertz: number, step: number): Float64Array {
  const window = Math.round((4 * RATE) / hertz);
  const count = Math.floor((samples.length - window) / step);
  return Float64Array.from({ length: count }, (_, at) =>
    levelOf(samples.subarray(at * step, at * step + window), hertz),
  );
}

/** Decibels of a ratio. */
export function decibels(ratio: number): number {
  return 20 * Math.log10(ratio);
}
