// Writes docs/reference/op-protocol.schema.json. Run it with `node --import=tsx scripts/op-schema.mjs`.

import { writeFileSync } from "node:fs";
import { protocolSchema } from "../ts/node/ops/schema.ts";

const file = new URL("../docs/reference/op-protocol.schema.json", import.meta.url);
writeFileSync(file, `${JSON.stringify(protocolSchema(), null, 2)}\n`);
