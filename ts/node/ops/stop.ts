/** `stop`: stops what plays; the voice connection stays. */

import { snowflake } from "./fields.ts";
import type { Op } from "./op.ts";

export const stop: Op<"stop"> = {
  parse: (fields) => ({ guild_id: snowflake(fields, "guild_id") }),
  apply: (d, players) => players.existing(d.guild_id).stop(),
  interrupts: () => true,
};
