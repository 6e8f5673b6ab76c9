// Keeps the dashboard fresh, and draws its plots.

import { drawPlots } from "./plots.js";

const BUSY = 5000;
const QUIET = 15000;
const PATIENCE = 10000;
const QUIET_AFTER = 3;

const watch = document.querySelector("[data-watch]");
const state = watch.querySelector("[data-state]");
const login = watch.querySelector("[data-login]");
const toggle = watch.querySelector("[data-toggle]");
const sentences = JSON.parse(document.getElementById("crowd-sentences").textContent);
const texts = places("text");
const shown = places("shown");
const tables = places("rows");
const plots = document.getElementById("crowd-plots");
const redraw = plots ? drawPlots(JSON.parse(plots.textContent)) : () => {};

let latest = Number(watch.dataset.latest);
let unchanged = 0;
let paused = false;
let ended = false;
let timer = null;
let asking = null;

function places(kind) {
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
  state.dataset.state = bad ? "bad" : "";
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
  say(name, true);
  login.hidden = !offer;
  toggle.hidden = true;
}

function wanted() {
  const ids = new URL(watch.dataset.watch, location.href).searchParams.get("ids");
  return ids ? ids.split(",").length : 0;
}

function took(data) {
  unchanged = data.latest === latest ? unchanged + 1 : 0;
  latest = data.latest;
  update(data);
  const fewer = data.queues && data.queues.length < wanted();
  say(fewer ? "some_gone" : "on", fewer);
}

async function ask() {
  asking = new AbortController();
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
    unchanged = 0;
    if (!paused && !document.hidden) say("away", true);
  } finally {
    clearTimeout(patience);
    asking = null;
    plan();
  }
}

function plan() {
  clearTimeout(timer);
  if (ended || paused || document.hidden || asking) return;
  timer = setTimeout(ask, unchanged >= QUIET_AFTER ? QUIET : BUSY);
}

function stop() {
  clearTimeout(timer);
  asking?.abort();
}

toggle.addEventListener("click", () => {
  paused = !paused;
  write(toggle, sentences[paused ? "resume" : "pause"]);
  say(paused ? "off" : "on");
  if (paused) stop();
  else if (!asking) ask();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) stop();
  else if (!ended && !paused && !asking) ask();
});

window.addEventListener("online", () => {
  if (!ended && !paused && !asking) ask();
});

toggle.hidden = false;
say("on");
plan();
