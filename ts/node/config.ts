/** The node's configuration: file, environment and flags, validated once, with errors that name the key. */

import { readFileSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { delimiter, dirname, resolve } from "node:path";
import { parse } from "yaml";
import { CadenzaError } from "../support/errors.ts";

/** Everything the node can be told. Keys are those of the YAML file. */
export interface NodeConfig {
  /** Address to bind. Default 127.0.0.1. */
  host: string;
  /** TCP port; 0 takes any free one. Default 2333. */
  port: number;
  /** What clients send as `Authorization`; at least 8 printable ASCII characters. Required. */
  password: string;
  /** Folders whose files may be played; in a file, relative to that file. Default: none. */
  allowed_folders: string[];
  /** Lets http(s) tracks reach loopback and private addresses. Default false. */
  allow_private_hosts: boolean;
  /** Accepts `ws://` voice endpoints, for the simulator. Default false. */
  insecure_voice_endpoints: boolean;
  /** Milliseconds between two player_update events, 100 to 60 000. Default 5000. */
  player_update_interval_ms: number;
  /** Seconds that players outlive their client's socket, 0 to 3600. Default 60. */
  resume_timeout_s: number;
  /** Milliseconds that a resolver may take to answer, 100 to 120 000. Default 15 000. */
  resolver_timeout_ms: number;
  /** Players per bot, 1 to 100 000. Default 10 000. */
  max_players: number;
  /** `silent`, `error`, `warn`, `info` or `debug`. Default info. */
  log_level: string;
}

/** A configuration before its defaults. */
export type NodeConfigInput = Partial<NodeConfig>;

const LOG_LEVELS = ["silent", "error", "warn", "info", "debug"];

interface Key {
  /** What is allowed, for errors and help. */
  allowed: string;
  fallback?: NodeConfig[keyof NodeConfig];
  valid(value: unknown): boolean;
  /** Reads the value of an environment variable or flag; what it cannot read stays a text. */
  read(text: string): unknown;
}

const string = (text: string): unknown => text;
const boolean = (text: string): unknown =>
  text === "true" ? true : text === "false" ? false : text;
const integer = (min: number, max: number, fallback: number): Key => ({
  allowed: `a whole number from ${min} to ${max}`,
  fallback,
  valid: (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
  read: (text) => (/^\d+$/.test(text) ? Number(text) : text),
});
const toggle = (): Key => ({
  allowed: "true or false",
  fallback: false,
  valid: (value) => typeof value === "boolean",
  read: boolean,
});

/** Every key with what it allows. */
export const CONFIG_KEYS: { [Name in keyof NodeConfig]: Key } = {
  host: {
    allowed: "an IP address or localhost",
    fallback: "127.0.0.1",
    valid: (value) => typeof value === "string" && (isIP(value) !== 0 || value === "localhost"),
    read: string,
  },
  port: integer(0, 65_535, 2333),
  password: {
    allowed: "a text of at least 8 printable ASCII characters, in quotes when it is all digits",
    valid: (value) =>
      typeof value === "string" && /^[\x21-\x7e][\x20-\x7e]{6,}[\x21-\x7e]$/.test(value),
    read: string,
  },
  allowed_folders: {
    allowed: "a list of folders that exist",
    fallback: [],
    valid: (value) => Array.isArray(value) && value.every(isFolder),
    read: (text) => text.split(delimiter).filter((folder) => folder !== ""),
  },
  allow_private_hosts: toggle(),
  insecure_voice_endpoints: toggle(),
  player_update_interval_ms: integer(100, 60_000, 5000),
  resume_timeout_s: integer(0, 3600, 60),
  resolver_timeout_ms: integer(100, 120_000, 15_000),
  max_players: integer(1, 100_000, 10_000),
  log_level: {
    allowed: `one of ${LOG_LEVELS.join(", ")}`,
    fallback: "info",
    valid: (value) => LOG_LEVELS.includes(String(value)),
    read: string,
  },
};

/**
 * Validates a configuration and fills in the defaults.
 *
 * @throws CadenzaError `bad_config`; the message names the key and what is allowed, never the value.
 */
export function resolveConfig(input: Record<string, unknown>): NodeConfig {
  const unknown = Object.keys(input).find((key) => !Object.hasOwn(CONFIG_KEYS, key));
  if (unknown !== undefined) {
    throw bad(
      `the key ${JSON.stringify(unknown)} is not known; there are ${Object.keys(CONFIG_KEYS).join(", ")}`,
    );
  }
  const resolved = Object.entries(CONFIG_KEYS).map(([name, key]) => {
    const value = input[name] ?? key.fallback;
    if (value === undefined) throw bad(`${name} is missing; it takes ${key.allowed}`);
    if (!key.valid(value)) throw bad(`${name} takes ${key.allowed}`);
    return [name, value];
  });
  return Object.freeze(Object.fromEntries(resolved)) as NodeConfig;
}

/**
 * Reads a YAML file. Relative folders in it start from the file's own folder.
 *
 * @throws CadenzaError `bad_config` when it cannot be read, is not YAML or not a table of keys.
 */
export function readConfigFile(path: string): Record<string, unknown> {
  const found = parseFile(path) ?? {};
  if (typeof found !== "object" || Array.isArray(found))
    throw bad(`${path} is not a table of keys and values`);
  const { allowed_folders: folders, ...rest } = found as Record<string, unknown>;
  if (!Array.isArray(folders)) return { ...found };
  const absolute = folders.map((folder) =>
    typeof folder === "string" ? resolve(dirname(path), folder) : folder,
  );
  return { ...rest, allowed_folders: absolute };
}

function parseFile(path: string): unknown {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch (cause) {
    // What follows the first line quotes the file, and with it the password.
    const [firstLine = ""] = String((cause as Error).message).split("\n");
    const message = `The configuration ${path} cannot be read: ${firstLine.replace(/:$/, "")}.`;
    throw new CadenzaError("bad_config", message, { cause });
  }
}

/** What the environment says: `CADENZA_PORT` for `port`, and so on; several folders are separated as in PATH. */
export function readEnvironment(environment: NodeJS.ProcessEnv): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, key] of Object.entries(CONFIG_KEYS)) {
    const text = environment[`CADENZA_${name.toUpperCase()}`];
    if (text !== undefined) found[name] = key.read(text);
  }
  return found;
}

function isFolder(path: unknown): boolean {
  return (
    typeof path === "string" && (statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false)
  );
}

function bad(what: string): CadenzaError {
  return new CadenzaError("bad_config", `The configuration is wrong: ${what}.`);
}
