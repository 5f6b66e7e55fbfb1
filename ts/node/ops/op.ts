/** What an op is: how its body is read and what it does. */

import type { ResolvedFilters } from "../../voice/filters.ts";
import type { Players } from "../players.ts";
import type { Fields } from "./fields.ts";
import type { Done, ListPlayers, OpBodies, OpName, Play, Push, Snowflake } from "./protocol.ts";

/** The body of each op once it is read: defaults are filled in. */
export type ReadBodies = Omit<OpBodies, "play" | "push" | "list_players" | "set_filter"> & {
  play: Required<Play>;
  push: Required<Push>;
  set_filter: { guild_id: Snowflake; filters: ResolvedFilters };
  list_players: ListPlayers & { limit: number };
};

/** What an op found out; most do things and find out nothing. */
export type OpResult = NonNullable<Done["result"]> | undefined;

/** One op. Both functions throw `OpError` for what the client did wrong. */
export interface Op<Name extends OpName> {
  parse(fields: Fields): ReadBodies[Name];
  // biome-ignore lint/suspicious/noConfusingVoidType: most ops return nothing at all
  apply(d: ReadBodies[Name], players: Players): Promise<OpResult | void> | OpResult | void;
  /** Whether it makes a play of the same guild that still looks its track up pointless. Default false. */
  interrupts?(d: ReadBodies[Name]): boolean;
}
