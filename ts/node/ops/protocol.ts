/** The op protocol's types, spelled as on the wire: what clients send and what the node answers. */

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
  [Name in OpName]: { op: Name; d: OpBodies[Name]; id?: RequestId };
}[OpName];

/** Why a track ended. */
export type TrackEndReason =
  /** It, or the part that was asked for, was played to its end. */
  | "finished"
  /** By `stop`. */
  | "stopped"
  /** By another `play`. */
  | "replaced"
  /** It could not be opened or read on; a `track_error` before it says why. */
  | "load_failed"
  /** With its player, by `destroy`, the end of the client's session or of the node. */
  | "cleanup";

/** The first event on every socket. */
export interface Ready {
  type: "ready";
  /** Version of this protocol. */
  version: string;
  user_id: Snowflake;
  /** Whether players of an earlier socket live on; a player_update of each follows. */
  resumed: boolean;
}

/** A command was carried out. */
export interface Done {
  type: "done";
  op: string;
  guild_id: Snowflake;
  id?: RequestId;
}

/** A command was not carried out, and nothing was changed. */
export interface Failed {
  type: "error";
  code: string;
  message: string;
  /** What the message's op was, as far as it could be read. */
  op?: string;
  /** Path of the field that is to blame, for example `d.guild_id`. */
  field?: string;
  guild_id?: Snowflake;
  id?: RequestId;
}

/** The first frame of a track is on its way. */
export interface TrackStart {
  type: "track_start";
  guild_id: Snowflake;
  track_id: string;
  /** Whether the source's Opus packets are sent as they are. */
  passthrough: boolean;
  /** Codec of the source, for example `opus` or `flac`. */
  codec: string;
  /** Milliseconds; null when the source does not say. */
  length: number | null;
}

/** A track ended. Every `play` that was done leads to exactly one. */
export interface TrackEnd {
  type: "track_end";
  guild_id: Snowflake;
  track_id: string;
  reason: TrackEndReason;
}

/** A track cannot be played, or not any further. */
export interface TrackError {
  type: "track_error";
  guild_id: Snowflake;
  track_id: string;
  code: string;
  message: string;
}

/** A track's source brings nothing; it goes on when it does. */
export interface TrackStuck {
  type: "track_stuck";
  guild_id: Snowflake;
  track_id: string;
  /** Milliseconds without sound so far. */
  for_ms: number;
}

/** How a player stands: at regular intervals and on each change. */
export interface PlayerUpdate {
  type: "player_update";
  guild_id: Snowflake;
  /** Null when nothing plays. */
  track_id: string | null;
  /** Milliseconds in the source. */
  position: number;
  paused: boolean;
  /** Whether the voice connection can carry sound. */
  connected: boolean;
  /** Round trip to the voice gateway in milliseconds; null before it is known. */
  ping: number | null;
  packets_sent: number;
  /** Packets sent more than 20 ms after they were due. */
  packets_late: number;
}

/** The voice connection changed its state. */
export interface VoiceState {
  type: "voice_state";
  guild_id: Snowflake;
  state: string;
  /** Why, where there is something to say. */
  code?: string;
  message?: string;
  /** Close code of the voice gateway, where one led here. */
  close_code?: number;
}

/** What the node tells: the `d` of an `event`. */
export type NodeEvent =
  | Ready
  | Done
  | Failed
  | TrackStart
  | TrackEnd
  | TrackError
  | TrackStuck
  | PlayerUpdate
  | VoiceState;

/** A message of the node. */
export interface EventMessage {
  op: "event";
  d: NodeEvent;
}
