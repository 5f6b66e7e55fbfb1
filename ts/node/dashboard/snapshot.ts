/** What the dashboard is told once a second. */

import type { NodePlayer } from "../node-player.ts";
import { decodeTrackId } from "../track-id.ts";

/** How the node stood at one moment. */
export interface Sample {
  /** Milliseconds since 1970. */
  at: number;
  /** Shares of what the machine carries, 0 to 1. */
  load: { total: number; pacer: number; decoding: number; processor: number };
  /** Cores in use by the process. */
  cores: number;
  /** Bytes. */
  memory: number;
  /** Packets since the sample before, and those of them that were more than 20 ms late. */
  packets: number;
  late: number;
  /** Milliseconds within which 99 of 100 of them left, rounded up to a class; null when they took longer than the last. */
  p99: number | null;
  /** Frames that wait ahead of players that play: the fewest, and the median, tracks that end aside. Null when nothing plays. */
  queue_min: number | null;
  queue_median: number | null;
  playing: number;
  /** Errors told to clients since the sample before. */
  errors: number;
}

/** An error that a client was told. */
export interface RecentError {
  at: number;
  kind: "op" | "track" | "voice" | "stuck";
  code: string;
  message: string;
  user_id: string;
  guild_id: string | null;
}

/** A player, as a row. */
export interface PlayerRow {
  user_id: string;
  guild_id: string;
  /** Of the voice connection. */
  state: string;
  standing: "playing" | "paused" | "idle";
  position: number;
  length: number | null;
  title: string | null;
  /** Where the track is from, without what may be secret in a URL. */
  source: string | null;
  queue: number | null;
  ping: number | null;
  packets_sent: number;
  packets_late: number;
}

/** Everything at one moment. */
export interface Snapshot {
  type: "snapshot";
  version: string;
  /** Milliseconds. */
  uptime: number;
  /** Why no new players are taken, or null when they are. */
  unready: string | null;
  bots: number;
  clients: number;
  players: { playing: number; paused: number; idle: number };
  /** Those that fit what is looked for; the worst first, at most {@link MAX_ROWS}. */
  rows: PlayerRow[];
  /** How many fit. */
  found: number;
  /** The samples since the last snapshot; all that are kept in the first one. */
  samples: Sample[];
  /** The last errors, newest first. */
  errors: RecentError[];
}

/** Players that a snapshot shows. */
export const MAX_ROWS = 200;

/** A player's row. */
export function rowOf(userId: string, player: NodePlayer): PlayerRow {
  const info = player.info();
  return {
    user_id: userId,
    guild_id: info.guild_id,
    state: info.state,
    standing: player.standing,
    position: info.position,
    ...aboutTrack(info.track_id),
    queue: player.queueFrames ?? null,
    ping: info.ping,
    packets_sent: info.packets_sent,
    packets_late: info.packets_late,
  };
}

/** How much a row deserves a look: an empty queue or a lost call while it plays, then lateness. */
export function trouble({ standing, state, queue, packets_sent, packets_late }: PlayerRow): number {
  const plays = standing === "playing";
  const starves = plays && queue !== null && queue < 3 ? 4 : 0;
  const lost = plays && state !== "ready" ? 4 : 0;
  const late = packets_sent === 0 ? 0 : packets_late / packets_sent;
  return starves + lost + Math.min(2, late * 20) + (plays ? 1 : 0);
}

function aboutTrack(trackId: string | null): Pick<PlayerRow, "length" | "title" | "source"> {
  if (trackId === null || trackId === "") return { length: null, title: null, source: null };
  const { title, url, length } = decodeTrackId(trackId);
  return { length, title, source: withoutSecrets(url) };
}

/** Queries and user parts of URLs often hold keys. */
function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return url;
  const { protocol, host, pathname } = new URL(url);
  return protocol === "file:" ? pathname : `${protocol}//${host}${pathname}`;
}
