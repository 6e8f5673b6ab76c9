// Keeps the dashboard fresh, and draws its plots.

import { EACH_WITH, Live } from "./live.js";
import { drawPlots } from "./plots.js";

// What the socket does not tell, the plots among it, is asked for after a change, though not more often than this.
const BUSY = 5000;
const SOON = 1000;
const PATIENCE = 10000;

const watch = document.querySelector("[data-watch]");
const state = watch.querySelector("[data-state]");
const login = watch.querySelector("[data-login]");
const toggle = watch.querySelector("[data-toggle]");
const sentences = JSON.parse(document.getElementById("crowd-sentences").textContent);
const texts = named("text");
const shown = named("shown");
const tables = named("rows");
const places = new Map([...document.querySelectorAll("[data-queue]")].map(({ dataset }) => [dataset.queue, dataset.place]));
const numbers = new Intl.NumberFormat(document.documentElement.lang || "en");
const plots = document.getElementById("crowd-plots");
const redraw = plots ? drawPlots(JSON.parse(plots.textContent)) : () => {};

const live = new Live({
  at: watch.dataset.socket,
  onMessage: heard,
  onLook: () => asking || ask(),
  onRefused: () => asking || ask(),
  onStatus: () => {
    sayHow();
    plan();
  },
});

let trouble = null;
let paused = false;
let ended = false;
let timer = null;
let asking = null;
let askedAt = performance.now();
let stale = false;

function named(kind) {
  const found = new Map();
  for (const element of document.querySelectorAll(`[data-${kind}]`)) {
    const name = element.dataset[kind];
    found.set(name, [...(found.get(name) ?? []), element]);
  }
  return found;
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(element, visible) {
  if (element.hidden !== visible) return;
  const held = element.contains(document.activeElement);
  element.hidden = !visible;
  // The button that takes its place takes its focus too.
  if (held && !visible) {
    setTimeout(() => element.parentElement.querySelector("button:not([hidden])")?.focus({ preventScroll: true }));
  }
}

function say(name, bad = false) {
  write(state, sentences[name]);
  state.dataset.state = bad ? "bad" : name;
}

// That the numbers follow, or why they may not.
function sayHow() {
  if (trouble) say(trouble, true);
  else if (live.status) say(live.status);
}

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
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
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
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

function update(data) {
  for (const [name, text] of Object.entries(data.texts)) texts.get(name)?.forEach((element) => write(element, text));
  for (const [name, visible] of Object.entries(data.shown)) {
    shown.get(name)?.forEach((element) => show(element, visible));
  }
  for (const [name, rows] of Object.entries(data.rows ?? {})) tables.get(name)?.forEach((body) => fillRows(body, rows));
  if (data.plots) redraw(data.plots);
}

function end(name, offer) {
  ended = true;
  live.stop();
  say(name, true);
  login.hidden = !offer;
  toggle.hidden = true;
}

function wanted() {
  const ids = new URL(watch.dataset.watch, location.href).searchParams.get("ids");
  return ids ? ids.split(",").length : 0;
}

function took(data) {
  update(data);
  trouble = data.queues && data.queues.length < wanted() ? "some_gone" : null;
  sayHow();
}

// What the socket says: the numbers of queues, of which some are on this page.
function heard({ type, queues, complete }) {
  if (type !== "counts") return;
  const before = stale;
  for (const queue of queues) {
    const place = places.get(String(queue.id));
    if (place === undefined) continue;
    for (const [name, text] of Object.entries(written(queue, complete))) {
      texts.get(place + name)?.forEach((element) => {
        stale ||= text === null || element.textContent !== text;
        if (text !== null) write(element, text);
      });
    }
    shown.get(`${place}paused`)?.forEach((element) => show(element, queue.paused));
    shown.get(`${place}running`)?.forEach((element) => show(element, !queue.paused));
  }
  if (stale && !before) plan();
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

async function ask() {
  clearTimeout(timer);
  asking = new AbortController();
  stale = false;
  askedAt = performance.now();
  const { signal } = asking;
  const patience = setTimeout(() => asking?.abort(), PATIENCE);
  try {
    const response = await fetch(watch.dataset.watch, {
      headers: { Accept: "application/json" },
      redirect: "manual",
      cache: "no-store",
      signal,
    });
    if (response.type === "opaqueredirect" || response.status === 401) return end("signed_out", true);
    if (response.status === 403) return end("forbidden", false);
    if (response.status === 404) return end("gone", false);
    if (!response.ok) throw new Error(String(response.status));
    const data = await response.json();
    if (!paused) took(data);
  } catch {
    stale = true;
    if (!paused && !ended && !document.hidden) {
      trouble = "away";
      sayHow();
    }
  } finally {
    clearTimeout(patience);
    asking = null;
    plan();
  }
}

// Without a socket it is live.js that says when to ask.
function plan() {
  clearTimeout(timer);
  if (ended || paused || document.hidden || asking || !live.isLive) return;
  timer = setTimeout(ask, stale ? Math.max(SOON, BUSY - (performance.now() - askedAt)) : EACH_WITH);
}

function start() {
  if (ended || paused || document.hidden) return;
  live.start();
  if (!asking) ask();
}

function stop() {
  live.stop();
  clearTimeout(timer);
  asking?.abort();
}

toggle.addEventListener("click", () => {
  paused = !paused;
  write(toggle, sentences[paused ? "resume" : "pause"]);
  if (paused) {
    stop();
    say("off");
  } else {
    start();
  }
});

// Nobody needs numbers that nobody sees.
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));

toggle.hidden = false;
live.start();
