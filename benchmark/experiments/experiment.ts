/** What an experiment is given and what it hands to the report. */

import type { Contender, SenderName } from "../harness/contenders.ts";
import type { Fixture } from "../harness/fixture.ts";
import type { Stage } from "../harness/stage.ts";
import type { Spread } from "../harness/statistics.ts";

/** How long a run may take: `full` for figures to claim, `quick` in under five minutes, `smoke` for tests. */
export type Size = "full" | "quick" | "smoke";

/** What every experiment works with. */
export interface Context {
  root: string;
  size: Size;
  stage: Stage;
  fixture: Fixture;
  contenders: readonly Contender[];
  /** Says on the terminal what is going on. */
  tell: (text: string) => void;
}

/** A cell of a table: text, or a number with its spread. */
export type Cell = string | number | undefined;

/** One line of a plot. */
export interface Series {
  label: string;
  points: [x: number, y: number][];
}

/** A plot: lines over logarithmic or linear axes, or bars. */
export type Plot =
  | {
      kind: "lines";
      title: string;
      x: { label: string; scale: "log" | "linear" };
      y: { label: string; scale: "log" | "linear" };
      series: Series[];
      /** A line across at this height, with a name. */
      mark?: { y: number; label: string };
    }
  | { kind: "bars"; title: string; unit: string; bars: { label: string; spread: Spread }[] };

/** What the ratios of the summary are made of: a value under a stable name. */
export type Figures = Record<string, Spread | undefined>;

/** What an experiment found. */
export interface Section {
  name: string;
  title: string;
  /** What was done, in a few sentences. */
  method: string;
  tables: { columns: string[]; rows: Cell[][] }[];
  plots: Plot[];
  figures: Figures;
  /** Everything measured, for the JSON. */
  data: unknown;
}

/** One experiment. */
export interface Experiment {
  name: string;
  run(context: Context): Promise<Section>;
}

/** The contender of a name, if it is present. */
export function find(context: Context, name: SenderName): Contender | undefined {
  return context.contenders.find((contender) => contender.name === name);
}

/** `median (min–max)` with so many digits behind the point, and a unit; a dash for nothing. */
export function show(value: Spread | undefined, digits = 1, scale = 1): string {
  if (!value) return "–";
  const text = (number: number): string => (number * scale).toFixed(digits);
  return value.rounds === 1
    ? text(value.median)
    : `${text(value.median)} (${text(value.min)}–${text(value.max)})`;
}
