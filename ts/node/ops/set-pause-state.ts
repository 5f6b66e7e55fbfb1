/** `set_pause_state`: true pauses, false resumes. */

import { flag, snowflake } from "./fields.ts";
import type { Op } from "./op.ts";

export const setPauseState: Op<"set_pause_state"> = {
  parse: (fields) => ({ guild_id: snowflake(fields, "guild_id"), state: flag(fields, "state") }),
  apply: (d, players) => players.existing(d.guild_id).setPaused(d.state),
};
