/** The numbers to reach, as ratios within one run, and whether they were reached. */

import type { Figures } from "../experiments/experiment.ts";
import type { Spread } from "../harness/statistics.ts";

/** One number to reach. */
export interface Target {
  what: string;
  /** What is wanted, in words. */
  wanted: string;
  /** What came out; undefined where this run did not measure it. */
  got: number | undefined;
  unit: string;
  reached: boolean | undefined;
}

/** All of them, over the figures of a run. */
export function targets(figures: Figures): Target[] {
  const median = (name: string): number | undefined => figures[name]?.median;
  const at = middleLoad(figures);
  const cost = (who: string): number | undefined => median(`${who} at ${at}: CPU µs/packet`);
  const late = (who: string, p: "p50" | "p99"): number | undefined =>
    median(`${who} at ${at}: ${p} µs`);
  const blocked = blockedName(figures);
  return [
    atLeast(
      "calls, against @discordjs/voice",
      7,
      ratio(median("cadenza: density"), median("@discordjs/voice: density")),
    ),
    atMost(
      "CPU per packet, against @discordjs/voice",
      1 / 6.5,
      ratio(cost("cadenza"), cost("@discordjs/voice")),
    ),
    atMost("CPU per packet, against the raw loop", 1.15, ratio(cost("cadenza"), cost("raw loop"))),
    atMost(
      "the same with DAVE",
      1.25,
      ratio(sum(cost("cadenza"), median("DAVE: µs/packet")), cost("raw loop")),
    ),
    atMost("DAVE adds to each packet, µs", 0.3, median("DAVE: µs/packet")),
    atLeast(
      `p50 at ${at} calls, better than @discordjs/voice by`,
      50,
      ratio(late("@discordjs/voice", "p50"), late("cadenza", "p50")),
    ),
    atLeast(
      `p99 at ${at} calls, better than @discordjs/voice by`,
      20,
      ratio(late("@discordjs/voice", "p99"), late("cadenza", "p99")),
    ),
    atMost(
      "late packets while JavaScript is blocked, %",
      0.05,
      scaled(median(`blocked cadenza, blocked 100 ms a second at ${blocked}: late share`), 100),
    ),
    atMost(
      "p99 while JavaScript is blocked, against the free run",
      1.2,
      ratio(
        median(`blocked cadenza, blocked 100 ms a second at ${blocked}: p99 µs`),
        median(`blocked cadenza, free at ${blocked}: p99 µs`),
      ),
    ),
    atMost(
      "memory per playing call, against @discordjs/voice",
      1 / 8,
      ratio(
        median("cadenza: playing: bytes a call"),
        median("@discordjs/voice: playing: bytes a call"),
      ),
    ),
    atMost(
      "encoding, against the bare codec",
      1.05,
      ratio(median("cadenza: workers µs/frame"), median("bare codec: µs/frame")),
    ),
    atMost(
      "late packets of a node with 120 transcoding and 300 passthrough players, %",
      1,
      scaled(median("node, 120 transcoding and 300 passthrough: late share"), 100),
    ),
    atLeast(
      "calls on one stream, cheaper than separate ones by",
      28,
      ratio(
        median("cadenza: separate: CPU µs/packet"),
        median("cadenza: one stream: CPU µs/packet"),
      ),
    ),
    ...["songbird", "disgo"].flatMap((peer) => [
      atLeast(
        `p99 at ${at} calls, better than ${peer} by`,
        10,
        ratio(late(peer, "p99"), late("cadenza", "p99")),
      ),
      atMost(`CPU per packet, against ${peer}`, 1, ratio(cost("cadenza"), cost(peer))),
    ]),
  ];
}

/** Six hundred calls where that was measured, or the largest load both were measured at. */
function middleLoad(figures: Figures): number {
  const loads = Object.keys(figures).flatMap((name) => {
    const match = /^@discordjs\/voice at (\d+): p50 µs$/.exec(name);
    return match && figures[name] ? [Number(match[1])] : [];
  });
  return loads.includes(600) ? 600 : Math.max(0, ...loads);
}

function blockedName(figures: Figures): string {
  const name = Object.keys(figures).find((key) => key.startsWith("blocked cadenza, free at "));
  return /at (\d+):/.exec(name ?? "")?.[1] ?? "";
}

function ratio(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined || b === 0 ? undefined : a / b;
}

function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}

function scaled(value: number | undefined, by: number): number | undefined {
  return value === undefined ? undefined : value * by;
}

function atLeast(what: string, least: number, got: number | undefined): Target {
  const reached = got === undefined ? undefined : got >= least;
  return { what, wanted: `≥ ${least} ×`, got, unit: "×", reached };
}

function atMost(what: string, most: number, got: number | undefined): Target {
  const reached = got === undefined ? undefined : got <= most;
  // Ratios, unless the name ends in a unit.
  const unit = /(%|µs)$/.exec(what)?.[1] ?? "×";
  return {
    what,
    wanted: `≤ ${Number(most.toFixed(3))}${unit === "%" ? "" : ` ${unit}`}`,
    got,
    unit,
    reached,
  };
}

/** A spread of one value. */
export function single(value: number): Spread {
  return { median: value, min: value, max: value, rounds: 1 };
}
