/** The last ten minutes: a strip of moments, good to bad, and charts that share a cursor with it. */

import { byId, element, setText, svg } from "./elements.js";
import * as model from "./model.js";

const WIDTH = 600;
const HEIGHT = 100;
/** Of a second that was bad; wider than a second, so that a single one is seen on a phone. */
const MARK_WIDTH = 5;
/** How much of the strip's height a moment takes: told without colours, too. */
const BAR_HEIGHTS = { good: 30, warn: 65, bad: 100 };

/** `lines` are drawn over each other; the first is the one whose value is told. */
const CHARTS = [
  {
    title: "Lateness",
    note: "99 of 100 packets within",
    lines: [(sample) => (sample.p99 === null ? 200 : sample.p99)],
    least: 5,
    show: (value) => (value >= 200 ? "over 100 ms" : `${value} ms`),
  },
  {
    title: "Late packets",
    note: "more than 20 ms",
    lines: [(sample) => (sample.packets === 0 ? 0 : (sample.late / sample.packets) * 100)],
    least: 1,
    show: (value) => `${model.short(value)} %`,
  },
  {
    title: "Queue",
    note: "fewest frames ahead, and the median",
    lines: [(sample) => sample.queue_min, (sample) => sample.queue_median],
    least: 10,
    show: (value) => `${value} frames`,
  },
  {
    title: "Machine load",
    note: "of what it carries",
    lines: [(sample) => sample.load.total * 100],
    least: 100,
    show: (value) => `${Math.round(value)} %`,
  },
];

let samples = [];
/** Time of the moment that is looked at; undefined is now. */
let lookedAt;
const drawn = CHARTS.map(makeChart);

byId("charts").append(...drawn.map(({ figure }) => figure));
byId("moment").addEventListener("input", ({ target }) => look(Number(target.value)));

/** Draws what was. */
export function drawPast(kept) {
  samples = kept;
  if (lookedIndex() === -1) lookedAt = undefined;
  const places = model.span(samples.length);
  const range = byId("moment");
  range.max = String(places - 1);
  range.value = String(places - samples.length + lookedIndex());
  drawStrip();
  for (const [index, chart] of CHARTS.entries()) drawChart(chart, drawn[index]);
  tellMoment();
}

/** The range is as long as what is drawn; before the first sample there is nothing to look at. */
function look(place) {
  const index = Math.max(0, place - model.span(samples.length) + samples.length);
  lookedAt = index >= samples.length - 1 ? undefined : samples[index]?.at;
  drawPast(samples);
}

function lookedIndex() {
  if (lookedAt === undefined) return samples.length - 1;
  return samples.findIndex(({ at }) => at === lookedAt);
}

function drawStrip() {
  const bars = model.buckets(samples);
  const drawing = byId("strip").querySelector("svg");
  drawing.setAttribute("viewBox", `0 0 ${bars.length} 100`);
  const made = bars.flatMap((judgement, x) => {
    if (judgement === undefined) return [];
    const height = BAR_HEIGHTS[judgement];
    return [svg("rect", { class: judgement, x: x + 0.1, y: 100 - height, width: 0.8, height })];
  });
  drawing.replaceChildren(...made);
  setText(byId("past-note"), model.pastInWords(samples));
}

function tellMoment() {
  const sample = samples[lookedIndex()];
  const when = lookedAt === undefined ? "Now" : model.time(lookedAt);
  const text = sample ? `${when}: ${model.moment(sample)}` : "";
  setText(byId("moment-text"), text);
  byId("moment").setAttribute("aria-valuetext", text);
}

function makeChart({ title, note, lines }) {
  const drawing = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
  });
  const output = element("output", {});
  const top = element("span", {});
  const since = element("span", {});
  const marks = svg("g", {});
  const cursor = svg("line", { class: "cursor", y1: 0, y2: HEIGHT });
  const paths = lines.map((_, index) => svg("path", { class: index === 0 ? "main" : "second" }));
  drawing.append(marks, svg("line", { class: "half", x2: WIDTH, y1: 50, y2: 50 }));
  drawing.append(...[...paths].reverse(), cursor);
  const figure = element(
    "figure",
    {},
    element("figcaption", {}, element("b", {}, title), output),
    element("div", { class: "axis" }, element("span", {}, note), top),
    drawing,
    element("div", { class: "axis" }, since, element("span", {}, "now")),
  );
  return { figure, drawing, output, top, since, marks, cursor, paths };
}

function drawChart({ title, lines, least, show }, parts) {
  const places = model.span(samples.length);
  const values = lines.map((of) => samples.map(of));
  const largest = Math.max(0, ...values.flat());
  const top = model.niceTop(largest, least);
  for (const [index, path] of parts.paths.entries()) {
    path.setAttribute("d", model.line(values[index], WIDTH, HEIGHT, top, places));
  }
  const step = WIDTH / (places - 1);
  const xOf = (index) => WIDTH - (samples.length - 1 - index) * step;
  const looked = lookedIndex();
  const value = values[0][looked] ?? null;
  setText(parts.output, value === null ? "–" : show(value));
  setText(parts.top, show(top));
  setText(parts.since, `${model.duration(places * 1000)} ago`);
  parts.drawing.setAttribute(
    "aria-label",
    `${title}: ${parts.output.textContent}, at most ${show(largest)}`,
  );
  parts.cursor.setAttribute("x1", xOf(looked));
  parts.cursor.setAttribute("x2", xOf(looked));
  parts.marks.replaceChildren(
    ...samples.flatMap((sample, index) => {
      const judgement = model.judge(sample);
      if (judgement === "good") return [];
      const x = xOf(index) - MARK_WIDTH / 2;
      return [svg("rect", { class: judgement, x, y: 0, width: MARK_WIDTH, height: HEIGHT })];
    }),
  );
}
