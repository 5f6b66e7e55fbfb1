/** A card for each player: what plays, how far, from where, and how its queue was in the last minute. */

import { byId, element, setText, svg } from "./elements.js";
import * as model from "./model.js";

const WIDTH = 600;
const HEIGHT = 30;
/** Seconds of a player that are drawn. */
const PLAYER_SECONDS = 60;

/** Queue depths and late packets of the players that are shown, over time. */
let histories = new Map();

/** Draws the players that a snapshot has. */
export function drawPlayers({ rows, found, bots }, findsAll) {
  const before = histories;
  histories = new Map();
  const cards = rows.map((row) => {
    const key = `${row.user_id} ${row.guild_id}`;
    const known = before.get(key) ?? [];
    const history = [...known, { queue: row.queue, late: row.packets_late }].slice(-PLAYER_SECONDS);
    histories.set(key, history);
    return card(row, history, bots > 1);
  });
  const bad = cards.filter(({ className }) => className === "bad").length;
  const number = found > rows.length ? `${rows.length} of ${found}` : `${found}`;
  setText(byId("count"), bad > 0 ? `${number}, ${bad} in trouble` : number);
  const nobody = findsAll ? "No bot has a player here yet." : "No player fits.";
  byId("players").replaceChildren(
    ...(cards.length > 0 ? cards : [element("p", { class: "empty" }, nobody)]),
  );
}

function card(row, history, namesBot) {
  const { title, source, standing, guild_id, user_id } = row;
  const { judgement, words } = model.judgePlayer(row, history);
  const name = title ?? (source === null ? undefined : source.split("/").at(-1));
  const idle = standing === "idle";
  const head = element(
    "header",
    {},
    element("b", { title: source ?? "" }, name ?? "nothing to play"),
    element("span", { class: "badge" }, words),
  );
  const bot = namesBot ? [element("span", {}, `bot ${user_id}`)] : [];
  const place = element(
    "small",
    { class: "ids" },
    element("span", {}, `guild ${guild_id}`),
    ...bot,
  );
  const body = idle ? [] : [...progress(row), element("small", { class: "source" }, source ?? "")];
  const queue = idle ? [] : [sparkline(history)];
  const facts = element("small", {}, factsOf(row, history).join(" · "));
  return element("article", { class: judgement }, head, ...body, facts, ...queue, place);
}

function progress({ position, length }) {
  const at = element("span", {}, model.clock(position));
  if (length === null) return [element("div", { class: "position" }, at)];
  const bar = element("progress", { max: length, value: position, "aria-label": "Position" });
  const end = element("span", {}, model.clock(length));
  return [element("div", { class: "position" }, at, bar, end)];
}

function factsOf({ queue, packets_late, ping }, history) {
  const recent = packets_late - history[0].late;
  return [
    queue === null ? [] : `${queue} frames ahead`,
    `${packets_late} late${recent > 0 ? `, ${recent} in the last minute` : ""}`,
    ping === null ? [] : `ping ${Math.round(ping)} ms`,
  ].flat();
}

/** The queue as a line, and a mark where packets were late. */
function sparkline(history) {
  const queues = history.map(({ queue }) => queue);
  const drawing = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    preserveAspectRatio: "none",
    role: "img",
    "aria-label": "Frames ahead in the last minute",
  });
  const step = WIDTH / (PLAYER_SECONDS - 1);
  for (const [index, { late }] of history.entries()) {
    if (index === 0 || late === history[index - 1].late) continue;
    const x = WIDTH - (history.length - 1 - index) * step - step / 2;
    drawing.append(svg("rect", { class: "bad", x, y: 0, width: step, height: HEIGHT }));
  }
  const top = model.niceTop(Math.max(0, ...queues), 10);
  const d = model.line(queues, WIDTH, HEIGHT, top, PLAYER_SECONDS);
  drawing.append(svg("path", { class: "main", d }));
  return drawing;
}
