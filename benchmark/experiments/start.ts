/** How soon: loading the addon, and from a call to `play` until the first packet. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Contender } from "../harness/contenders.ts";
import { pause } from "../harness/stage.ts";
import { spread } from "../harness/statistics.ts";
import type { Context, Experiment, Figures, Section, Size } from "./experiment.ts";
import { show } from "./experiment.ts";

const LOADS: Record<Size, number> = { full: 30, quick: 10, smoke: 1 };
const PLAYS: Record<Size, number> = { full: 30, quick: 4, smoke: 1 };

/** Loading the addon and starting an engine, in a fresh process each time. */
export const startup: Experiment = {
  name: "startup",
  async run({ root, size, tell }: Context): Promise<Section> {
    tell("startup: loading the addon");
    const loads: number[] = [];
    const starts: number[] = [];
    for (let n = 0; n < LOADS[size]; n++) {
      const { load, start } = loadOnce(root);
      loads.push(load);
      starts.push(start);
    }
    const figures: Figures = {
      "addon: load ms": spread(loads),
      "engine: start ms": spread(starts),
    };
    return {
      name: "startup",
      title: "Start-up",
      method:
        "A fresh Node process loads the native addon, then starts an engine with all its threads.",
      tables: [
        {
          columns: ["what", "ms"],
          rows: [
            ["load the addon", show(figures["addon: load ms"], 2)],
            ["start an engine", show(figures["engine: start ms"], 2)],
          ],
        },
      ],
      plots: [],
      figures,
      data: { loads, starts },
    };
  },
};

/** From `play` to the first packet, on a call that is connected and silent. */
export const first: Experiment = {
  name: "first",
  async run(context: Context): Promise<Section> {
    const figures: Figures = {};
    const rows: Section["tables"][number]["rows"] = [];
    const data: Record<string, number[]> = {};
    for (const contender of context.contenders) {
      if (contender.name !== "cadenza" && contender.name !== "@discordjs/voice") continue;
      context.tell(`first packet: ${contender.name}`);
      const times = await firstPackets(context, contender);
      data[contender.name] = times;
      figures[`${contender.name}: first packet ms`] = spread(times);
      rows.push([contender.name, show(spread(times), 2)]);
    }
    return {
      name: "first",
      title: "From play to the first packet",
      method:
        "On a connected, silent call: from the call of `play` to the first packet at the receiver. cadenza opens and " +
        "reads its file in this time; @discordjs/voice has its frames in memory.",
      tables: [{ columns: ["sender", "ms"], rows }],
      plots: [],
      figures,
      data,
    };
  },
};

async function firstPackets(context: Context, contender: Contender): Promise<number[]> {
  const act = { contender, calls: 1, seconds: 0, work: "first" as const };
  return context.stage.with(act, async ({ sender, receiver }) => {
    const times: number[] = [];
    for (let n = 0; n < PLAYS[context.size]; n++) {
      await receiver.ask("start");
      sender.say("play");
      const { playedNs } = await sender.until("playedNs");
      await pause(300);
      const { firstsNs } = await receiver.ask("report firsts");
      const [[, firstNs] = [0, 0]] = firstsNs as [number, number][];
      if (firstNs > 0) times.push((firstNs - Number(playedNs)) / 1e6);
      sender.say("stop");
      // Silence follows a stop; the next measurement begins after it.
      await pause(300 + n * 7);
    }
    return times;
  });
}

function loadOnce(root: string): { load: number; start: number } {
  const addon = join(root, "ts/native/generated/binding.cjs");
  const code = `
    const { createRequire } = require("node:module");
    const began = performance.now();
    const { BindingEngine } = createRequire("/")(${JSON.stringify(addon)});
    const loaded = performance.now();
    new BindingEngine({}, () => undefined);
    const started = performance.now();
    process.stdout.write(JSON.stringify({ load: loaded - began, start: started - loaded }));
    process.exit(0);`;
  const { stdout } = spawnSync(process.execPath, ["-e", code], { encoding: "utf8" });
  const { load = Number.NaN, start = Number.NaN } = JSON.parse(stdout || "{}") as {
    load?: number;
    start?: number;
  };
  return { load, start };
}
