/** The op protocol's types, spelled as on the wire: what clients send and what the node answers. */

/** Ids are decimal strings of 1 to 20 digits. */
export type Snowflake = string;

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

/** The body of each op. */
export interface OpBodies {
  voice_update: VoiceUpdate;
  destroy: Destroy;
  play: Play;
  stop: Stop;
  set_pause_state: SetPauseState;
  set_position: SetPosition;
}

/** Name of an op that does something. */
export type OpName = keyof OpBodies;

/** A command as a client sends it; `id` comes back in its answer. */
export type Command = {
  [Name in OpName]: { op: Name; d: OpBodies[Name]; id?: string | number };
}[OpName];

/** Why a track ended. */
export type TrackEndReason = "finished" | "stopped" | "replaced" | "load_failed" | "cleanup";

/** What the node tells: the `d` of an `event`. */
export type NodeEvent =
  | { type: "ready"; version: string }
  | { type: "done"; op: string; guild_id: Snowflake; id?: string | number }
  | {
      type: "error";
      code: string;
      message: string;
      op?: string;
      field?: string;
      guild_id?: Snowflake;
      id?: string | number;
    }
  | {
      type: "track_start";
      guild_id: Snowflake;
      track_id: string;
      passthrough: boolean;
      codec: string;
      length: number | null;
    }
  | { type: "track_end"; guild_id: Snowflake; track_id: string; reason: TrackEndReason }
  | { type: "track_error"; guild_id: Snowflake; track_id: string; code: string; message: string }
  | { type: "track_stuck"; guild_id: Snowflake; track_id: string; for_ms: number }
  | {
      type: "player_update";
      guild_id: Snowflake;
      track_id: string | null;
      position: number;
      paused: boolean;
      connected: boolean;
      ping: number | null;
      packets_sent: number;
      packets_late: number;
    }
  | {
      type: "voice_state";
      guild_id: Snowflake;
      state: string;
      code?: string;
      message?: string;
      close_code?: number;
    };

/** A message of the node. */
export interface EventMessage {
  op: "event";
  d: NodeEvent;
}
