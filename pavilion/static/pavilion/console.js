// Keeps the console of a session fresh: what board.js does, and the rows of its tables, which come as HTML.

import { Board, keepFocus, named } from "../assignments/board.js";

// The socket says that something changed, twice a second at most.
const BUSY = 1000;
const SOON = 50;
const WITHOUT = 5000;

const bodies = named("body");

function parsed(html) {
  const template = document.createElement("template");
  template.innerHTML = `<table><tbody>${html}</tbody></table>`;
  return [...template.content.querySelectorAll("tr")];
}

// Rows are known by their key: one that stays is the same element. One that is fixed is never written anew.
function fill(body, html) {
  const old = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  parsed(html).forEach((fresh, place) => {
    const known = old.get(fresh.dataset.key);
    old.delete(fresh.dataset.key);
    if (known && !("fixed" in known.dataset)) renew(known, fresh);
    const row = known ?? fresh;
    if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
  });
  old.forEach((row) => row.remove());
}

// Cell by cell, so that a link that has the focus keeps it where only a number has changed.
function renew(row, fresh) {
  [...fresh.cells].forEach((cell, column) => {
    if (!row.cells[column].isEqualNode(cell)) row.cells[column].replaceWith(cell);
  });
}

function took(data) {
  for (const [name, html] of Object.entries(data.bodies)) {
    bodies.get(name)?.forEach((body) => keepFocus(body, () => fill(body, html)));
  }
  return null;
}

new Board({
  heard: ({ type }, board) => type === "changed" && board.changed(),
  took,
  soon: SOON,
  busy: BUSY,
  without: WITHOUT,
});
