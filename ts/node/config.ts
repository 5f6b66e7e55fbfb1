/** The node's configuration: file, environment and flags, validated once, with errors that name the key. */

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { CadenzaError } from "../support/errors.ts";
import { CONFIG_KEYS, isPassword, type NodeConfig } from "./config-keys.ts";

export { CONFIG_KEYS, type ConfigKey, type NodeConfig } from "./config-keys.ts";

/** A configuration before its defaults. */
export type NodeConfigInput = Partial<NodeConfig>;

/** Keys whose relative paths start from the configuration file's own folder. */
const FILE_PATHS = ["password_file"];

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
  const given = { ...input, password: input.password ?? passwordOf(input.password_file) };
  const resolved = Object.entries(CONFIG_KEYS).map(([name, key]) => {
    const value = given[name as keyof typeof given] ?? key.fallback;
    if (value === undefined) {
      const places = `in the file, or CADENZA_${name.toUpperCase()} in the environment`;
      throw bad(`${name} is missing (${places}); it takes ${key.allowed}`);
    }
    if (!key.valid(value)) throw bad(`${name} takes ${key.allowed}`);
    return [name, value];
  });
  return Object.freeze(Object.fromEntries(resolved)) as NodeConfig;
}

/**
 * Reads a YAML file. Relative paths in it start from the file's own folder.
 *
 * @throws CadenzaError `bad_config` when it cannot be read, is not YAML or not a table of keys.
 */
export function readConfigFile(path: string): Record<string, unknown> {
  const found = parseFile(path) ?? {};
  if (typeof found !== "object" || Array.isArray(found))
    throw bad(`${path} is not a table of keys and values`);
  const absolute = (value: unknown): unknown =>
    typeof value === "string" ? resolve(dirname(path), value) : value;
  const keys: Record<string, unknown> = { ...found };
  const { allowed_folders: folders } = keys;
  if (Array.isArray(folders)) keys.allowed_folders = folders.map(absolute);
  for (const name of FILE_PATHS) if (name in keys) keys[name] = absolute(keys[name]);
  return keys;
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

function passwordOf(path: unknown): string | undefined {
  if (typeof path !== "string" || path === "") return undefined;
  const [line = ""] = readPasswordFile(path).split(/\r?\n/);
  if (!isPassword(line)) {
    throw bad(`the first line of the password_file takes ${CONFIG_KEYS.password.allowed}`);
  }
  return line;
}

function readPasswordFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const code = String((cause as NodeJS.ErrnoException).code);
    throw bad(`the password_file cannot be read (${code})`);
  }
}

function bad(what: string): CadenzaError {
  return new CadenzaError("bad_config", `The configuration is wrong: ${what}.`);
}
