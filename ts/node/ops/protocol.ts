/** The op protocol's types, spelled as on the wire: what clients send. What the node answers is in events.ts. */

export type * from "./events.ts";

/** An id of Discord: a decimal string of 1 to 20 digits. */
export type Snowflake = string;

/** Chosen by the client, up to 100 characters; comes back in the answer. */
export type RequestId = string | number;

/** Takes the two voice events of the bot's main gateway. `endpoint: null` means that the server is gone. */
export interface VoiceUpdate {
  guild_id: Snowflake;
  session_id: string;
  token: string;
  endpoint: string | null;
  /** Needed where calls are end-to-end encrypted. */
  channel_id?: Snowflake;
}

/** Ends a player and its voice connection. */
export interface Destroy {
  guild_id: Snowflake;
}

/** Plays a track. */
export interface Play {
  guild_id: Snowflake;
  track_id: string;
  /** Where to begin, in milliseconds. Default 0. */
  start_time?: number;
  /** Where to end, in milliseconds; 0 is the end of the track. Default 0. */
  end_time?: number;
  /** Whether to replace a track that plays. Default true. */
  replace?: boolean;
}

/** Stops what plays. */
export interface Stop {
  guild_id: Snowflake;
}

/** Pauses or resumes. */
export interface SetPauseState {
  guild_id: Snowflake;
  state: boolean;
}

/** Moves to a position, in milliseconds. */
export interface SetPosition {
  guild_id: Snowflake;
  position: number;
}

/** Replaces all filters; `{}` turns them off. */
export interface SetFilter {
  guild_id: Snowflake;
  filters: Filters;
}

/**
 * Filters by name: those of Lavalink v4, in this protocol's spelling; what is missing or null is off. Ranges and
 * defaults are in docs/reference/filters.md.
 */
export interface Filters {
  volume?: number | null;
  equalizer?: { band: number; gain?: number }[] | null;
  karaoke?: NumberFields<"level" | "mono_level" | "filter_band" | "filter_width">;
  timescale?: NumberFields<"speed" | "pitch" | "rate">;
  tremolo?: NumberFields<"frequency" | "depth">;
  vibrato?: NumberFields<"frequency" | "depth">;
  rotation?: NumberFields<"rotation_hz">;
  distortion?: NumberFields<
    | "sin_offset"
    | "sin_scale"
    | "cos_offset"
    | "cos_scale"
    | "tan_offset"
    | "tan_scale"
    | "offset"
    | "scale"
  >;
  channel_mix?: NumberFields<"left_to_left" | "left_to_right" | "right_to_left" | "right_to_right">;
  low_pass?: NumberFields<"smoothing">;
}

/** Fields of a filter that are left out keep their defaults; null leaves the whole filter out. */
export type NumberFields<Name extends string> = { [Field in Name]?: number } | null;

/** Begins a track whose sound follows in binary messages. An extension. */
export interface Push {
  guild_id: Snowflake;
  /** Opus packets of 20 ms, or interleaved little-endian samples. */
  format: "opus" | "s16le" | "f32le";
  /** Hz of samples, 8000 to 192 000. Default 48 000. */
  sample_rate?: number;
  /** Channels of samples, 1 or 2. Default 2. */
  channels?: number;
  /** What events call the track; not read by the node. Default empty. */
  track_id?: string;
  /** Whether to replace a track that plays. Default true. */
  replace?: boolean;
}

/** Ends what is pushed, once all of it has been sent. An extension. */
export interface PushEnd {
  guild_id: Snowflake;
}

/** Sets the volume in percent, 0 to 1000; 100 changes nothing. An extension. */
export interface SetVolume {
  guild_id: Snowflake;
  volume: number;
}

/** Looks tracks up. The answer's `result` is a {@link LoadResult}. An extension. */
export interface LoadTracks {
  /** A URL, a path, or what a resolver of the node understands, such as a search. */
  query: string;
}

/** Asks how a player stands. The answer's `result` is a {@link PlayerInfo}. An extension. */
export interface GetPlayer {
  guild_id: Snowflake;
}

/** Asks how the bot's players stand, by guild id. The answer's `result` is a {@link PlayerList}. An extension. */
export interface ListPlayers {
  /** Only those whose guild id is greater. Default: from the beginning. */
  after?: Snowflake;
  /** At most so many, 1 to 1000. Default 100. */
  limit?: number;
}

/** The body of each op. */
export interface OpBodies {
  voice_update: VoiceUpdate;
  destroy: Destroy;
  play: Play;
  stop: Stop;
  set_pause_state: SetPauseState;
  set_position: SetPosition;
  set_filter: SetFilter;
  set_volume: SetVolume;
  push: Push;
  push_end: PushEnd;
  load_tracks: LoadTracks;
  get_player: GetPlayer;
  list_players: ListPlayers;
}

/** Name of an op that does something. */
export type OpName = keyof OpBodies;

/** A command as a client sends it; `id` comes back in its answer. */
export type Command = {
  [Name in OpName]: { op: Name; d: OpBodies[Name]; id?: RequestId };
}[OpName];
