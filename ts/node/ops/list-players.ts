/** `list_players`: how the bot's players stand, page by page. */

import { integer, optionalSnowflake } from "./fields.ts";
import type { Op } from "./op.ts";

/** Players on a page, unless the client says otherwise. */
const DEFAULT_LIMIT = 100;
/** Players on the longest page. */
const MAX_LIMIT = 1000;

export const listPlayers: Op<"list_players"> = {
  parse: (fields) => {
    const after = optionalSnowflake(fields, "after");
    return {
      limit: integer(fields, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT),
      ...(after === undefined ? {} : { after }),
    };
  },
  apply: (d, players) => players.list(d.after, d.limit),
};
