/** The dashboard's page: asks for the password, keeps a WebSocket to the node, draws what it says. */

import { drawPast } from "./charts.js";
import { byId, element, setText } from "./elements.js";
import { drawErrors } from "./errors.js";
import * as model from "./model.js";
import { drawPlayers } from "./players.js";

const RETRY_MS = 2000;
const WRONG_PASSWORD = 4401;

let password = sessionStorage.getItem("cadenza-password") ?? "";
let samples = [];
let socket;

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  password = byId("password").value;
  connect();
});
byId("find").addEventListener("input", ({ target }) => tellFind(target.value));
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
    byId("main").classList.add("old");
    setTimeout(() => opened === socket && connect(), RETRY_MS);
  });
}

function refuse(reason) {
  sessionStorage.removeItem("cadenza-password");
  byId("main").hidden = true;
  byId("login").hidden = false;
  setText(byId("refused"), reason);
  verdict("", "not connected");
}

function tellFind(find) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ find }));
}

/** Shows the players of a guild or bot. */
function lookFor(id) {
  byId("find").value = id;
  tellFind(id);
  byId("who").scrollIntoView();
}

function draw(snapshot) {
  const main = byId("main");
  if (main.hidden || main.classList.contains("old")) {
    sessionStorage.setItem("cadenza-password", password);
    byId("login").hidden = true;
    main.hidden = false;
    main.classList.remove("old");
    const find = byId("find").value;
    if (find !== "") tellFind(find);
  }
  samples = model.addSamples(samples, snapshot.samples);
  drawHead(snapshot);
  drawTiles(snapshot);
  drawPast(samples);
  drawPlayers(snapshot, byId("find").value === "");
  drawErrors(snapshot.errors, lookFor);
}

function verdict(judgement, text) {
  const pill = byId("verdict");
  pill.className = `pill ${judgement}`;
  setText(pill, text);
  document.title = judgement === "good" ? "cadenza" : `${text} · cadenza`;
}

function drawHead({ version, uptime, unready }) {
  setText(byId("about"), `version ${version}, up ${model.duration(uptime)}`);
  const { judgement, words } = model.verdictOn(samples.slice(-10));
  if (unready !== null && judgement !== "bad") return verdict("warn", unready.replace("_", " "));
  verdict(judgement, words);
}

function drawTiles({ players, bots, clients }) {
  const last = samples.at(-1);
  const recent = samples.slice(-60);
  const sum = (of) => recent.reduce((total, sample) => total + of(sample), 0);
  const late = sum((sample) => sample.late);
  const errors = sum((sample) => sample.errors);
  const tiles = [
    ["Playing", players.playing, `${players.paused} paused, ${players.idle} idle`, ""],
    ["Bots", bots, clients === bots ? "all connected" : `${clients} connected`, ""],
    ["Late packets", late, "in the last minute", late > 0 ? "warn" : ""],
    ["Errors", errors, "in the last minute", errors > 0 ? "warn" : ""],
    ["Load", last ? model.percent(last.load.total) : "–", last ? model.mostly(last.load) : "", ""],
    [
      "Memory",
      last ? model.megabytes(last.memory) : "–",
      last ? `${last.cores.toFixed(2)} cores` : "",
      "",
    ],
  ];
  byId("tiles").replaceChildren(
    ...tiles.map(([name, value, note, judgement]) =>
      element(
        "div",
        {},
        element("span", {}, name),
        element("strong", { class: judgement }, String(value)),
        element("small", {}, note),
      ),
    ),
  );
}
