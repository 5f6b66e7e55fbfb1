/** What end-to-end encryption adds to a packet. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { spread } from "../harness/statistics.ts";
import type { Context, Experiment, Figures, Section, Size } from "./experiment.ts";
import { show } from "./experiment.ts";

const ROUNDS: Record<Size, number> = { full: 9, quick: 5, smoke: 1 };

interface Costs {
  sealNs: number;
  daveSealNs: number;
  openNs: number;
}

/** Sealing a packet with and without DAVE, alone in a loop. */
export const sealing: Experiment = {
  name: "sealing",
  async run({ root, size, fixture, tell }: Context): Promise<Section> {
    tell("sealing with and without end-to-end encryption");
    const costs: Costs[] = [];
    for (let round = 0; round < ROUNDS[size]; round++) {
      const program = join(root, "target/release/seal-cost");
      const { stdout } = spawnSync(program, [fixture.frames], { encoding: "utf8" });
      if (stdout) costs.push(JSON.parse(stdout) as Costs);
    }
    const of = (field: keyof Costs) => spread(costs.map((cost) => cost[field] / 1000));
    const figures: Figures = {
      "seal: µs/packet": of("sealNs"),
      "seal with DAVE: µs/packet": of("daveSealNs"),
      "DAVE: µs/packet": spread(costs.map((cost) => (cost.daveSealNs - cost.sealNs) / 1000)),
      "open: µs/packet": of("openNs"),
    };
    return {
      name: "sealing",
      title: "End-to-end encryption",
      method:
        "Sealing the frames in a loop, with the code that pacers run: transport encryption alone (AES-256-GCM), and " +
        "with DAVE's frame encryption inside it. The difference is what DAVE adds to every packet.",
      tables: [
        {
          columns: ["what", "µs/packet"],
          rows: Object.entries(figures).map(([name, value]) => [
            name.replace(": µs/packet", ""),
            show(value, 3),
          ]),
        },
      ],
      plots: [],
      figures,
      data: costs,
    };
  },
};
