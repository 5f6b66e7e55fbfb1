/** `push_end`: the pushed track ends when all that was pushed has been sent. */

import { snowflake } from "./fields.ts";
import type { Op } from "./op.ts";

export const pushEnd: Op<"push_end"> = {
  parse: (fields) => ({ guild_id: snowflake(fields, "guild_id") }),
  apply: (d, players) => players.existing(d.guild_id).endPush(),
};
