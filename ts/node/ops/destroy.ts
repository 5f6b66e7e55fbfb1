/** `destroy`: ends a player and its voice connection. */

import { snowflake } from "./fields.ts";
import type { Op } from "./op.ts";

export const destroy: Op<"destroy"> = {
  parse: (fields) => ({ guild_id: snowflake(fields, "guild_id") }),
  apply: (d, players) => players.destroy(d.guild_id),
  interrupts: () => true,
};
