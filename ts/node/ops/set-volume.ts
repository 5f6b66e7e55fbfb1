/** `set_volume`: sets the volume in percent, for what plays and for what comes. */

import { integer, snowflake } from "./fields.ts";
import type { Op } from "./op.ts";

/** Percent. */
const LOUDEST = 1_000;

export const setVolume: Op<"set_volume"> = {
  parse: (fields) => ({
    guild_id: snowflake(fields, "guild_id"),
    volume: integer(fields, "volume", 0, LOUDEST),
  }),
  apply: (d, players) => players.existing(d.guild_id).setVolume(d.volume),
};
