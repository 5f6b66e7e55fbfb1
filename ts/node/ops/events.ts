/** What the node tells its clients, spelled as on the wire. */

import type { TrackDescription } from "../track-id.ts";
import type { Filters, RequestId, Snowflake } from "./protocol.ts";

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
  /** Names the session: `Session-Id` of the socket that resumes it. */
  session_id: string;
  /** Whether the session of an earlier socket goes on; a player_update of each player follows. */
  resumed: boolean;
  /** Missed events that follow, because they were asked for with `Last-Event`. */
  replayed: number;
  /** Whether all missed events follow: false when some were forgotten, or none were asked for. */
  complete: boolean;
  /** Milliseconds that the session outlives its socket. */
  resume_timeout: number;
}

/** The node is on its way out: it takes no new players, and this session ends by `deadline` at the latest. */
export interface Draining {
  type: "draining";
  /** Milliseconds until the node ends what still plays. */
  deadline: number;
}

/** A command was carried out. */
export interface Done {
  type: "done";
  op: string;
  guild_id?: Snowflake;
  id?: RequestId;
  /** What ops that ask for something asked for. */
  result?: LoadResult | PlayerInfo | PlayerList;
}

/** A track that was found, and the id that plays it. */
export interface LoadedTrack {
  track_id: string;
  info: TrackDescription;
}

/** What load_tracks found. */
export interface LoadResult {
  /** One track, the tracks of a playlist, those that a search found, or nothing. */
  load_type: "track" | "playlist" | "search" | "empty";
  /** At most 1000. */
  tracks: LoadedTrack[];
  /** Title of the playlist, where it has one. */
  playlist: string | null;
}

/** What get_player and list_players tell of a player: what player_update does, and the state of the call. */
export interface PlayerInfo extends Omit<PlayerUpdate, "type"> {
  /** As in voice_state. */
  state: string;
  /** Those that are set, with all their fields. */
  filters: Filters;
}

/** A page of a bot's players. */
export interface PlayerList {
  players: PlayerInfo[];
  /** How many the bot has in all. */
  total: number;
  /** Whether others follow after the last of these. */
  more: boolean;
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

/** A track's source says what it plays now, as radio streams do. */
export interface TrackMetadata {
  type: "track_metadata";
  guild_id: Snowflake;
  track_id: string;
  /** What sounds now. */
  title: string | null;
  /** The station's name and address, where they are known. */
  station: string | null;
  url: string | null;
}

/** What is pushed runs low. */
export interface PushWanted {
  type: "push_wanted";
  guild_id: Snowflake;
  track_id: string;
  /** Frames of 20 ms that find room at present. */
  frames: number;
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
  /** Percent; 100 is unchanged. */
  volume: number;
  /** Milliseconds in the source per millisecond of sound: not 1 under a timescale. */
  speed: number;
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

/** How the node stands, once a minute. */
export interface Stats {
  type: "stats";
  /** Milliseconds since the node started. */
  uptime: number;
  /** Players of this bot, and those of them that play. */
  players: number;
  playing: number;
  /** Players of all bots. */
  node_players: number;
  /** How much of what this machine can carry is in use, 0 to 1. */
  load: number;
  /** Share of one core that the process used lately: 2 is two cores. */
  cpu: number;
  /** The effort that encoders may take at present, 0 to 10; less than 10 when the machine is busy. */
  complexity: number;
  /** Bytes of memory that the process holds. */
  memory: number;
  /** Packets of all bots since the node started, and those that left more than 20 ms late. */
  packets_sent: number;
  packets_late: number;
}

/** What the node tells: the `d` of an `event`. */
export type NodeEvent =
  | Ready
  | Draining
  | Done
  | Failed
  | TrackStart
  | TrackEnd
  | TrackError
  | TrackStuck
  | TrackMetadata
  | PushWanted
  | PlayerUpdate
  | VoiceState
  | Stats;

/** A message of the node. */
export interface EventMessage {
  op: "event";
  /** Number of the event in its session. Events that show only the present moment have none, and are not replayed. */
  s?: number;
  d: NodeEvent;
}
