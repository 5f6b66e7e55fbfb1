// `npm run build:native`: builds the Rust addon, for this machine, or with the flags of `napi build` that follow for another.

import { buildAddon, ensurePackages } from "./prepare.mjs";

ensurePackages();
buildAddon(process.argv.slice(2));
