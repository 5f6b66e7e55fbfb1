/** The keys of the node's configuration: what each is for, what it allows and what it is by default. */

import { statSync } from "node:fs";
import { isIP } from "node:net";
import { delimiter } from "node:path";

/** Everything the node can be told. Keys are those of the YAML file; docs/reference/configuration.md has the table. */
export interface NodeConfig {
  /** Address to bind. Default 127.0.0.1. */
  host: string;
  /** TCP port; 0 takes any free one. Default 2333. */
  port: number;
  /** What clients send as `Authorization`; at least 8 printable ASCII characters. Required. */
  password: string;
  /** A file whose first line is the password. Default: none. */
  password_file: string | null;
  /** Folders whose files may be played; in a file, relative to that file. Default: none. */
  allowed_folders: string[];
  /** Lets http(s) tracks reach loopback and private addresses. Default false. */
  allow_private_hosts: boolean;
  /** Accepts `ws://` voice endpoints, for the simulator. Default false. */
  insecure_voice_endpoints: boolean;
  /** Milliseconds between two player_update events, 100 to 60 000. Default 5000. */
  player_update_interval_ms: number;
  /** Milliseconds between two stats events, 1000 to 3 600 000. Default 60 000. */
  stats_interval_ms: number;
  /** Seconds that players outlive their client's socket, 0 to 3600. Default 60. */
  resume_timeout_s: number;
  /** Milliseconds without sound after which a track counts as stuck, 100 to 600 000. Default 10 000. */
  track_stuck_threshold_ms: number;
  /** Milliseconds that a resolver may take to answer, 100 to 120 000. Default 15 000. */
  resolver_timeout_ms: number;
  /** HTTP service that is asked about tracks. Default: none. */
  resolver_url: string | null;
  /** What that service gets as `Authorization`. Default: none. */
  resolver_authorization: string | null;
  /** The program yt-dlp, as a path or a name in PATH. Default: not used. */
  yt_dlp: string | null;
  /** Processes of yt-dlp at the same time, 1 to 64. Default 2. */
  yt_dlp_concurrency: number;
  /** Milliseconds that yt-dlp may take, 1000 to 300 000. Default 30 000. */
  yt_dlp_timeout_ms: number;
  /** Players per bot, 1 to 100 000. Default 10 000. */
  max_players: number;
  /** Players of all bots, 1 to 100 000. Default 10 000. */
  max_node_players: number;
  /** Percent of what this machine carries above which new players are refused, 1 to 100; 100 is never. Default 85. */
  max_load_percent: number;
  /** Seconds that what plays may go on after SIGTERM, 0 to 86 400. Default 300. */
  drain_timeout_s: number;
  /** Whether there is a page at /dashboard. Default true. */
  dashboard: boolean;
  /** Sending threads, 1 to 16; one carries thousands of players. Default 1. */
  pacers: number;
  /** Threads that decode and encode, 1 to 64. Default 2. */
  decode_workers: number;
  /** Bits per second of what is encoded, 6000 to 510 000. Default 128 000. */
  opus_bitrate: number;
  /** Effort of the encoder, 0 to 10; less is spent while the machine is busy. Default 10. */
  opus_complexity: number;
  /** `silent`, `error`, `warn`, `info` or `debug`. Default info. */
  log_level: string;
}

/** One key. */
export interface ConfigKey {
  /** What it is for, in a few words. */
  about: string;
  /** What is allowed, for errors and help. */
  allowed: string;
  fallback?: NodeConfig[keyof NodeConfig];
  /** Whether its value must not be shown or given on a command line. */
  secret?: true;
  valid(value: unknown): boolean;
  /** Reads the value of an environment variable or flag; what it cannot read stays a text. */
  read(text: string): unknown;
}

const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"];
const string = (text: string): unknown => text;

/** Every key with what it allows, in the order in which they are shown. */
export const CONFIG_KEYS: { [Name in keyof NodeConfig]: ConfigKey } = {
  host: {
    about: "address to bind",
    allowed: "an IP address or localhost",
    fallback: "127.0.0.1",
    valid: (value) => typeof value === "string" && (isIP(value) !== 0 || value === "localhost"),
    read: string,
  },
  port: integer("TCP port; 0 takes any free one", 0, 65_535, 2333),
  password: {
    about: "what clients send as `Authorization`",
    allowed: "a text of at least 8 printable ASCII characters, in quotes when it is all digits",
    secret: true,
    valid: isPassword,
    read: string,
  },
  password_file: optional(
    "file whose first line is the password, where no password is given",
    "the path of a file",
    isText,
  ),
  allowed_folders: {
    about: "folders whose files may be played; in a file, relative to that file",
    allowed: "a list of folders that exist",
    fallback: [],
    valid: (value) => Array.isArray(value) && value.every(isFolder),
    read: (text) => text.split(delimiter).filter((folder) => folder !== ""),
  },
  allow_private_hosts: toggle("whether http(s) tracks may reach loopback and private addresses"),
  insecure_voice_endpoints: toggle("whether voice endpoints may be `ws://`, for the simulator"),
  player_update_interval_ms: integer(
    "milliseconds between two player_update events",
    100,
    60_000,
    5000,
  ),
  stats_interval_ms: integer("milliseconds between two stats events", 1000, 3_600_000, 60_000),
  resume_timeout_s: integer("seconds that players outlive their client's socket", 0, 3600, 60),
  track_stuck_threshold_ms: integer(
    "milliseconds without sound after which a track counts as stuck",
    100,
    600_000,
    10_000,
  ),
  resolver_timeout_ms: integer(
    "milliseconds that a resolver may take to answer",
    100,
    120_000,
    15_000,
  ),
  resolver_url: optional("HTTP service that is asked about tracks", "an http(s) URL", isWebUrl),
  resolver_authorization: {
    ...optional("what that service gets as `Authorization`", "a text of ASCII", isHeader),
    secret: true,
  },
  yt_dlp: optional(
    "the program yt-dlp: a path, or a name in PATH; not used unless given",
    "the path or name of a program",
    isText,
  ),
  yt_dlp_concurrency: integer("processes of yt-dlp at the same time", 1, 64, 2),
  yt_dlp_timeout_ms: integer("milliseconds that yt-dlp may take", 1000, 300_000, 30_000),
  max_players: integer("players per bot", 1, 100_000, 10_000),
  max_node_players: integer("players of all bots", 1, 100_000, 10_000),
  max_load_percent: integer(
    "percent of what this machine carries above which new players are refused; 100 is never",
    1,
    100,
    85,
  ),
  drain_timeout_s: integer("seconds that what plays may go on after SIGTERM", 0, 86_400, 300),
  dashboard: toggle("whether there is a page at `/dashboard`, behind the password", true),
  pacers: integer("sending threads; one carries thousands of players", 1, 16, 1),
  decode_workers: integer("threads that decode and encode", 1, 64, 2),
  opus_bitrate: integer("bits per second of what is encoded", 6000, 510_000, 128_000),
  opus_complexity: integer(
    "effort of the encoder; less is spent while the machine is busy",
    0,
    10,
    10,
  ),
  log_level: {
    about: "how much is logged, as JSON lines on standard output",
    allowed: `one of ${LOG_LEVELS.join(", ")}`,
    fallback: "info",
    valid: (value) => LOG_LEVELS.includes(String(value)),
    read: string,
  },
};

/** Whether a value can be the node's password. */
export function isPassword(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e][\x20-\x7e]{6,}[\x21-\x7e]$/.test(value);
}

function integer(about: string, min: number, max: number, fallback: number): ConfigKey {
  return {
    about,
    allowed: `a whole number from ${min} to ${max}`,
    fallback,
    valid: (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
    read: (text) => (/^\d+$/.test(text) ? Number(text) : text),
  };
}

function toggle(about: string, fallback = false): ConfigKey {
  return {
    about,
    allowed: "true or false",
    fallback,
    valid: (value) => typeof value === "boolean",
    read: (text) => (text === "true" ? true : text === "false" ? false : text),
  };
}

function optional(about: string, allowed: string, valid: (value: unknown) => boolean): ConfigKey {
  return {
    about,
    allowed,
    fallback: null,
    valid: (value) => value === null || valid(value),
    read: string,
  };
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !value.includes("\0");
}

function isHeader(value: unknown): boolean {
  return typeof value === "string" && /^[\x20-\x7e]+$/.test(value);
}

function isWebUrl(value: unknown): boolean {
  return (
    typeof value === "string" && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
  );
}

function isFolder(path: unknown): boolean {
  return (
    typeof path === "string" && (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false)
  );
}
