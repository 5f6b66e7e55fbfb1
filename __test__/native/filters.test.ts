/** What filters may be: defaults filled in, ranges kept, everything else refused by name. */

import test from "ava";
import fc from "fast-check";
import { FilterError, resolveFilters, resolveVolume } from "../../ts/native/filters.ts";

test("filters that are given get all their fields, the others stay away", (t) => {
  t.deepEqual(resolveFilters({}), {});
  const given = {
    volume: 0.5,
    equalizer: [{ band: 3, gain: 0.25 }, { band: 4 }],
    karaoke: {},
    timescale: { speed: 1.2 },
    tremolo: { depth: 0.3 },
    vibrato: { frequency: 14 },
    rotation: { rotationHz: -0.2 },
    distortion: { scale: 2 },
    channelMix: { leftToRight: 0.5 },
    lowPass: {},
  };
  t.deepEqual(resolveFilters(given), {
    volume: 0.5,
    equalizer: [
      { band: 3, gain: 0.25 },
      { band: 4, gain: 1 },
    ],
    karaoke: { level: 1, monoLevel: 1, filterBand: 220, filterWidth: 100 },
    timescale: { speed: 1.2, pitch: 1, rate: 1 },
    tremolo: { frequency: 2, depth: 0.3 },
    vibrato: { frequency: 14, depth: 0.5 },
    rotation: { rotationHz: -0.2 },
    distortion: {
      ...{ sinOffset: 0, sinScale: 1, cosOffset: 0, cosScale: 1 },
      ...{ tanOffset: 0, tanScale: 1, offset: 0, scale: 2 },
    },
    channelMix: { leftToLeft: 1, leftToRight: 0.5, rightToLeft: 0, rightToRight: 1 },
    lowPass: { smoothing: 20 },
  });
});

test("null and undefined turn a filter off", (t) => {
  t.deepEqual(resolveFilters({ karaoke: null, timescale: undefined, volume: null }), {});
});

/** Field, what it takes, what it was given, code. */
const REFUSED: [unknown, string, RegExp, string][] = [
  [5, "filters", /an object/, "filter_wrong_type"],
  [null, "filters", /an object/, "filter_wrong_type"],
  [[], "filters", /an object/, "filter_wrong_type"],
  [{ echo: {} }, "filters", /only volume, equalizer, karaoke/, "filter_unknown"],
  [{ karaoke: { loud: 1 } }, "karaoke", /only level, monoLevel/, "filter_unknown"],
  [{ karaoke: 1 }, "karaoke", /an object/, "filter_wrong_type"],
  [{ volume: "1" }, "volume", /a number, 0 to 5/, "filter_wrong_type"],
  [{ volume: 5.01 }, "volume", /0 to 5/, "filter_out_of_range"],
  [{ volume: Number.NaN }, "volume", /0 to 5/, "filter_out_of_range"],
  [{ timescale: { speed: 0 } }, "timescale.speed", /0.1 to 10/, "filter_out_of_range"],
  [{ timescale: { speed: 10, rate: 2 } }, "timescale", /speed \* rate/, "filter_out_of_range"],
  [{ timescale: { speed: 10, pitch: 0.5 } }, "timescale", /speed \/ pitch/, "filter_out_of_range"],
  [{ tremolo: { frequency: 0 } }, "tremolo.frequency", /more than 0/, "filter_out_of_range"],
  [{ vibrato: { frequency: 15 } }, "vibrato.frequency", /up to 14/, "filter_out_of_range"],
  [{ vibrato: { depth: 1.1 } }, "vibrato.depth", /0 to 1/, "filter_out_of_range"],
  [
    { rotation: { rotationHz: Number.POSITIVE_INFINITY } },
    "rotation.rotationHz",
    /any finite number/,
    "filter_out_of_range",
  ],
  [{ lowPass: { smoothing: 0.5 } }, "lowPass.smoothing", /1 or more/, "filter_out_of_range"],
  [{ channelMix: { leftToLeft: -0.1 } }, "channelMix.leftToLeft", /0 to 1/, "filter_out_of_range"],
  [{ equalizer: {} }, "equalizer", /a list of bands/, "filter_wrong_type"],
  [{ equalizer: [5] }, "equalizer[0]", /an object/, "filter_wrong_type"],
  [{ equalizer: [{ band: 15 }] }, "equalizer[0].band", /0 to 14/, "filter_out_of_range"],
  [{ equalizer: [{ band: 1.5 }] }, "equalizer[0].band", /whole number/, "filter_out_of_range"],
  [{ equalizer: [{}] }, "equalizer[0].band", /a number/, "filter_wrong_type"],
  [
    { equalizer: [{ band: 0 }, { band: 1, gain: 2 }] },
    "equalizer[1].gain",
    /-0.25 to 1/,
    "filter_out_of_range",
  ],
  [{ equalizer: new Array(16).fill({ band: 0 }) }, "equalizer", /15 bands/, "filter_out_of_range"],
];

test("what cannot be taken is named, with its range and value", (t) => {
  for (const [given, field, allowed, code] of REFUSED) {
    const error = t.throws<FilterError>(() => resolveFilters(given), { instanceOf: FilterError });
    t.is(error?.field, field);
    t.is(error?.code, code, field);
    t.regex(error?.allowed ?? "", allowed);
    t.true(error?.message.startsWith(`${field} takes ${error.allowed}, not `), error?.message);
  }
});

test("a volume is a number from 0 to 10", (t) => {
  t.is(resolveVolume(0), 0);
  t.is(resolveVolume(10), 10);
  for (const volume of [-0.1, 10.1, Number.NaN, "1", null, undefined]) {
    t.throws(() => resolveVolume(volume), { instanceOf: FilterError });
  }
});

test("whatever is given, the outcome is filters or a FilterError", (t) => {
  const names = ["volume", "equalizer", "karaoke", "timescale", "vibrato", "lowPass", "distortion"];
  const fields = ["level", "speed", "depth", "frequency", "smoothing", "band", "gain", "scale"];
  const leaf = fc.oneof(fc.double(), fc.integer(), fc.string(), fc.constant(null), fc.boolean());
  const group = fc.dictionary(fc.constantFrom(...fields), leaf);
  const value = fc.oneof(leaf, group, fc.array(group, { maxLength: 20 }), fc.anything());
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), value), (given) => {
      try {
        const resolved = JSON.stringify(resolveFilters(given));
        t.false(resolved.includes("null"), resolved);
      } catch (error) {
        if (!(error instanceof FilterError)) throw error;
      }
    }),
    { numRuns: 3_000 },
  );
  t.pass();
});
