/** Loads the addon that fits this machine and explains what to do when none does. */

import { createRequire } from "node:module";
import { CadenzaError } from "../support/errors.ts";
import type * as Binding from "./generated/binding.js";

let loaded: typeof Binding | undefined;

/** The native addon, loaded at the first call. */
export function loadBinding(): typeof Binding {
  loaded ??= requireBinding();
  return loaded;
}

function requireBinding(): typeof Binding {
  try {
    return createRequire(import.meta.url)("./generated/binding.cjs") as typeof Binding;
  } catch (cause) {
    throw new CadenzaError(
      "native_addon_missing",
      `No native addon of cadenza fits ${process.platform} ${process.arch} (${libcName()}). ` +
        "In a checkout, run `npm run build:native`; as a dependency, reinstall without " +
        "`--omit=optional` so that the platform package is fetched.",
      { cause },
    );
  }
}

function libcName(): string {
  if (process.platform !== "linux") return "system libc";
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } };
  const glibc = report?.header?.glibcVersionRuntime;
  return glibc ? `glibc ${glibc}` : "musl";
}
