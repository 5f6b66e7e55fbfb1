// Installs and builds what a checkout is missing; shared by `npm start`, `npm test` and `.ci/run`.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const generated = join(root, "ts/native/generated");

/** Runs a program with its output on this terminal; ends the process when it fails. */
export function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) fail(`${command} could not be started: ${result.error.message}`);
  if (result.status !== 0) fail(`\`${command} ${args.join(" ")}\` failed; its output is above.`);
}

/** Ends the process with one sentence. */
export function fail(message) {
  process.stderr.write(`\n${message}\n`);
  process.exit(1);
}

/** Installs the npm packages when they are not there. */
export function ensurePackages() {
  if (existsSync(join(root, "node_modules/.package-lock.json"))) return;
  process.stderr.write("Installing npm packages (about a minute)…\n");
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund"], { stdio: ["ignore", 2, 2] });
}

/** Builds the Rust addon when it is missing or older than its sources. */
export function ensureAddon() {
  if (addonIsFresh()) return;
  checkTool("cargo", "a Rust toolchain (https://rustup.rs)");
  checkTool("cmake", "cmake (Debian: apt-get install cmake)");
  process.stderr.write("Building the Rust core (a few minutes the first time)…\n");
  buildAddon();
}

/**
 * Builds the addon and writes the loader and its types. Optimised, unless CADENZA_ADDON_PROFILE=dev asks for a
 * quick build while the core is being changed.
 *
 * @param {string[]} flags more flags of `napi build`, such as `--target`
 */
export function buildAddon(flags = []) {
  const cli = join(root, "node_modules/@napi-rs/cli/dist/cli.js");
  const profile = process.env.CADENZA_ADDON_PROFILE === "dev" ? [] : ["--release"];
  const args = [cli, "build", "--platform", ...profile, "--no-const-enum"];
  const places = [
    "--manifest-path",
    "crates/binding/Cargo.toml",
    "--output-dir",
    "ts/native/generated",
  ];
  const names = ["--js", "binding.cjs", "--dts", "binding.d.ts"];
  run(process.execPath, [...args, ...places, ...names, ...flags], { stdio: ["ignore", 2, 2] });
}

function checkTool(tool, remedy) {
  const found = spawnSync(tool, ["--version"], { stdio: "ignore" });
  if (found.error || found.status !== 0) fail(`Building the Rust core needs ${remedy}.`);
}

function addonIsFresh() {
  if (!existsSync(generated)) return false;
  const addons = readdirSync(generated).filter((name) => name.endsWith(".node"));
  if (addons.length === 0) return false;
  const built = Math.max(...addons.map((name) => statSync(join(generated, name)).mtimeMs));
  return (
    newestSource(join(root, "crates")) <= built &&
    statSync(join(root, "Cargo.lock")).mtimeMs <= built
  );
}

function newestSource(folder) {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSource(path));
    else if (/\.(rs|toml)$/.test(entry.name)) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}
