// Keeps the dashboard fresh: what board.js does, the rows of its tables, and what the operators' socket counts.

import { Board, keepFocus, named, show, write } from "./board.js";

// What the socket does not tell, the plots among it, is asked for after a change, though not more often than this.
const BUSY = 5000;
const SOON = 1000;

const watch = document.querySelector("[data-watch]");
const tables = named("rows");
const places = new Map([...document.querySelectorAll("[data-queue]")].map(({ dataset }) => [dataset.queue, dataset.place]));
const numbers = new Intl.NumberFormat(document.documentElement.lang || "en");

function fillCell(td, cell) {
  let link = td.querySelector("a");
  if (!cell.href) {
    write(td, cell.text);
    return;
  }
  if (!link) {
    link = document.createElement("a");
    td.replaceChildren(link);
  }
  if (link.getAttribute("href") !== cell.href) link.setAttribute("href", cell.href);
  write(link, cell.text);
}

// Rows are known by their key: one that stays is the same element, so focus and selection stay with it.
function fillRows(body, rows) {
  const old = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  rows.forEach((row, place) => {
    const key = String(row.key);
    const tr = old.get(key) ?? document.createElement("tr");
    old.delete(key);
    tr.dataset.key = key;
    row.cells.forEach((cell, column) => fillCell(tr.cells[column] ?? tr.insertCell(), cell));
    if (body.rows[place] !== tr) body.insertBefore(tr, body.rows[place] ?? null);
  });
  old.forEach((tr) => tr.remove());
}

function wanted() {
  const ids = new URL(watch.dataset.watch, location.href).searchParams.get("ids");
  return ids ? ids.split(",").length : 0;
}

function took(data) {
  for (const [name, rows] of Object.entries(data.rows ?? {})) {
    tables.get(name)?.forEach((body) => keepFocus(body, () => fillRows(body, rows)));
  }
  return data.queues && data.queues.length < wanted() ? "some_gone" : null;
}

// What the socket says: the numbers of queues, of which some are on this page.
function heard({ type, queues, complete }, board) {
  if (type !== "counts") return;
  let stale = false;
  for (const queue of queues) {
    const place = places.get(String(queue.id));
    if (place === undefined) continue;
    for (const [name, text] of Object.entries(written(queue, complete))) {
      board.texts.get(place + name)?.forEach((element) => {
        stale ||= text === null || element.textContent !== text;
        if (text !== null) write(element, text);
      });
    }
    board.shown.get(`${place}paused`)?.forEach((element) => show(element, queue.paused));
    board.shown.get(`${place}running`)?.forEach((element) => show(element, !queue.paused));
  }
  if (stale) board.changed();
}

// The numbers of a queue, as the server writes them into the page; null where the page may have counted further.
function written({ available, assigned, scheduled, hour, today }, complete) {
  const depth = ({ number, more }) => (more ? null : numbers.format(number));
  const sum = (value) => (complete ? "" : "≥ ") + numbers.format(value);
  return {
    available: depth(available),
    assigned: depth(assigned),
    scheduled: depth(scheduled),
    answered: sum(hour.answered),
    lapsed: sum(hour.lapsed),
    skipped: sum(hour.skipped),
    today: numbers.format(today),
  };
}

new Board({ heard, took, soon: SOON, busy: BUSY });
