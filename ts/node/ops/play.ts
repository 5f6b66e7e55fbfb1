/** `play`: plays a track from `start_time` to `end_time`. */

import { flag, milliseconds, OpError, snowflake, text } from "./fields.ts";
import type { Op } from "./op.ts";

export const play: Op<"play"> = {
  parse: (fields) => {
    const d = {
      guild_id: snowflake(fields, "guild_id"),
      track_id: text(fields, "track_id"),
      start_time: milliseconds(fields, "start_time", 0),
      end_time: milliseconds(fields, "end_time", 0),
      replace: flag(fields, "replace", true),
    };
    if (d.end_time !== 0 && d.end_time <= d.start_time) {
      throw new OpError(
        "invalid_value",
        "end_time takes 0, for the end of the track, or a time after start_time.",
        "d.end_time",
      );
    }
    return d;
  },
  apply: (d, players) => players.open(d.guild_id).play(d),
  interrupts: (d) => d.replace,
};
