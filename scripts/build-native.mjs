// `npm run build:native`: builds the Rust addon for this machine.

import { buildAddon, ensurePackages } from "./prepare.mjs";

ensurePackages();
buildAddon();
