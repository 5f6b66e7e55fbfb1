/** The report as text: tables in columns. */

import type { Section } from "../experiments/experiment.ts";
import type { Missing } from "../harness/contenders.ts";
import type { Target } from "./targets.ts";

/** Everything as lines for a terminal. */
export function terminalReport(
  sections: readonly Section[],
  targets: readonly Target[],
  missing: readonly Missing[],
): string {
  const parts = sections.flatMap((section) => [
    `\n${section.title}\n`,
    ...section.tables.map(({ columns, rows }) => table([columns, ...rows])),
  ]);
  const measured = targets.filter(({ got }) => got !== undefined);
  if (measured.length > 0) {
    const rows = measured.map(({ what, wanted, got, unit, reached }) => [
      reached ? "✓" : "✗",
      what,
      wanted,
      `${(got ?? 0).toPrecision(3)} ${unit}`,
    ]);
    parts.push("\nNumbers to reach\n", table([["", "what", "wanted", "here"], ...rows]));
  }
  parts.push(...missing.map(({ name, why }) => `\nLeft out: ${name}, because ${why}.`));
  return parts.join("\n");
}

/** Rows with columns as wide as their widest cell; numbers stand right. */
export function table(rows: readonly (readonly unknown[])[]): string {
  const cells = rows.map((row) => row.map((cell) => String(cell ?? "")));
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const isNumber = (text: string): boolean => /^[≥\d.–]/.test(text);
  const lines = cells.map((row, at) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return at > 0 && column > 0 && isNumber(cell) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd(),
  );
  const [head = "", ...body] = lines;
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [head, rule, ...body].map((line) => `  ${line}`).join("\n");
}
