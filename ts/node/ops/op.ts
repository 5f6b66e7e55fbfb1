/** What an op is: how its body is read and what it does. */

import type { Players } from "../players.ts";
import type { Fields } from "./fields.ts";
import type { OpBodies, OpName, Play } from "./protocol.ts";

/** The body of each op once it is read: defaults are filled in. */
export type ReadBodies = Omit<OpBodies, "play"> & { play: Required<Play> };

/** One op. Both functions throw `OpError` for what the client did wrong. */
export interface Op<Name extends OpName> {
  parse(fields: Fields): ReadBodies[Name];
  apply(d: ReadBodies[Name], players: Players): Promise<void> | void;
}
