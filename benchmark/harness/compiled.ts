/** The senders in TypeScript, compiled as what is published: a loader that compiles at run time would count as theirs. */

import { execFileSync } from "node:child_process";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Where the compiled checkout lies. */
const compiled = (root: string): string => join(root, "benchmark/.work/compiled");

/** A compiled sender. */
export function compiledSender(root: string, name: string): string {
  return join(compiled(root), "benchmark/senders", name);
}

/**
 * Compiles the package and the senders that use it.
 *
 * @throws Error when the compiler does, after it said why.
 */
export function compileSenders(root: string): void {
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [compiler, "-p", join(root, "benchmark/tsconfig.json")], {
    stdio: ["ignore", 2, 2],
  });
  const senders = join(root, "benchmark/senders");
  for (const file of readdirSync(senders).filter((name) => name.endsWith(".mjs"))) {
    cpSync(join(senders, file), compiledSender(root, file));
  }
  for (const part of ["package.json", "ts/native/generated", "ts/node/dashboard/page"]) {
    cpSync(join(root, part), join(compiled(root), part), { recursive: true });
  }
}
