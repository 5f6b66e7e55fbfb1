/** `get_player`: how a player stands. */

import { snowflake } from "./fields.ts";
import type { Op } from "./op.ts";

export const getPlayer: Op<"get_player"> = {
  parse: (fields) => ({ guild_id: snowflake(fields, "guild_id") }),
  apply: (d, players) => players.existing(d.guild_id).info(),
};
