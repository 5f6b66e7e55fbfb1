/** The JSON Schema of each event's body. New members may be added to them; clients ignore those. */

import { Type } from "typebox";
import { FILTERS } from "./filter-schema.ts";
import { amount, count, guild_id, id, nullable, nullableNumber } from "./schema-parts.ts";

const track_id = Type.String({ description: "The track_id of the play." });
const code = Type.String({ pattern: "^[a-z0-9_]+$", description: "Stable, for programs." });
const message = Type.String({ description: "For people; may change." });
const request = {
  guild_id: Type.Optional(Type.String()),
  id: Type.Optional(Type.Union([Type.String(), Type.Number()])),
};
const standing = {
  guild_id,
  track_id: Type.Union([track_id, Type.Null()]),
  position: count("Milliseconds in the source."),
  paused: Type.Boolean(),
  volume: count("Percent."),
  speed: amount("Milliseconds in the source per millisecond of sound."),
  connected: Type.Boolean({ description: "Whether the voice connection can carry sound." }),
  ping: nullableNumber("Milliseconds to the voice gateway and back."),
  packets_sent: count("Since the player was made."),
  packets_late: count("More than 20 ms after they were due."),
};
const state = Type.String({ description: "State of the voice connection." });
const player = Type.Object({ ...standing, state, filters: FILTERS });
const track = Type.Object({
  track_id: Type.String({ description: "What play takes." }),
  info: Type.Object({
    title: nullable("Title."),
    identifier: nullable("The source's own id."),
    url: Type.String(),
    length: nullableNumber("Milliseconds."),
    author: nullable("Author."),
    author_id: nullable("The author's id at the source."),
    thumbnail: nullable("URL of a picture."),
    is_live: Type.Union([Type.Boolean(), Type.Null()]),
  }),
});
const loadResult = Type.Object({
  load_type: Type.Union([
    Type.Literal("track"),
    Type.Literal("playlist"),
    Type.Literal("search"),
    Type.Literal("empty"),
  ]),
  tracks: Type.Array(track, { maxItems: 1000 }),
  playlist: nullable("Title of the playlist."),
});
const playerList = Type.Object({
  players: Type.Array(player, { maxItems: 1000 }),
  total: count("All players of the bot."),
  more: Type.Boolean({ description: "Whether others follow after the last of these." }),
});

/** What each event's `d` holds. */
export const EVENT_SCHEMAS = {
  ready: Type.Object({
    type: Type.Literal("ready"),
    version: Type.String({ description: "Version of the protocol." }),
    user_id: id("The bot."),
    session_id: Type.String({ description: "Names the session for the header Session-Id." }),
    resumed: Type.Boolean({ description: "Whether the session of an earlier socket goes on." }),
    replayed: count("Missed events that follow."),
    complete: Type.Boolean({ description: "Whether these are all that were missed." }),
    resume_timeout: count("Milliseconds that the session outlives its socket."),
  }),
  draining: Type.Object({
    type: Type.Literal("draining"),
    deadline: count("Milliseconds until what still plays is ended."),
  }),
  done: Type.Object({
    type: Type.Literal("done"),
    op: Type.String(),
    ...request,
    result: Type.Optional(Type.Union([loadResult, player, playerList])),
  }),
  error: Type.Object({
    type: Type.Literal("error"),
    code,
    message,
    op: Type.Optional(Type.String()),
    field: Type.Optional(Type.String({ description: "Path of the field that is to blame." })),
    ...request,
  }),
  track_start: Type.Object({
    type: Type.Literal("track_start"),
    guild_id,
    track_id,
    passthrough: Type.Boolean({ description: "Whether Opus packets are sent as they are." }),
    codec: Type.String({ description: "Of the source." }),
    length: nullableNumber("Milliseconds."),
  }),
  track_end: Type.Object({
    type: Type.Literal("track_end"),
    guild_id,
    track_id,
    reason: Type.Union([
      Type.Literal("finished"),
      Type.Literal("stopped"),
      Type.Literal("replaced"),
      Type.Literal("load_failed"),
      Type.Literal("cleanup"),
    ]),
  }),
  track_error: Type.Object({
    type: Type.Literal("track_error"),
    guild_id,
    track_id,
    code,
    message,
  }),
  track_stuck: Type.Object({
    type: Type.Literal("track_stuck"),
    guild_id,
    track_id,
    for_ms: count("Milliseconds without sound so far."),
  }),
  track_metadata: Type.Object({
    type: Type.Literal("track_metadata"),
    guild_id,
    track_id,
    title: nullable("What sounds now."),
    station: nullable("Name of the station."),
    url: nullable("Address of the station or of what sounds now."),
  }),
  push_wanted: Type.Object({
    type: Type.Literal("push_wanted"),
    guild_id,
    track_id,
    frames: Type.Integer({ minimum: 1, description: "Frames of 20 ms that find room." }),
  }),
  player_update: Type.Object({ type: Type.Literal("player_update"), ...standing }),
  voice_state: Type.Object({
    type: Type.Literal("voice_state"),
    guild_id,
    state,
    code: Type.Optional(code),
    message: Type.Optional(message),
    close_code: Type.Optional(
      Type.Integer({ minimum: 1000, maximum: 4999, description: "Of the voice gateway." }),
    ),
  }),
  stats: Type.Object({
    type: Type.Literal("stats"),
    uptime: count("Milliseconds since the node started."),
    players: count("Of this bot."),
    playing: count("Of this bot."),
    node_players: count("Of all bots."),
    load: amount("How much of what this machine can carry is in use, 0 to 1."),
    cpu: amount("Cores in use by the process."),
    complexity: Type.Integer({
      minimum: 0,
      maximum: 10,
      description: "Effort that encoders may take at present.",
    }),
    memory: count("Bytes."),
    packets_sent: count("Of all bots, since the node started."),
    packets_late: count("More than 20 ms after they were due."),
  }),
};
