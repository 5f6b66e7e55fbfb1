/** The page of error codes names every code there is. */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const page = read("docs/reference/errors.md");

/** Codes in TypeScript: what errors are made with, and what reasons and refusals carry. */
const IN_TYPESCRIPT = /(?:\bCadenzaError\(\s*|\bcode: )"([a-z][a-z0-9_]+)"/g;
/** Codes in Rust: the arms that name the kinds of an error. */
const IN_RUST =
  /\b\w*(?:Error|ErrorCode)::\w+(?:\([^)]*\)|\s*\{[^}]*\})?\s*=>\s*"([a-z][a-z0-9_]+)"/g;

test("every error code is on the page", (t) => {
  const codes = new Set([
    ...codesIn("ts/**/*.ts", IN_TYPESCRIPT),
    ...codesIn("crates/*/src/**/*.rs", IN_RUST),
  ]);
  t.true(codes.has("no_main_gateway") && codes.has("malformed_media"), "codes are found at all");
  t.deepEqual(
    [...codes].filter((code) => !page.includes(`\`${code}\``)),
    [],
  );
});

function codesIn(files: string, pattern: RegExp): string[] {
  const list = execFileSync("git", ["ls-files", "-z", "--", `:(glob)${files}`], {
    cwd: root,
    encoding: "utf8",
  });
  return list
    .split("\0")
    .filter((file) => file !== "")
    .flatMap((file) => [...read(file).matchAll(pattern)].map(([, code = ""]) => code));
}

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}
