// Collects the licences of everything that is linked into the addon, for the platform packages.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fail, root } from "./prepare.mjs";

const LICENCE_FILE = /^(licen[cs]e|copying|notice|unlicense)([-._].*)?$/i;
/** Where a crate carries the sources of a C library, that library's licence is in there, too. */
const VENDORED = ["opus", "vendor", "libopus", "c_src"];

/**
 * One text with every crate in the addon, its licence and the licence's words; the same words appear once.
 *
 * @returns {string}
 */
export function collectLicences() {
  const crates = linkedCrates();
  const texts = new Map();
  for (const crate of crates) {
    const own = licenceTexts(dirname(crate.manifest_path));
    for (const text of own.length > 0 ? own : [standardText(crate)]) {
      texts.set(text, [...(texts.get(text) ?? []), `${crate.name} ${crate.version}`]);
    }
  }
  const list = crates.map(
    ({ name, version, license, repository }) =>
      `${name} ${version}: ${license ?? "see below"}${repository ? `, ${repository}` : ""}`,
  );
  const words = [...texts].map(
    ([text, names]) => `${rule}\n${names.join(", ")}\n${rule}\n\n${text}`,
  );
  return [HEADING, list.join("\n"), ...words, ""].join("\n\n");
}

const HEADING =
  "The native addon of cadenza contains these crates, and the standard library of Rust (MIT OR Apache-2.0,\n" +
  "https://github.com/rust-lang/rust). Their sources are at crates.io, and where the addresses lead.";
const rule = "-".repeat(80);

/** What a crate that carries no text of its licence is under; MIT where it may be chosen. */
function standardText({ name, version, license, authors }) {
  const words = license ?? "";
  if (/\bMIT\b/.test(words)) {
    const holders = authors.length > 0 ? authors.join(", ") : `the authors of ${name}`;
    return `Copyright (c) ${holders}\n\n${MIT}`;
  }
  const known = KNOWN.find(([id]) => words === id);
  if (!known) fail(`${name} ${version} carries no text of its licence (${words}).`);
  return known[1];
}

/** Licences whose whole text is in the file already, because other crates carry it. */
const KNOWN = ["Apache-2.0", "MPL-2.0"].map((id) => [
  id,
  `${id}, whose text is with other crates in this file; also at https://spdx.org/licenses/${id}.html`,
]);

const MIT = readFileSync(join(root, "LICENSE"), "utf8")
  .replace(/^[\s\S]*?(?=Permission is)/, "")
  .trim();

/** Crates in the closure of the binding's ordinary dependencies, on every platform, sorted by name. */
function linkedCrates() {
  const tree = cargo(
    "tree",
    "-p",
    "cadenza-binding",
    "-e",
    "normal",
    "--target",
    "all",
    "--prefix",
    "none",
  );
  const linked = new Set(tree.split("\n").map((line) => line.split(" ").slice(0, 2).join(" ")));
  return JSON.parse(cargo("metadata", "--format-version", "1"))
    .packages.filter(({ name, version, source }) => source && linked.has(`${name} v${version}`))
    .sort((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version));
}

function cargo(...args) {
  const limits = { cwd: root, encoding: "utf8", maxBuffer: 256 * 1024 * 1024 };
  const { status, stdout, stderr, error } = spawnSync("cargo", [...args, "--locked"], limits);
  if (status !== 0) fail(`cargo ${args[0]} failed: ${stderr ?? error}`);
  return stdout;
}

function licenceTexts(folder) {
  const folders = [folder, ...VENDORED.map((name) => join(folder, name)).filter(existsSync)];
  return folders.flatMap((place) =>
    readdirSync(place, { withFileTypes: true })
      .filter((entry) => entry.isFile() && LICENCE_FILE.test(entry.name))
      .map((entry) => readFileSync(join(place, entry.name), "utf8").trim()),
  );
}
