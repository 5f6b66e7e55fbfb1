/** Makes an engine for those who do not want the process's shared one. */

import { Engine } from "../native/index.ts";
import type { EngineLike, EngineOptions } from "../native/types.ts";

/** Starts an engine; close it when its connections are destroyed. */
export function createEngine(options: EngineOptions = {}): EngineLike {
  return new Engine(options);
}
