/** The JSON Schema of the op protocol, published as docs/reference/op-protocol.schema.json. */

import { type Static, Type } from "typebox";
import { EVENT_SCHEMAS } from "./event-schemas.ts";
import { MAX_MS, MAX_STRING } from "./fields.ts";
import { FILTERS } from "./filter-schema.ts";
import type { NodeEvent, OpBodies, OpName } from "./protocol.ts";
import { guild_id, id } from "./schema-parts.ts";

const milliseconds = (description: string) =>
  Type.Integer({ minimum: 0, maximum: MAX_MS, description });
const text = (description: string) =>
  Type.String({ minLength: 1, maxLength: MAX_STRING, description });

/** The body of each op. Members that are not listed are ignored. */
export const OP_SCHEMAS = {
  voice_update: Type.Object({
    guild_id,
    session_id: text("From the bot's own Voice State Update."),
    token: text("From the Voice Server Update."),
    endpoint: Type.Union([text("From the Voice Server Update, as it came."), Type.Null()]),
    channel_id: Type.Optional(id("The voice channel; needed for end-to-end encryption.")),
  }),
  destroy: Type.Object({ guild_id }),
  play: Type.Object({
    guild_id,
    track_id: text("Base64 of a JSON object with a url."),
    start_time: Type.Optional(milliseconds("Where to begin. Default 0.")),
    end_time: Type.Optional(milliseconds("Where to end; 0, the default, is the end of the track.")),
    replace: Type.Optional(
      Type.Boolean({ description: "Whether to replace what plays. Default true." }),
    ),
  }),
  stop: Type.Object({ guild_id }),
  set_pause_state: Type.Object({
    guild_id,
    state: Type.Boolean({ description: "true pauses, false resumes." }),
  }),
  set_position: Type.Object({ guild_id, position: milliseconds("Where in the source to go.") }),
  set_filter: Type.Object({ guild_id, filters: FILTERS }),
  set_volume: Type.Object({
    guild_id,
    volume: Type.Integer({ minimum: 0, maximum: 1000, description: "Percent; 100 is unchanged." }),
  }),
  push: Type.Object({
    guild_id,
    format: Type.Union([Type.Literal("opus"), Type.Literal("s16le"), Type.Literal("f32le")], {
      description: "Packets of 20 ms, or little-endian samples.",
    }),
    sample_rate: Type.Optional(
      Type.Integer({ minimum: 8000, maximum: 192_000, description: "Hz. Default 48000." }),
    ),
    channels: Type.Optional(Type.Integer({ minimum: 1, maximum: 2, description: "Default 2." })),
    track_id: Type.Optional(
      Type.String({ maxLength: MAX_STRING, description: "What events call the track." }),
    ),
    replace: Type.Optional(
      Type.Boolean({ description: "Whether to replace what plays. Default true." }),
    ),
  }),
  push_end: Type.Object({ guild_id }),
  load_tracks: Type.Object({ query: text("A URL, a path, or what a resolver understands.") }),
  get_player: Type.Object({ guild_id }),
  list_players: Type.Object({
    after: Type.Optional(id("Only players whose guild id is greater.")),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: "At most so many. Default 100." }),
    ),
  }),
};

const requestId = Type.Union([Type.String({ maxLength: 100 }), Type.Number()], {
  description: "Chosen by the client; comes back in the answer.",
});

/** The whole schema: a message is a command or an event. */
export function protocolSchema(): object {
  const ops = Object.entries(OP_SCHEMAS);
  const events = Object.entries(EVENT_SCHEMAS);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "The op protocol of a cadenza player node, version 1",
    oneOf: [{ $ref: "#/$defs/command" }, { $ref: "#/$defs/event" }],
    $defs: {
      command: {
        description: "What a client sends.",
        oneOf: ops.map(([name]) =>
          Type.Object({
            op: Type.Literal(name),
            d: definition(`op_${name}`),
            id: Type.Optional(requestId),
          }),
        ),
      },
      event: {
        description: "What the node sends.",
        ...Type.Object({
          op: Type.Literal("event"),
          s: Type.Optional(Type.Integer({ minimum: 1, description: "Number in the session." })),
          d: Type.Unsafe({
            oneOf: events.map(([name]) => definition(`event_${name}`)),
          }),
        }),
      },
      ...Object.fromEntries(ops.map(([name, d]) => [`op_${name}`, d])),
      ...Object.fromEntries(events.map(([name, d]) => [`event_${name}`, d])),
    },
  };
}

function definition(name: string) {
  return Type.Unsafe({ $ref: `#/$defs/${name}` });
}

type Same<A, B> = [A, B] extends [B, A]
  ? [keyof A, keyof B] extends [keyof B, keyof A]
    ? true
    : false
  : false;
type EventOf<Name extends NodeEvent["type"]> = Extract<NodeEvent, { type: Name }>;
type OpsMatch = { [Name in OpName]: Same<Static<(typeof OP_SCHEMAS)[Name]>, OpBodies[Name]> };
type EventsMatch = {
  [Name in NodeEvent["type"]]: Same<Static<(typeof EVENT_SCHEMAS)[Name]>, EventOf<Name>>;
};
type AllTrue<Names extends string> = Record<Names, true>;

/** Does not compile when a schema says something else than the type of the same name. */
export const SCHEMAS_MATCH_TYPES: [
  OpsMatch extends AllTrue<OpName> ? true : OpsMatch,
  EventsMatch extends AllTrue<NodeEvent["type"]> ? true : EventsMatch,
] = [true, true];
