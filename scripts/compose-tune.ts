// The bundled tune as samples: a small piece for plucked strings, bass and shaker, made for this project (CC0).

const RATE = 48_000;
const BEAT_SECONDS = 0.375;
const TAIL_SECONDS = 1.5;

/** Chords of the piece, as MIDI notes: bass first, then the arpeggio's tones. */
const CHORDS: readonly (readonly number[])[] = [
  [45, 57, 60, 64, 69],
  [41, 57, 60, 65, 69],
  [48, 55, 60, 64, 67],
  [43, 55, 59, 62, 67],
  [45, 57, 60, 64, 72],
  [41, 57, 60, 65, 72],
  [43, 59, 62, 67, 74],
  [45, 57, 60, 64, 69],
];

/** Order in which a chord's upper tones are plucked, one per half beat. */
const PATTERN = [0, 1, 2, 3, 2, 1, 3, 2];

/** Interleaved 16-bit stereo at 48 kHz, about 13.5 seconds. */
export function composeTune(): Int16Array {
  const seconds = CHORDS.length * 4 * BEAT_SECONDS + TAIL_SECONDS;
  const frames = Math.ceil((seconds * RATE) / 960) * 960;
  const left = new Float64Array(frames);
  const right = new Float64Array(frames);
  const random = seededRandom(20_26);
  CHORDS.forEach((chord, bar) => {
    const start = bar * 4 * BEAT_SECONDS;
    const [bass = 45, ...tones] = chord;
    pluck({ left, right, start, note: bass, gain: 0.3, pan: 0, seconds: 1.4 });
    pluck({
      left,
      right,
      start: start + 2.5 * BEAT_SECONDS,
      note: bass,
      gain: 0.2,
      pan: 0,
      seconds: 0.6,
    });
    PATTERN.forEach((tone, step) => {
      const at = start + (step * BEAT_SECONDS) / 2;
      const note = (tones[tone] ?? 60) + (step === 6 ? 12 : 0);
      pluck({
        left,
        right,
        start: at,
        note,
        gain: 0.16,
        pan: step % 2 === 0 ? -0.5 : 0.5,
        seconds: 1.1,
      });
      shake(left, right, at, step % 2 === 0 ? 0.02 : 0.035, random);
    });
  });
  return interleave(left, right);
}

interface Pluck {
  left: Float64Array;
  right: Float64Array;
  start: number;
  note: number;
  gain: number;
  /** −1 left to 1 right. */
  pan: number;
  seconds: number;
}

/** A decaying tone with six harmonics; higher ones fade faster, as on a string. */
function pluck({ left, right, start, note, gain, pan, seconds }: Pluck): void {
  const frequency = 440 * 2 ** ((note - 69) / 12);
  const first = Math.round(start * RATE);
  const count = Math.min(Math.round(seconds * RATE), left.length - first);
  for (let i = 0; i < count; i++) {
    const time = i / RATE;
    let sample = 0;
    for (let harmonic = 1; harmonic <= 6; harmonic++) {
      const decay = Math.exp(-time * (2.2 + harmonic * 1.1));
      sample += (Math.sin(2 * Math.PI * frequency * harmonic * time) * decay) / harmonic ** 1.3;
    }
    const attack = Math.min(1, time / 0.004);
    const release = Math.min(1, (count - i) / (0.03 * RATE));
    const value = sample * gain * attack * release;
    left[first + i] = (left[first + i] ?? 0) + value * (1 - Math.max(0, pan) * 0.7);
    right[first + i] = (right[first + i] ?? 0) + value * (1 + Math.min(0, pan) * 0.7);
  }
}

/** A short burst of noise. */
function shake(
  left: Float64Array,
  right: Float64Array,
  start: number,
  gain: number,
  random: () => number,
): void {
  const first = Math.round(start * RATE);
  for (let i = 0; i < 0.06 * RATE && first + i < left.length; i++) {
    const value = (random() * 2 - 1) * gain * Math.exp(-i / (0.012 * RATE));
    left[first + i] = (left[first + i] ?? 0) + value;
    right[first + i] = (right[first + i] ?? 0) + value * 0.8;
  }
}

function interleave(left: Float64Array, right: Float64Array): Int16Array {
  const samples = new Int16Array(left.length * 2);
  for (let i = 0; i < left.length; i++) {
    samples[2 * i] = Math.round(Math.tanh(left[i] ?? 0) * 30_000);
    samples[2 * i + 1] = Math.round(Math.tanh(right[i] ?? 0) * 30_000);
  }
  return samples;
}

/** Mulberry32: the same noise on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
