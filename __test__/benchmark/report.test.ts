/** The benchmark's report: ratios of a run, tables, and plots that are complete files. */

import test from "ava";
import type { Section } from "../../benchmark/experiments/experiment.ts";
import { htmlReport, type Run } from "../../benchmark/report/html.ts";
import { svg } from "../../benchmark/report/svg.ts";
import { single, targets } from "../../benchmark/report/targets.ts";
import { table } from "../../benchmark/report/terminal.ts";

const FIGURES = {
  "cadenza: density": single(4900),
  "@discordjs/voice: density": single(700),
  "cadenza at 600: CPU µs/packet": single(3.3),
  "@discordjs/voice at 600: CPU µs/packet": single(24),
  "raw loop at 600: CPU µs/packet": single(3),
  "DAVE: µs/packet": single(0.3),
  "cadenza at 600: p50 µs": single(30),
  "@discordjs/voice at 600: p50 µs": single(1800),
};

test("the numbers to reach are ratios of what was measured, and nothing is made up", (t) => {
  const found = new Map(targets(FIGURES).map((target) => [target.what, target]));
  const calls = found.get("calls, against @discordjs/voice");
  t.is(calls?.got, 7);
  t.true(calls?.reached);
  const raw = found.get("CPU per packet, against the raw loop");
  t.is(raw?.got?.toFixed(3), "1.100");
  t.is(found.get("the same with DAVE")?.got?.toFixed(3), "1.200");
  t.is(found.get("p50 at 600 calls, better than @discordjs/voice by")?.got, 60);
  t.is(found.get("p99 at 600 calls, better than @discordjs/voice by")?.got, undefined);
  t.is(found.get("encoding, against the bare codec")?.reached, undefined);
});

test("a table has a column for each, as wide as its widest cell", (t) => {
  const text = table([
    ["sender", "calls"],
    ["cadenza", 600],
    ["raw loop", undefined],
  ]);
  t.deepEqual(text.split("\n"), [
    "  sender    calls",
    "  ────────  ─────",
    "  cadenza     600",
    "  raw loop",
  ]);
});

test("plots are drawn within their frame, also of zeros and single points", (t) => {
  const drawn = svg({
    kind: "lines",
    title: "t",
    x: { label: "ms", scale: "log" },
    y: { label: "share", scale: "log" },
    series: [
      {
        label: "a <b>",
        points: [
          [0.01, 1],
          [20, 0.001],
        ],
      },
    ],
    mark: { y: 0.01, label: "1 %" },
  });
  t.true(drawn.startsWith("<svg") && drawn.includes("a &lt;b&gt;"));
  for (const [, x = "", y = ""] of drawn.matchAll(/([\d.-]+),([\d.-]+)/g)) {
    t.true(Number(x) >= 0 && Number(x) <= 760 && Number(y) >= 0 && Number(y) <= 380, `${x},${y}`);
  }
  t.notRegex(drawn, /NaN|Infinity/);
  t.notRegex(
    svg({ kind: "bars", title: "t", unit: "µs", bars: [{ label: "a", spread: single(3) }] }),
    /NaN/,
  );
});

test("the page needs nothing from elsewhere", (t) => {
  const section: Section = {
    name: "n",
    title: "A title",
    method: "m",
    tables: [{ columns: ["a"], rows: [["<x>"]] }],
    plots: [],
    figures: {},
    data: undefined,
  };
  const run: Run = {
    startedAt: "2026-01-01T00:00:00Z",
    minutes: 3,
    size: "quick",
    machine: { cpu: "c", cores: 2, memoryGiB: 8, kernel: "6", node: "20" },
    commit: "abc",
    contenders: [],
    missing: [{ name: "songbird", why: "no cargo" }],
  };
  const page = htmlReport(run, [section], targets(FIGURES));
  t.true(page.includes("&lt;x&gt;") && page.includes("left out: no cargo"));
  t.notRegex(page, /(src|href)=|@import|url\(/);
});
