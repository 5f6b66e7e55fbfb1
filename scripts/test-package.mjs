// `npm run test:package`: packs what is published and uses it as a stranger would, in an empty folder, without a
// compiler on PATH, on every Node the package promises. Prints `N passed, N failed` at the end.
//
//   node scripts/test-package.mjs [--this-node]
//
// With --this-node on the Node that runs it alone. CADENZA_PACKAGES names a folder with packages to test instead.

import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { root, run } from "./prepare.mjs";

/** The oldest promised, and the newest of every line since; from the npm registry, which carries Node's programs. */
const NODES = ["20.19.0", "22", "24"];
const PLATFORM = "linux-x64";
/** Programs that no user needs to have. */
const TOOLS = ["npm", "node", "sh", "env", "tar", "gzip", "git"];

if (`${process.platform}-${process.arch}` !== PLATFORM) {
  process.stdout.write(`This test packs for ${PLATFORM} only.\n0 passed, 0 failed\n`);
  process.exit(0);
}

const totals = { passed: 0, failed: 0 };
const packages = resolve(process.env.CADENZA_PACKAGES ?? join(root, "packages"));
if (!process.env.CADENZA_PACKAGES) run(process.execPath, [join(root, "scripts/package.mjs")]);
const tarballs = readdirSync(packages).filter((name) => name.endsWith(".tgz"));
const main = join(packages, tarballs.find((name) => /^cadenza-\d/.test(name)) ?? "");
const addon = join(packages, tarballs.find((name) => name.startsWith(`cadenza-${PLATFORM}`)) ?? "");
const home = mkdtempSync(join(tmpdir(), "cadenza-package-"));
try {
  checkShape();
  const here = { version: process.versions.node, program: process.execPath };
  const nodes = process.argv.includes("--this-node") ? [here] : fetchNodes();
  const bin = toolsOnly();
  checkInstalled(nodes, bin);
  checkMissing(bin);
} finally {
  rmSync(home, { recursive: true, force: true });
}
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed\n`);
process.exit(totals.failed === 0 ? 0 : 1);

/** What the registry's readers would object to. */
function checkShape() {
  const tool = (name) => join(root, "node_modules/.bin", name);
  check("publint has no objection", tool("publint"), [main, "--strict"], root);
  // Node has loaded modules by require() since 20.19, which the package asks for.
  check("the types resolve", tool("attw"), [main, "--profile", "esm-only"], root);
}

/** Programs of the promised Node versions. */
function fetchNodes() {
  return NODES.map((version) => {
    const folder = join(home, `node-${version}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), "{}");
    run("npm", ["install", "--silent", `node-${PLATFORM}@${version}`], { cwd: folder });
    return { version, program: join(folder, `node_modules/node-${PLATFORM}/bin/node`) };
  });
}

/** A PATH with what npm itself needs and nothing that compiles. */
function toolsOnly() {
  const bin = join(home, "bin");
  mkdirSync(bin);
  for (const tool of TOOLS) {
    const found = spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim();
    if (found) symlinkSync(found, join(bin, tool));
  }
  return bin;
}

/** The README's first example, both ways of loading, on every Node; then the command line. */
function checkInstalled(nodes, bin) {
  const folder = install("installed", [main, addon], bin);
  const example = firstExample();
  writeFileSync(join(folder, "example.mjs"), example);
  writeFileSync(join(folder, "example.cjs"), asCommonJs(example));
  const env = { PATH: bin, HOME: home };
  for (const { version, program } of nodes) {
    check(`Node ${version}: import`, program, ["example.mjs"], folder, env);
    check(`Node ${version}: require`, program, ["example.cjs"], folder, env);
    const cli = join(folder, "node_modules/cadenza/dist/cli/main.js");
    check(`Node ${version}: cadenza --help`, program, [cli, "--help"], folder, env);
  }
}

/** Without the platform's package the error says what to do. */
function checkMissing(bin) {
  const folder = install("bare", [main], bin);
  const script = `import("cadenza").then(({ Engine }) => new Engine()).then(
    () => process.exit(1),
    ({ code, message }) => process.exit(
      code === "native_addon_missing" && /linux x64 .glibc/.test(message) && /npm/.test(message) ? 0 : 1));`;
  writeFileSync(join(folder, "missing.mjs"), script);
  const env = { PATH: bin, HOME: home };
  check("a missing addon is explained", process.execPath, ["missing.mjs"], folder, env);
}

function install(name, tarballs, bin) {
  const folder = join(home, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", ...tarballs];
  run("npm", args, { cwd: folder, env: { ...process.env, PATH: bin } });
  return folder;
}

function firstExample() {
  const found = /^```js\n([\s\S]*?)^```/m.exec(readFileSync(join(root, "README.md"), "utf8"));
  if (!found) throw new Error("the README has no example");
  return found[1];
}

/** The same program for require(): no import statements, no await outside of a function. */
function asCommonJs(example) {
  const loads = example.replaceAll(
    /^import (\{[^}]*\}) from ("[^"]+");$/gm,
    "const $1 = require($2);",
  );
  return `(async () => {\n${loads}\n})();\n`;
}

function check(name, program, args, cwd, env) {
  const options = { cwd, encoding: "utf8", timeout: 120_000, ...(env && { env }) };
  const { status, stdout, stderr, error } = spawnSync(program, args, options);
  if (status === 0) totals.passed += 1;
  else totals.failed += 1;
  process.stdout.write(`${status === 0 ? "  ok   " : "  FAIL "} ${name}\n`);
  if (status !== 0) process.stdout.write(`${stdout}${stderr}${error ?? ""}\n`);
}
