/** `set_position`: moves to a position in the track, in milliseconds. */

import { milliseconds, snowflake } from "./fields.ts";
import type { Op } from "./op.ts";

export const setPosition: Op<"set_position"> = {
  parse: (fields) => ({
    guild_id: snowflake(fields, "guild_id"),
    position: milliseconds(fields, "position"),
  }),
  apply: (d, players) => players.existing(d.guild_id).seek(d.position),
};
