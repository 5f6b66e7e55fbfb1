/** The dashboard's page: asks for the password, keeps a WebSocket to the node, draws what it says. */

import * as model from "./model.js";

const CHARTS = [
  {
    title: "Late packets",
    of: (sample) => (sample.packets === 0 ? 0 : (sample.late / sample.packets) * 100),
    least: 1,
    show: (value) => `${value.toFixed(2)} %`,
  },
  {
    title: "Lateness, 99 of 100 within",
    of: (sample) => sample.p99 ?? 200,
    least: 5,
    show: (value) => (value >= 200 ? "> 100 ms" : `${value} ms`),
  },
  {
    title: "Queue, fewest frames",
    of: (sample) => sample.queue_min,
    least: 10,
    show: (value) => `${value} frames`,
  },
  {
    title: "Queue, median",
    of: (sample) => sample.queue_median,
    least: 10,
    show: (value) => `${value} frames`,
  },
  {
    title: "Machine load",
    of: (sample) => sample.load.total * 100,
    least: 100,
    show: (value) => `${Math.round(value)} %`,
  },
  { title: "Playing", of: (sample) => sample.playing, least: 10, show: String },
];
const WIDTH = 600;
const HEIGHT = 80;
/** Of a second that was bad; wider than a second, so that a single one is seen on a phone. */
const MARK_WIDTH = 6;
/** Seconds of a player that are drawn. */
const PLAYER_SECONDS = 60;
const RETRY_MS = 2000;
const WRONG_PASSWORD = 4401;

const byId = (id) => document.getElementById(id);
let password = sessionStorage.getItem("cadenza-password") ?? "";
let samples = [];
let socket;
/** Queue depths and late packets of the players that are shown, over time. */
let histories = new Map();

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  password = byId("password").value;
  connect();
});
byId("find").addEventListener("input", (event) => {
  socket?.send(JSON.stringify({ find: event.target.value }));
});
if (password !== "") connect();

function connect() {
  socket?.close();
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const opened = new WebSocket(`${scheme}//${location.host}/v1/dashboard`);
  socket = opened;
  opened.addEventListener("open", () => opened.send(JSON.stringify({ password })));
  opened.addEventListener("message", ({ data }) => {
    if (opened === socket) draw(JSON.parse(data));
  });
  opened.addEventListener("close", ({ code, reason }) => {
    if (opened !== socket) return;
    if (code === WRONG_PASSWORD) return refuse(reason);
    verdict("bad", "node not reached");
    setTimeout(() => opened === socket && connect(), RETRY_MS);
  });
}

function refuse(reason) {
  sessionStorage.removeItem("cadenza-password");
  byId("main").hidden = true;
  byId("login").hidden = false;
  byId("refused").textContent = reason;
  verdict("", "not connected");
}

function draw(snapshot) {
  if (byId("main").hidden) {
    sessionStorage.setItem("cadenza-password", password);
    byId("login").hidden = true;
    byId("main").hidden = false;
    const find = byId("find").value;
    if (find !== "") socket.send(JSON.stringify({ find }));
  }
  samples = model.addSamples(samples, snapshot.samples);
  drawHead(snapshot);
  drawTiles(snapshot);
  byId("charts").replaceChildren(...CHARTS.map(chart));
  drawPlayers(snapshot);
  byId("errors").replaceChildren(...snapshot.errors.map(errorItem));
}

function verdict(judgement, text) {
  const pill = byId("verdict");
  pill.className = `pill ${judgement}`;
  pill.textContent = text;
  document.title = judgement === "good" ? "cadenza" : `${text} · cadenza`;
}

function drawHead({ version, uptime, unready }) {
  byId("about").textContent = `version ${version}, up ${model.duration(uptime)}`;
  const judgement = model.worst(samples.slice(-10).map(model.judge));
  const words = { good: "all in time", warn: "close to late", bad: "sound suffers" };
  if (unready !== null && judgement !== "bad") return verdict("warn", unready.replace("_", " "));
  verdict(judgement, words[judgement]);
}

function drawTiles({ players, bots, clients, errors }) {
  const last = samples.at(-1);
  const recent = samples.slice(-60);
  const lateNow = recent.reduce((sum, { late }) => sum + late, 0);
  const errorsNow = recent.reduce((sum, sample) => sum + sample.errors, 0);
  const tiles = [
    ["playing", players.playing, `${players.paused} paused, ${players.idle} idle`, ""],
    ["bots", bots, `${clients} connected`, ""],
    ["late packets", lateNow, "in the last minute", lateNow > 0 ? "warn" : ""],
    [
      "machine load",
      last ? model.percent(last.load.total) : "–",
      last ? largest(last.load) : "",
      "",
    ],
    ["processor", last ? last.cores.toFixed(2) : "–", "cores", ""],
    ["memory", last ? model.megabytes(last.memory) : "–", "", ""],
    [
      "errors",
      errorsNow,
      `in the last minute; ${errors.length} below`,
      errorsNow > 0 ? "warn" : "",
    ],
  ];
  byId("tiles").replaceChildren(
    ...tiles.map(([name, value, note, judgement]) =>
      element(
        "div",
        {},
        name,
        element("strong", { class: judgement }, value),
        element("small", {}, note),
      ),
    ),
  );
}

function largest({ pacer, decoding, processor }) {
  const shares = Object.entries({ sending: pacer, decoding, processor });
  return `mostly ${shares.sort(([, a], [, b]) => b - a)[0][0]}`;
}

function chart({ title, of, least, show }) {
  const values = samples.map(of);
  const top = model.niceTop(Math.max(0, ...values), least);
  const last = values.at(-1) ?? null;
  const places = model.MAX_SAMPLES;
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" });
  const step = WIDTH / (places - 1);
  samples.forEach((sample, at) => {
    const judgement = model.judge(sample);
    if (judgement === "good") return;
    const x = WIDTH - (samples.length - at) * step - MARK_WIDTH / 2;
    drawing.append(svg("rect", { class: judgement, x, y: 0, width: MARK_WIDTH, height: HEIGHT }));
  });
  drawing.append(svg("path", { d: model.line(values, WIDTH, HEIGHT, top, places) }));
  const caption = element(
    "figcaption",
    {},
    title,
    element("output", {}, last === null ? "–" : show(last)),
  );
  return element("figure", {}, caption, drawing);
}

function drawPlayers({ rows, found }) {
  byId("count").textContent = found > rows.length ? `${rows.length} of ${found}` : `${found}`;
  const before = histories;
  histories = new Map();
  const cards = rows.map((row) => {
    const key = `${row.user_id} ${row.guild_id}`;
    const known = before.get(key) ?? [];
    const history = [...known, { queue: row.queue, late: row.packets_late }].slice(-PLAYER_SECONDS);
    histories.set(key, history);
    return card(row, history);
  });
  byId("players").replaceChildren(...cards);
}

function card(row, history) {
  const { title, source, standing, state, position, length, queue, packets_late, ping } = row;
  const call = state === "ready" ? "" : `, voice ${state.replaceAll("_", " ")}`;
  const where =
    length === null ? model.clock(position) : `${model.clock(position)} of ${model.clock(length)}`;
  const progress =
    length === null || standing === "idle"
      ? []
      : [element("progress", { max: length, value: position })];
  const facts = [
    queue === null ? [] : `${queue} frames ahead`,
    `${packets_late} late (${packets_late - history[0].late} in the last minute)`,
    ping === null ? [] : `ping ${Math.round(ping)} ms`,
  ].flat();
  const queues = history.map((moment) => moment.queue);
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} 24`, preserveAspectRatio: "none" });
  const top = model.niceTop(Math.max(0, ...queues), 10);
  drawing.append(svg("path", { d: model.line(queues, WIDTH, 24, top, PLAYER_SECONDS) }));
  return element(
    "article",
    { class: model.judgePlayer(row) },
    element("b", { title: source ?? "" }, title ?? source ?? "nothing"),
    element("span", {}, standing === "idle" ? `idle${call}` : `${standing} ${where}${call}`),
    ...progress,
    element("small", {}, facts.join(" · ")),
    drawing,
    element("small", {}, `guild ${row.guild_id} · bot ${row.user_id}`),
  );
}

function errorItem({ at, kind, code, message, guild_id, user_id }) {
  const place = guild_id === null ? `bot ${user_id}` : `guild ${guild_id}`;
  const time = new Date(at).toLocaleTimeString();
  return element(
    "li",
    {},
    `${time} `,
    element("code", {}, code),
    ` ${kind}: ${message} `,
    element("small", {}, place),
  );
}

/** Texts become text nodes: nothing that a track or a client says is markup. */
function element(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, []);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
