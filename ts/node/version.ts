/** The version of this package. */

import { readFileSync } from "node:fs";

/** As package.json has it; it lies two folders up, in a checkout and in the published package alike. */
export function packageVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
