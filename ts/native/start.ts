/** Starts the native engine: checks what the caller chose, and gives every refusal a code. */

import { CadenzaError } from "../support/errors.ts";
import type { BindingEngine } from "./generated/binding.js";
import { loadBinding } from "./load.ts";
import type { EngineOptions } from "./types.ts";

/** Numbers among the options, and the range of each. */
const NUMBERS: { readonly [name: string]: readonly [least: number, most: number] } = {
  pacers: [1, 16],
  maxPacers: [1, 16],
  decodeWorkers: [1, 64],
  stallMs: [20, 86_400_000],
};
const SWITCHES: readonly string[] = ["realtime", "allowPrivateHosts"];

/** @throws CadenzaError `invalid_argument` for an option that does not exist or has an impossible value. */
export function checkEngineOptions(options: unknown): asserts options is EngineOptions {
  if (typeof options !== "object" || options === null) {
    throw invalid("The options of an engine are an object.");
  }
  for (const [name, value] of Object.entries(options)) {
    const range = Object.hasOwn(NUMBERS, name) ? NUMBERS[name] : undefined;
    if (!range && !SWITCHES.includes(name)) throw invalid(`An engine has no option "${name}".`);
    if (value === undefined) continue;
    if (range) checkRange(name, value, range);
    else if (typeof value !== "boolean") throw invalid(`${name} is true or false.`);
  }
}

/** @throws CadenzaError `invalid_argument`, `engine_start_failed` when the system gives no threads. */
export function startEngine(options: EngineOptions, wake: () => void): BindingEngine {
  checkEngineOptions(options);
  const binding = loadBinding();
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  try {
    return new binding.BindingEngine(Object.fromEntries(given), wake);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    const message = `The engine could not be started: ${said.replace(/^engine_start_failed: /, "")}`;
    throw new CadenzaError("engine_start_failed", message, { cause });
  }
}

function checkRange(name: string, value: unknown, [least, most]: readonly [number, number]): void {
  const fits = typeof value === "number" && Number.isInteger(value);
  if (fits && value >= least && value <= most) return;
  throw invalid(`${name} is a whole number from ${least} to ${most}.`);
}

function invalid(message: string): CadenzaError {
  return new CadenzaError("invalid_argument", message);
}
