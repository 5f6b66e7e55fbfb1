/** The JSON Schema of filters: names, ranges and defaults, as docs/reference/filters.md has them. */

import { Type } from "typebox";

interface Range {
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
}

const field = (missing: number, range: Range, description?: string) =>
  Type.Optional(
    Type.Number({ default: missing, ...range, ...(description ? { description } : {}) }),
  );
const share = (missing: number, description?: string) =>
  field(missing, { minimum: 0, maximum: 1 }, description);
const factor = (description: string) => field(1, { minimum: 0.1, maximum: 10 }, description);
const hertz = (missing: number, description: string) =>
  field(missing, { minimum: 0, maximum: 24_000 }, description);
const off = Type.Null();

/** All filters; what is missing or null is off. */
export const FILTERS = Type.Object(
  {
    volume: Type.Optional(Type.Union([Type.Number({ minimum: 0, maximum: 5 }), off])),
    equalizer: Type.Optional(
      Type.Union([
        Type.Array(
          Type.Object({
            band: Type.Integer({ minimum: 0, maximum: 14, description: "From 25 Hz to 16 kHz." }),
            gain: field(1, { minimum: -0.25, maximum: 1 }, "0 leaves the band as it is."),
          }),
          { maxItems: 15 },
        ),
        off,
      ]),
    ),
    karaoke: Type.Optional(
      Type.Union([
        Type.Object({
          level: share(1),
          mono_level: share(1),
          filter_band: hertz(220, "Centre of the band that comes back."),
          filter_width: hertz(100, "Its width."),
        }),
        off,
      ]),
    ),
    timescale: Type.Optional(
      Type.Union([
        Type.Object({
          speed: factor("At the same pitch."),
          pitch: factor("At the same speed."),
          rate: factor("Both, as a record that turns faster."),
        }),
        off,
      ]),
    ),
    tremolo: Type.Optional(
      Type.Union([
        Type.Object({ frequency: field(2, { exclusiveMinimum: 0 }, "Hz."), depth: share(0.5) }),
        off,
      ]),
    ),
    vibrato: Type.Optional(
      Type.Union([
        Type.Object({
          frequency: field(2, { exclusiveMinimum: 0, maximum: 14 }, "Hz."),
          depth: share(0.5),
        }),
        off,
      ]),
    ),
    rotation: Type.Optional(
      Type.Union([Type.Object({ rotation_hz: field(0, {}, "Turns per second.") }), off]),
    ),
    distortion: Type.Optional(
      Type.Union([
        Type.Object({
          sin_offset: field(0, {}),
          sin_scale: field(1, {}),
          cos_offset: field(0, {}),
          cos_scale: field(1, {}),
          tan_offset: field(0, {}),
          tan_scale: field(1, {}),
          offset: field(0, {}),
          scale: field(1, {}),
        }),
        off,
      ]),
    ),
    channel_mix: Type.Optional(
      Type.Union([
        Type.Object({
          left_to_left: share(1),
          left_to_right: share(0),
          right_to_left: share(0),
          right_to_right: share(1),
        }),
        off,
      ]),
    ),
    low_pass: Type.Optional(
      Type.Union([Type.Object({ smoothing: field(20, { minimum: 1 }, "1 is off.") }), off]),
    ),
  },
  { description: "What is missing or null is off." },
);
