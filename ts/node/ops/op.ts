/** What an op is: how its body is read and what it does. */

import type { Players } from "../players.ts";
import type { Fields } from "./fields.ts";
import type { OpBodies, OpName } from "./protocol.ts";

/** One op. Both functions throw `OpError` for what the client did wrong. */
export interface Op<Name extends OpName> {
  parse(
    fields: Fields,
  ): Required<Omit<OpBodies[Name], "channel_id">> & Pick<OpBodies[Name], keyof OpBodies[Name]>;
  apply(d: ReturnType<Op<Name>["parse"]>, players: Players): Promise<void> | void;
}
