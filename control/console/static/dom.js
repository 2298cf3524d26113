/* Small helpers for building the page; text is always set as text. */

/** Return a new element: `make("td", {class: "number"}, "12")`; children are elements or text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Return the page's element of this id. */
export const at = (id) => document.getElementById(id);

/** Return a table row: cells as text, elements, or `[text, class]`. */
export function row(...cells) {
  return make("tr", {}, ...cells.map((cell) => (Array.isArray(cell) ? make("td", { class: cell[1] }, cell[0]) : make("td", {}, cell))));
}

/** Put rows into a table's body, or one that says that there is none. */
export function fill(body, rows, none) {
  const columns = body.closest("table").tHead.rows[0].cells.length;
  body.replaceChildren(...(rows.length ? rows : [make("tr", {}, make("td", { colspan: columns, class: "quiet" }, none))]));
}

/** Say what went wrong where everybody sees it; empty when all is well. */
export function complain(error) {
  at("problem").textContent = error ? (error.code ? `${error.message} (${error.code})` : error.message) : "";
}

/** Return a time of day, from seconds since the epoch. */
export const clock = (seconds) => (seconds ? new Date(seconds * 1000).toLocaleTimeString() : "");

/** Return a length of time in words as short as `2 m 05 s`. */
export function lasting(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  return minutes < 60 ? `${minutes} m ${String(rest).padStart(2, "0")} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} m`;
}
