/** Options of an engine: wrong ones are typed errors that name the option, and start nothing. */

import test from "ava";
import { Engine } from "../../ts/native/index.ts";

test("an option that is unknown or impossible is refused by name", (t) => {
  for (const [options, name] of [
    [{ pacers: "a" }, "pacers"],
    [{ pacers: 0 }, "pacers"],
    [{ pacers: 17 }, "pacers"],
    [{ pacers: 1.5 }, "pacers"],
    [{ maxPacers: Number.NaN }, "maxPacers"],
    [{ decodeWorkers: 65 }, "decodeWorkers"],
    [{ decodeWorkers: null }, "decodeWorkers"],
    [{ stallMs: -1 }, "stallMs"],
    [{ realtime: 1 }, "realtime"],
    [{ allowPrivateHosts: "yes" }, "allowPrivateHosts"],
    [{ threads: 4 }, "threads"],
    [{ constructor: 1 }, "constructor"],
    ["fast", "options"],
    [null, "options"],
  ] as const) {
    const error = t.throws(() => new Engine(options as never), { code: "invalid_argument" });
    t.true(error?.message.includes(name), error?.message);
    t.is(error?.name, "CadenzaError");
  }
});

test("options that are left out or undefined are the defaults", async (t) => {
  await using engine = new Engine({ pacers: undefined, decodeWorkers: 1 } as never);
  t.is(engine.stats().pacers.length >= 1, true);
});
