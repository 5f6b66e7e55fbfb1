/** Filters of a call: what may be set, in which range and with which default, checked before the engine sees it. */

import { CadenzaError } from "../support/errors.ts";
import type { TimescaleSettings } from "./filter-settings.ts";
import type { BindingFilters } from "./generated/binding.js";

export type * from "./filter-settings.ts";

/** Filters that were checked: those that were given, with every field. */
export type ResolvedFilters = {
  volume?: number;
  equalizer?: { band: number; gain: number }[];
} & { [Name in GroupName]?: { [Field in keyof (typeof GROUPS)[Name]]: number } };

/** A filter setting that cannot be taken; nothing was changed. */
export class FilterError extends CadenzaError {
  /** Path of the field, such as `timescale.speed` or `equalizer[3].gain`. */
  readonly field: string;
  /** What the field takes, such as `0.1 to 10`. */
  readonly allowed: string;
  /** What it was given. */
  readonly value: unknown;

  /** The code is `filter_unknown`, `filter_wrong_type` or `filter_out_of_range`. */
  constructor(code: string, field: string, allowed: string, value: unknown) {
    super(code, `${field} takes ${allowed}, not ${shown(value)}.`);
    this.name = "FilterError";
    this.field = field;
    this.allowed = allowed;
    this.value = value;
  }
}

/** What a number may be. */
interface Limit {
  least: number;
  most: number;
  /** Whether `least` itself is too little. */
  above?: boolean;
  missing: number;
  words: string;
}

const BANDS = 15;
const share = (missing: number): Limit => ({ least: 0, most: 1, missing, words: "0 to 1" });
const hertz = (missing: number): Limit => ({
  least: 0,
  most: 24_000,
  missing,
  words: "0 to 24000",
});
const factor: Limit = { least: 0.1, most: 10, missing: 1, words: "0.1 to 10" };
const anything = (missing: number): Limit => ({
  least: -Number.MAX_VALUE,
  most: Number.MAX_VALUE,
  missing,
  words: "any finite number",
});
const positive: Limit = {
  ...{ least: 0, most: Number.MAX_VALUE, above: true },
  ...{ missing: 2, words: "more than 0" },
};
const upTo14: Limit = { ...positive, most: 14, words: "more than 0, up to 14" };
const fromOne: Limit = { ...anything(20), least: 1, words: "1 or more" };
const VOLUME: Limit = { least: 0, most: 5, missing: 1, words: "0 to 5" };
const PLAYER_VOLUME: Limit = { least: 0, most: 10, missing: 1, words: "0 to 10" };
const BAND_GAIN: Limit = { least: -0.25, most: 1, missing: 1, words: "-0.25 to 1" };

type GroupName = keyof typeof GROUPS;

/** The filters that are objects of numbers, with their fields. */
const GROUPS = {
  karaoke: {
    level: share(1),
    monoLevel: share(1),
    filterBand: hertz(220),
    filterWidth: hertz(100),
  },
  timescale: { speed: factor, pitch: factor, rate: factor },
  tremolo: { frequency: positive, depth: share(0.5) },
  vibrato: { frequency: upTo14, depth: share(0.5) },
  rotation: { rotationHz: anything(0) },
  distortion: {
    sinOffset: anything(0),
    sinScale: anything(1),
    cosOffset: anything(0),
    cosScale: anything(1),
    tanOffset: anything(0),
    tanScale: anything(1),
    offset: anything(0),
    scale: anything(1),
  },
  channelMix: {
    leftToLeft: share(1),
    leftToRight: share(0),
    rightToLeft: share(0),
    rightToRight: share(1),
  },
  lowPass: { smoothing: fromOne },
} satisfies Record<string, Record<string, Limit>>;

const NAMES = ["volume", "equalizer", ...Object.keys(GROUPS)];

/**
 * Checks filters, whoever gave them, and fills in the defaults.
 *
 * @throws FilterError for the first thing that cannot be taken.
 */
export function resolveFilters(given: unknown): ResolvedFilters {
  const filters = fieldsOf(given, "filters", NAMES);
  const resolved: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(filters)) {
    if (value === undefined || value === null) continue;
    if (name === "volume") resolved.volume = numberIn(value, "volume", VOLUME);
    else if (name === "equalizer") resolved.equalizer = bandsOf(value);
    else resolved[name] = groupOf(name as GroupName, value);
  }
  const checked = resolved as ResolvedFilters;
  if (checked.timescale) checkProducts(checked.timescale);
  return checked;
}

/**
 * Checks a player's volume: 0 to 10.
 *
 * @throws FilterError for everything else.
 */
export function resolveVolume(volume: unknown): number {
  return numberIn(volume, "volume", PLAYER_VOLUME);
}

/** The shape that crosses to the engine. */
export function toBinding(filters: ResolvedFilters): BindingFilters {
  const { equalizer, rotation, lowPass, ...rest } = filters;
  const gains = new Array<number>(BANDS).fill(0);
  for (const { band, gain } of equalizer ?? []) gains[band] = gain;
  return {
    ...rest,
    equalizer: gains,
    ...(rotation ? { rotationHz: rotation.rotationHz } : {}),
    ...(lowPass ? { smoothing: lowPass.smoothing } : {}),
  };
}

function bandsOf(given: unknown): { band: number; gain: number }[] {
  if (!Array.isArray(given)) throw wrongType("equalizer", "a list of bands", given);
  if (given.length > BANDS) {
    throw new FilterError("filter_out_of_range", "equalizer", `up to ${BANDS} bands`, given.length);
  }
  return given.map((entry: unknown, at) => {
    const { band, gain } = fieldsOf(entry, `equalizer[${at}]`, ["band", "gain"]);
    const words = `a whole number from 0 to ${BANDS - 1}`;
    const limit = { least: 0, most: BANDS - 1, missing: 0, words };
    const number = numberIn(band, `equalizer[${at}].band`, limit);
    if (Number.isInteger(number)) {
      return { band: number, gain: numberIn(gain ?? 1, `equalizer[${at}].gain`, BAND_GAIN) };
    }
    throw new FilterError("filter_out_of_range", `equalizer[${at}].band`, words, band);
  });
}

function groupOf(name: GroupName, given: unknown): Record<string, number> {
  const limits: Record<string, Limit> = GROUPS[name];
  const fields = fieldsOf(given, name, Object.keys(limits));
  const entries = Object.entries(limits).map(([field, limit]) => {
    const value = fields[field] ?? limit.missing;
    return [field, numberIn(value, `${name}.${field}`, limit)];
  });
  return Object.fromEntries(entries);
}

/** What the time stretch and the resampler behind it are asked for has limits of its own. */
function checkProducts({ speed, pitch, rate }: Record<keyof TimescaleSettings, number>): void {
  const products = {
    "speed * rate": speed * rate,
    "pitch * rate": pitch * rate,
    "speed / pitch": speed / pitch,
  };
  for (const [words, value] of Object.entries(products)) {
    // Decimal fractions may miss the ends by a rounding.
    if (value > 0.099_999 && value < 10.000_1) continue;
    const allowed = `values with ${words} from 0.1 to 10`;
    throw new FilterError("filter_out_of_range", "timescale", allowed, value);
  }
}

function fieldsOf(given: unknown, path: string, known: readonly string[]): Record<string, unknown> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw wrongType(path, "an object", given);
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    throw new FilterError("filter_unknown", path, `only ${known.join(", ")}`, name.slice(0, 64));
  }
  return given as Record<string, unknown>;
}

function numberIn(value: unknown, path: string, limit: Limit): number {
  if (typeof value !== "number") throw wrongType(path, `a number, ${limit.words}`, value);
  const enough = limit.above ? value > limit.least : value >= limit.least;
  // NaN is within no range.
  if (enough && value <= limit.most) return value;
  throw new FilterError("filter_out_of_range", path, limit.words, value);
}

function wrongType(path: string, expected: string, value: unknown): FilterError {
  return new FilterError("filter_wrong_type", path, expected, value);
}

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 64));
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" || typeof value === "symbol"
    ? `a ${typeof value}`
    : String(value);
}
