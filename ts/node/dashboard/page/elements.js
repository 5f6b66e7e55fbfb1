/** Makes and fills elements. Texts become text nodes: nothing that a track or a client says is markup. */

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/** A new element. */
export function element(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** A new element of a drawing. */
export function svg(name, attributes) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, []);
}

/** Sets a text where it is another: what stays is not read out again, and a selection in it stays. */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
