/** What clients were told of errors, newest first; the same one in a row is one line. */

import { byId, element, setText } from "./elements.js";
import * as model from "./model.js";

/** Lines that are shown until more are asked for. */
const FEW = 6;

let shown = [];
let all = false;

byId("errors-more").addEventListener("click", () => {
  all = !all;
  draw();
});

/** Draws the errors that a snapshot has. `find` is called with the id of a guild or bot that is to be looked at. */
export function drawErrors(errors, find) {
  shown = model.groupErrors(errors).map((group) => ({ ...group, find }));
  setText(byId("errors-count"), errors.length === 0 ? "" : String(errors.length));
  draw();
}

function draw() {
  const lines = all ? shown : shown.slice(0, FEW);
  const none = element("li", { class: "empty" }, "None so far.");
  // Under the pointer or the focus nothing is exchanged: a click would miss.
  if (!byId("errors").matches(":hover, :focus-within")) {
    byId("errors").replaceChildren(...(lines.length > 0 ? lines.map(line) : [none]));
  }
  const more = byId("errors-more");
  more.hidden = shown.length <= FEW;
  setText(more, all ? "Show fewer" : `Show all ${shown.length}`);
}

function line({ at, kind, code, message, guild_id, user_id, times, find }) {
  const isBot = guild_id === null;
  const id = isBot ? user_id : guild_id;
  const place = element(
    "button",
    { type: "button", class: "link" },
    isBot ? `bot ${id}` : `guild ${id}`,
  );
  place.addEventListener("click", () => find(id));
  const often = times > 1 ? [element("span", { class: "badge" }, `${times} times`)] : [];
  return element(
    "li",
    {},
    element("time", {}, model.time(at)),
    element("code", {}, code),
    ...often,
    element("p", {}, `${kind}: ${message}`),
    place,
  );
}
