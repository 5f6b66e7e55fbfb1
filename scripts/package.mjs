// `npm run package`: packs what is published, the main package and one package for each platform whose addon is there.
//
//   node scripts/package.mjs [--artifacts DIR] [--out DIR] [--all]
//
// --artifacts holds addons that other machines built (cadenza.PLATFORM.node); without it the addon of this machine is
// built. Tarballs go to --out, by default packages/. With --all a platform without an addon is an error.

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { collectLicences } from "./licences.mjs";
import { ensureAddon, ensurePackages, fail, root, run } from "./prepare.mjs";

/** More than this in one addon is a mistake: symbols left in, or a dependency that nobody noticed. */
const MAX_ADDON_BYTES = 8_000_000;

const { values } = parseArgs({
  options: { artifacts: { type: "string" }, out: { type: "string" }, all: { type: "boolean" } },
});
const out = resolve(values.out ?? join(root, "packages"));
const stage = join(out, "stage");

ensurePackages();
if (!values.artifacts) ensureAddon();
run(process.execPath, [join(root, "scripts/build.mjs")]);
rmSync(out, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const platforms = stagePlatforms(resolve(values.artifacts ?? join(root, "ts/native/generated")));
stageMain(platforms.all);
for (const folder of [...platforms.built, join(stage, "cadenza")]) pack(folder);
rmSync(stage, { recursive: true });

/** Lays out a package for every target; packs later only those whose addon is there. */
function stagePlatforms(artifacts) {
  const cli = join(root, "node_modules/@napi-rs/cli/dist/cli.js");
  const npm = join(stage, "npm");
  run(process.execPath, [cli, "create-npm-dirs", "--npm-dir", npm], { stdio: ["ignore", 2, 2] });
  const all = readdirSync(npm);
  const built = all.filter((name) => existsSync(join(artifacts, `cadenza.${name}.node`)));
  if (values.all && built.length < all.length) {
    fail(`Of ${all.join(", ")} only ${built.join(", ")} are in ${artifacts}.`);
  }
  if (built.length === 0) fail(`There is no addon in ${artifacts}; run \`npm run build:native\`.`);
  for (const name of built) fillPlatform(join(npm, name), join(artifacts, `cadenza.${name}.node`));
  return { all, built: built.map((name) => join(npm, name)) };
}

function fillPlatform(folder, addon) {
  const bytes = readFileSync(addon);
  if (bytes.length >= MAX_ADDON_BYTES) {
    fail(
      `${basename(addon)} has ${bytes.length} bytes; the limit is ${MAX_ADDON_BYTES}. ` +
        "If it was built with CADENZA_ADDON_PROFILE=dev, run `npm run build:native`.",
    );
  }
  cpSync(addon, join(folder, basename(addon)));
  cpSync(join(root, "LICENSE"), join(folder, "LICENSE"));
  writeFileSync(join(folder, "THIRD-PARTY-LICENCES.txt"), collectLicences());
  edit(join(folder, "package.json"), (own) => ({
    ...own,
    ...repository(),
    files: [...own.files, "THIRD-PARTY-LICENCES.txt"],
  }));
}

/** The main package names every platform's package; npm installs the one that fits. */
function stageMain(all) {
  const folder = join(stage, "cadenza");
  mkdirSync(folder);
  for (const path of [...manifest.files, "package.json"]) {
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  edit(
    join(folder, "package.json"),
    ({
      devDependencies: _d,
      scripts: _s,
      ava: _a,
      napi: _n,
      allowScripts: _i,
      overrides: _o,
      ...rest
    }) => ({
      ...rest,
      ...repository(),
      optionalDependencies: Object.fromEntries(
        all.map((name) => [`${manifest.name}-${name}`, manifest.version]),
      ),
    }),
  );
}

/** Provenance compares this with where the workflow ran. */
function repository() {
  const slug = process.env.GITHUB_REPOSITORY;
  return slug ? { repository: { type: "git", url: `git+https://github.com/${slug}.git` } } : {};
}

function pack(folder) {
  run("npm", ["pack", "--silent", "--pack-destination", out], { cwd: folder });
}

function edit(path, change) {
  writeFileSync(
    path,
    `${JSON.stringify(change(JSON.parse(readFileSync(path, "utf8"))), null, 2)}\n`,
  );
}
