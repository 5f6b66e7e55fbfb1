/** `push`: begins a track whose sound follows in binary messages. */

import { flag, integer, oneOf, optionalText, snowflake } from "./fields.ts";
import type { Op } from "./op.ts";
import { PUSH_FORMATS } from "./protocol-values.ts";

/** Hz. */
const [SLOWEST, FASTEST] = [8000, 192_000];

export const push: Op<"push"> = {
  parse: (fields) => ({
    guild_id: snowflake(fields, "guild_id"),
    format: oneOf(fields, "format", PUSH_FORMATS),
    sample_rate: integer(fields, "sample_rate", SLOWEST, FASTEST, 48_000),
    channels: integer(fields, "channels", 1, 2, 2),
    track_id: optionalText(fields, "track_id"),
    replace: flag(fields, "replace", true),
  }),
  apply: (d, players) => players.open(d.guild_id).push(d),
  interrupts: (d) => d.replace,
};
