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

/** The time of day of milliseconds since 1970. */
export function time(/** @type {number} */ at) {
  return new Date(at).toLocaleTimeString();
}

/** A number with as many digits as tell something. */
export function short(/** @type {number} */ value) {
  return value === 0 || value >= 10 ? String(Math.round(value)) : value.toFixed(value >= 1 ? 1 : 2);
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
 * How a moment was, and that in words: what is heard is bad, what is about to be is a warning.
 * @param {{ packets: number, late: number, queue_min: number | null, load: { total: number } } | undefined} sample
 * @returns {{ judgement: "good" | "warn" | "bad", words: string }}
 */
export function verdict(sample) {
  if (!sample) return { judgement: "good", words: "nothing known yet" };
  const { packets, late, queue_min, load } = sample;
  if (packets > 0 && late / packets > 0.01) return { judgement: "bad", words: "sound suffers" };
  if (queue_min !== null && queue_min < 3) return { judgement: "warn", words: "a source is slow" };
  if (late > 0) return { judgement: "warn", words: "some packets are late" };
  if (load.total > 0.85) return { judgement: "warn", words: "the machine is busy" };
  return { judgement: "good", words: "all in time" };
}

/** How a moment was. */
export function judge(/** @type {Parameters<typeof verdict>[0]} */ sample) {
  return verdict(sample).judgement;
}

/**
 * The verdict on some moments: that on the last of the worst.
 * @param {readonly any[]} samples
 */
export function verdictOn(samples) {
  const verdicts = samples.map(verdict);
  const judgement = worst(verdicts.map((one) => one.judgement));
  return verdicts.findLast((one) => one.judgement === judgement) ?? verdict(undefined);
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
 * What takes most of the machine.
 * @param {{ pacer: number, decoding: number, processor: number }} load
 */
export function mostly({ pacer, decoding, processor }) {
  const shares = Object.entries({ sending: pacer, decoding, processor });
  return `mostly ${shares.sort(([, a], [, b]) => b - a)[0][0]}`;
}

/**
 * How a player is, and that in words. A queue that was short only once may belong to a track that ends.
 * @param {{ standing: string, state: string }} row
 * @param {readonly { queue: number | null }[]} history One entry a second.
 * @returns {{ judgement: "good" | "warn" | "bad" | "idle", words: string }}
 */
export function judgePlayer({ standing, state }, history) {
  const voice = `voice ${state.replaceAll("_", " ")}`;
  const lost = state === "disconnected" || state === "unconnected";
  if (standing !== "playing") {
    if (state === "disconnected") return { judgement: "warn", words: `${standing}, ${voice}` };
    return { judgement: "idle", words: standing };
  }
  if (state !== "ready") return { judgement: lost ? "bad" : "warn", words: voice };
  const lately = history.slice(-2);
  const isShort = lately.every(({ queue }) => queue !== null && queue < 3);
  if (isShort && lately.length > 1) return { judgement: "bad", words: "waits for its source" };
  return { judgement: "good", words: "playing" };
}

/**
 * A moment in words.
 * @param {{ packets: number, late: number, p99: number | null, queue_min: number | null, errors: number, playing: number, load: { total: number } }} sample
 */
export function moment({ packets, late, p99, queue_min, errors, playing, load }) {
  const lateness = p99 === null ? "over 100 ms" : `${p99} ms`;
  return [
    `${playing} playing`,
    packets === 0
      ? "no packets"
      : `${late} of ${packets} packets late, 99 of 100 within ${lateness}`,
    queue_min === null ? [] : `at least ${queue_min} frames ahead`,
    `load ${percent(load.total)}`,
    errors === 0 ? [] : `${errors} errors`,
  ]
    .flat()
    .join(", ");
}

/** Seconds that are drawn when so many are known: a node that has just begun is not a line at the edge. */
export function span(/** @type {number} */ known) {
  return [60, 120, 300].find((seconds) => known <= seconds) ?? MAX_SAMPLES;
}

/** Bars of the strip of moments. */
export const BARS = 60;

/**
 * The worst of each of the {@link BARS} equal parts of the time that is drawn; undefined where nothing is known.
 * @param {readonly any[]} samples
 */
export function buckets(samples) {
  const size = span(samples.length) / BARS;
  return Array.from({ length: BARS }, (_, bar) => {
    const from = samples.length - (BARS - bar) * size;
    const part = samples.slice(Math.max(0, from), Math.max(0, from + size));
    return part.length === 0 ? undefined : worst(part.map(judge));
  });
}

/**
 * How the time that is known was, in words.
 * @param {readonly any[]} samples
 */
export function pastInWords(samples) {
  const count = (/** @type {string} */ wanted) =>
    samples.filter((sample) => judge(sample) === wanted).length;
  const bad = count("bad");
  const warn = count("warn");
  const seconds = (/** @type {number} */ value) => (value === 1 ? "1 second" : `${value} seconds`);
  if (bad + warn === 0) return `all good for ${duration(samples.length * 1000)}`;
  const last = samples.findLast((sample) => judge(sample) !== "good");
  const kinds = [bad > 0 ? `${seconds(bad)} bad` : [], warn > 0 ? `${seconds(warn)} doubtful` : []];
  return `${kinds.flat().join(", ")} of ${duration(samples.length * 1000)}, the last at ${time(last.at)}`;
}

/**
 * Errors with the same code at the same place one after another become one, with how many there were.
 * @template {{ code: string, guild_id: string | null, user_id: string }} Told
 * @param {readonly Told[]} errors
 */
export function groupErrors(errors) {
  /** @type {(Told & { times: number })[]} */
  const groups = [];
  for (const error of errors) {
    const last = groups.at(-1);
    const isSame = ["code", "guild_id", "user_id"].every((key) => last?.[key] === error[key]);
    if (last && isSame) last.times += 1;
    else groups.push({ ...error, times: 1 });
  }
  return groups;
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
