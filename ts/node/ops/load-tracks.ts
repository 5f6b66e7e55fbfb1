/** `load_tracks`: what a URL, a path or a search leads to, as track ids. */

import { text } from "./fields.ts";
import type { Op } from "./op.ts";

export const loadTracks: Op<"load_tracks"> = {
  parse: (fields) => ({ query: text(fields, "query") }),
  apply: (d, players) => players.load(d.query),
};
