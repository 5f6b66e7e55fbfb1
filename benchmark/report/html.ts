/** The report as one HTML file that needs nothing else. */

import type { Section } from "../experiments/experiment.ts";
import type { Contender, Missing } from "../harness/contenders.ts";
import { escapeText, svg } from "./svg.ts";
import type { Target } from "./targets.ts";

/** What was run, where and when. */
export interface Run {
  startedAt: string;
  minutes: number;
  size: string;
  machine: { cpu: string; cores: number; memoryGiB: number; kernel: string; node: string };
  commit: string;
  contenders: readonly Contender[];
  missing: readonly Missing[];
}

const STYLE = `
:root { --ink: #1c2430; --soft: #5b6675; --paper: #fff; --line: #dfe4ea; --good: #1a7f4b; --bad: #b3402a;
  --s0: #2f6fde; --s1: #8a94a3; --s2: #d9622b; --s3: #b08900; --s4: #7c4dc4; --s5: #1a8f8a; --s6: #c2387c; --s7: #4f7d2c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b5; --paper: #12161c; --line: #2a323c;
  --good: #59c98d; --bad: #f0836b; --s0: #6ea4ff; --s1: #8a94a3; --s2: #f08a5b; --s3: #e0b93a; --s4: #b18cf0; --s5: #4fc4be; --s6: #f072ae; --s7: #93c069; } }
body { margin: 0 auto; max-width: 62rem; padding: 2.5rem 1.25rem 4rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 3rem 0 .5rem; }
h3 { font-size: .95rem; margin: 1.75rem 0 .25rem; font-weight: 600; }
p { max-width: 48rem; margin: .5rem 0; }
.soft, .method { color: var(--soft); font-size: .92rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child, td.text { text-align: left; }
th { color: var(--soft); font-weight: 600; }
.yes { color: var(--good); } .no { color: var(--bad); }
svg { width: 100%; height: auto; max-width: 48rem; display: block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; } svg .label { fill: var(--ink); }
.grid { stroke: var(--line); } .mark { stroke: var(--bad); stroke-dasharray: 5 4; } .spread { stroke: var(--ink); stroke-width: 1.5; }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.legend { font-size: .85rem; color: var(--soft); } .legend span { margin-right: 1.25rem; white-space: nowrap; }
.legend i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }
${Array.from(
  { length: 8 },
  (_, at) =>
    `polyline.s${at} { stroke: var(--s${at}); } circle.s${at}, rect.s${at} { fill: var(--s${at}); } i.s${at} { background: var(--s${at}); }`,
).join("\n")}`;

/** The whole page. */
export function htmlReport(
  run: Run,
  sections: readonly Section[],
  targets: readonly Target[],
): string {
  const body = [head(run), summary(targets), ...sections.map(sectionHtml), settings(run)];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>cadenza: benchmark of ${escapeText(run.startedAt)}</title><style>${STYLE}</style></head>
<body>${body.join("\n")}</body></html>
`;
}

function head({ startedAt, minutes, size, machine, commit }: Run): string {
  const { cpu, cores, memoryGiB, kernel, node } = machine;
  return `<h1>cadenza, side by side</h1>
<p class="soft">${escapeText(startedAt)} · ${escapeText(size)} run of ${minutes.toFixed(0)} minutes · ${escapeText(cpu)}, ${cores} cores, ${memoryGiB} GiB · Linux ${escapeText(kernel)} · Node ${escapeText(node)} · commit ${escapeText(commit)}</p>`;
}

function summary(targets: readonly Target[]): string {
  const measured = targets.filter(({ got }) => got !== undefined);
  if (measured.length === 0) return "";
  const rows = measured.map(
    ({ what, wanted, got, unit, reached }) =>
      `<tr><td>${escapeText(what)}</td><td>${escapeText(wanted)}</td><td>${(got ?? 0).toPrecision(3)} ${escapeText(unit)}</td>` +
      `<td class="${reached ? "yes" : "no"}">${reached ? "reached" : "not reached"}</td></tr>`,
  );
  const reached = measured.filter((target) => target.reached).length;
  return `<h2>Numbers to reach</h2><p class="method">Ratios of medians within this run: ${reached} of ${measured.length} reached.</p>
<div class="scroll"><table><tr><th>what</th><th>wanted</th><th>here</th><th></th></tr>${rows.join("")}</table></div>`;
}

function sectionHtml({ title, method, tables, plots }: Section): string {
  const plotted = plots
    .map((plot) => ({ title: plot.title, drawing: svg(plot) }))
    .filter(({ drawing }) => drawing !== "")
    .map((plot) => `<h3>${escapeText(plot.title)}</h3>${plot.drawing}`);
  return `<h2>${escapeText(title)}</h2><p class="method">${escapeText(method)}</p>${tables.map(tableHtml).join("")}${plotted.join("")}`;
}

function tableHtml({ columns, rows }: Section["tables"][number]): string {
  const header = columns.map((column) => `<th>${escapeText(column)}</th>`).join("");
  const body = rows.map(
    (row) => `<tr>${row.map((cell) => `<td>${escapeText(String(cell ?? ""))}</td>`).join("")}</tr>`,
  );
  return `<div class="scroll"><table><tr>${header}</tr>${body.join("")}</table></div>`;
}

function settings({ contenders, missing }: Run): string {
  const rows = contenders.map(
    ({ name, settings: text }) =>
      `<tr><td>${escapeText(name)}</td><td class="text">${escapeText(text)}</td></tr>`,
  );
  const out = missing.map(
    ({ name, why }) =>
      `<tr><td>${escapeText(name)}</td><td class="text">left out: ${escapeText(why)}</td></tr>`,
  );
  return `<h2>Who was compared, at which settings</h2><div class="scroll"><table>${[...rows, ...out].join("")}</table></div>
<p class="method">Cells show the median of the rounds, in brackets the least and the greatest. Rounds in which others kept more than a tenth of a core busy were repeated; those that stayed disturbed are counted in the last column.</p>`;
}
