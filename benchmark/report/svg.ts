/** Plots as SVG: lines over linear or logarithmic axes, and bars with their spread. */

import type { Plot, Series } from "../experiments/experiment.ts";

const WIDTH = 760;
const HEIGHT = 380;
const LEFT = 74;
const RIGHT = 16;
const TOP = 16;
const BOTTOM = 46;
const BAR_HEIGHT = 26;
const BAR_LEFT = 300;

type Scale = "log" | "linear";

/** An axis: from values to places. */
interface Axis {
  at: (value: number) => number;
  ticks: number[];
}

/** A plot with its legend, without its title. */
export function svg(plot: Plot): string {
  return plot.kind === "bars" ? bars(plot) : lines(plot);
}

function lines(plot: Extract<Plot, { kind: "lines" }>): string {
  const points = plot.series.flatMap((series) => series.points);
  if (points.length === 0) return "";
  const marks = plot.mark ? [plot.mark.y] : [];
  const xs = points.map(([x]) => x);
  const ys = [...points.map(([, y]) => y), ...marks];
  const x = axis(xs, plot.x.scale, LEFT, WIDTH - RIGHT);
  const y = axis(ys, plot.y.scale, HEIGHT - BOTTOM, TOP);
  const grid = [
    ...x.ticks.map(
      (tick) =>
        `<line class="grid" x1="${px(x.at(tick))}" x2="${px(x.at(tick))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>` +
        `<text class="tick" x="${px(x.at(tick))}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${format(tick)}</text>`,
    ),
    ...y.ticks.map(
      (tick) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(y.at(tick))}" y2="${px(y.at(tick))}"/>` +
        `<text class="tick" x="${LEFT - 8}" y="${px(y.at(tick) + 4)}" text-anchor="end">${format(tick)}</text>`,
    ),
  ];
  const mark = plot.mark
    ? `<line class="mark" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(y.at(plot.mark.y))}" y2="${px(y.at(plot.mark.y))}"/>` +
      `<text class="tick" x="${WIDTH - RIGHT}" y="${px(y.at(plot.mark.y) - 5)}" text-anchor="end">${escapeText(plot.mark.label)}</text>`
    : "";
  const labels =
    `<text class="label" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${escapeText(plot.x.label)}</text>` +
    `<text class="label" transform="translate(16 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">${escapeText(plot.y.label)}</text>`;
  const drawn = plot.series.map((series, at) => line(series, at, x, y));
  return frame(HEIGHT, [...grid, mark, labels, ...drawn].join("")) + legend(plot.series);
}

function line(series: Series, at: number, x: Axis, y: Axis): string {
  const path = series.points.map(([a, b]) => `${px(x.at(a))},${px(y.at(b))}`).join(" ");
  const dots =
    series.points.length > 40
      ? ""
      : series.points
          .map(
            ([a, b]) =>
              `<circle class="s${at % 8}" cx="${px(x.at(a))}" cy="${px(y.at(b))}" r="3"/>`,
          )
          .join("");
  return `<polyline class="s${at % 8}" points="${path}"><title>${escapeText(series.label)}</title></polyline>${dots}`;
}

function bars(plot: Extract<Plot, { kind: "bars" }>): string {
  const most = Math.max(...plot.bars.map(({ spread }) => spread.max), 0);
  if (most <= 0) return "";
  const width = (value: number): number => ((WIDTH - BAR_LEFT - 90) * value) / most;
  const rows = plot.bars.map(({ label, spread }, at) => {
    const y = TOP + at * BAR_HEIGHT;
    const middle = y + BAR_HEIGHT / 2;
    const { median, min, max } = spread;
    return (
      `<text class="label" x="${BAR_LEFT - 8}" y="${middle + 4}" text-anchor="end">${escapeText(label)}</text>` +
      `<rect class="s${at % 8}" x="${BAR_LEFT}" y="${y + 5}" width="${px(width(median))}" height="${BAR_HEIGHT - 10}" rx="2"/>` +
      `<line class="spread" x1="${px(BAR_LEFT + width(min))}" x2="${px(BAR_LEFT + width(max))}" y1="${middle}" y2="${middle}"/>` +
      `<text class="tick" x="${px(BAR_LEFT + width(max) + 8)}" y="${middle + 4}">${median.toPrecision(3)} ${escapeText(plot.unit)}</text>`
    );
  });
  return frame(TOP * 2 + plot.bars.length * BAR_HEIGHT, rows.join(""));
}

function axis(values: readonly number[], scale: Scale, from: number, to: number): Axis {
  const least = Math.min(...values);
  const most = Math.max(...values);
  if (scale === "log") {
    const low = Math.floor(Math.log10(least));
    const high = Math.max(low + 1, Math.ceil(Math.log10(most)));
    const ticks = Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
    return {
      ticks,
      at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from),
    };
  }
  const step = niceStep(most / 6);
  const high = Math.max(step, Math.ceil(most / step) * step);
  const ticks = Array.from({ length: Math.round(high / step) + 1 }, (_, at) => at * step);
  return { ticks, at: (value) => from + (value / high) * (to - from) };
}

/** The next of 1, 2 and 5 times a power of ten. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1e-9)));
  return ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
}

function frame(height: number, content: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img">${content}</svg>`;
}

function legend(series: readonly Series[]): string {
  const entries = series.map(
    ({ label }, at) => `<span><i class="s${at % 8}"></i>${escapeText(label)}</span>`,
  );
  return `<p class="legend">${entries.join("")}</p>`;
}

function format(value: number): string {
  if (value >= 1000) return `${value / 1000}k`;
  return String(Number(value.toPrecision(3)));
}

function px(value: number): string {
  return value.toFixed(1);
}

/** Text as it may stand in HTML and SVG. */
export function escapeText(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
