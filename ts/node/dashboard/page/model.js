/** What the page shows, as plain functions over what the node says: no document in here. */

/** Samples that are kept: ten minutes. */
export const MAX_SAMPLES = 600;

/**
 * Adds the samples that have come to those that are there.
 * @template {{ at: number }} Sample
 * @param {readonly Sample[]} kept
 * @param {readonly Sample[]} added
 */
export function addSamples(kept, added) {
  const last = kept.at(-1)?.at ?? 0;
  return [...kept, ...added.filter(({ at }) => at > last)].slice(-MAX_SAMPLES);
}

/** `1:02:03` or `4:05` of milliseconds. */
export function clock(/** @type {number} */ ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const rest = two(seconds % 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}

/** `3 d 4 h` of milliseconds. */
export function duration(/** @type {number} */ ms) {
  const minutes = Math.floor(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return minutes > 0 ? `${minutes} min` : `${Math.floor(ms / 1000)} s`;
}

/** `154 MB` of bytes. */
export function megabytes(/** @type {number} */ bytes) {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** `31 %` of a share. */
export function percent(/** @type {number} */ share) {
  return `${Math.round(share * 100)} %`;
}

/**
 * How a moment was: what is heard is bad, what is about to be is a warning.
 * @param {{ packets: number, late: number, queue_min: number | null, load: { total: number } } | undefined} sample
 * @returns {"good" | "warn" | "bad"}
 */
export function judge(sample) {
  if (!sample) return "good";
  const late = sample.packets === 0 ? 0 : sample.late / sample.packets;
  if (late > 0.01) return "bad";
  const starving = sample.queue_min !== null && sample.queue_min < 3;
  if (late > 0 || starving || sample.load.total > 0.85) return "warn";
  return "good";
}

/**
 * The worst of some judgements.
 * @param {readonly ("good" | "warn" | "bad")[]} judgements
 */
export function worst(judgements) {
  if (judgements.includes("bad")) return "bad";
  return judgements.includes("warn") ? "warn" : "good";
}

/**
 * How a player is.
 * @param {{ standing: string, state: string, queue: number | null }} row
 * @returns {"good" | "warn" | "bad" | "idle"}
 */
export function judgePlayer({ standing, state, queue }) {
  if (standing !== "playing") return state === "disconnected" ? "warn" : "idle";
  if (state === "disconnected" || state === "unconnected") return "bad";
  if (state !== "ready") return "warn";
  return queue !== null && queue < 3 ? "warn" : "good";
}

/**
 * The path of a line over values from left to right; null leaves a gap.
 * @param {readonly (number | null)[]} values
 * @param {number} width
 * @param {number} height
 * @param {number} top The value at the upper edge.
 * @param {number} places How many values fit; fewer stand at the right.
 */
export function line(values, width, height, top, places) {
  const step = width / Math.max(1, places - 1);
  const from = width - (values.length - 1) * step;
  let path = "";
  let pen = false;
  values.forEach((value, at) => {
    if (value === null) {
      pen = false;
      return;
    }
    const y = height - (Math.min(value, top) / top) * height;
    path += `${pen ? "L" : "M"}${(from + at * step).toFixed(1)} ${y.toFixed(1)}`;
    pen = true;
  });
  return path;
}

/**
 * A value that is a good upper edge for values up to this one.
 * @param {number} largest
 * @param {number} least
 */
export function niceTop(largest, least) {
  let top = least;
  while (top < largest) top *= 2;
  return top;
}
