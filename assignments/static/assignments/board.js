// Keeps a page of numbers fresh: texts, what is shown, plots, and whatever else the page itself fills in.

import { EACH_WITH, Live } from "./live.js";
import { drawPlots } from "./plots.js";

const PATIENCE = 10000;

const watch = document.querySelector("[data-watch]");
const state = watch.querySelector("[data-state]");
const login = watch.querySelector("[data-login]");
const toggle = watch.querySelector("[data-toggle]");
const sentences = JSON.parse(document.getElementById("crowd-sentences").textContent);
const plots = document.getElementById("crowd-plots");

/** Name → the elements that carry it in `data-<kind>`. */
export function named(kind) {
  const found = new Map();
  for (const element of document.querySelectorAll(`[data-${kind}]`)) {
    const name = element.dataset[kind];
    found.set(name, [...(found.get(name) ?? []), element]);
  }
  return found;
}

export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
  if (element.hidden !== visible) return;
  const held = element.contains(document.activeElement);
  element.hidden = !visible;
  // The button that takes its place takes its focus too.
  if (held && !visible) {
    setTimeout(() => element.parentElement.querySelector("button:not([hidden])")?.focus({ preventScroll: true }));
  }
}

/** Whatever `fill` does to an element, what is left of the focus stays where it was. */
export function keepFocus(element, fill) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  fill();
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

export class Board {
  /**
   * `heard(message, board)`: what the socket says. `took(data)`: a refresh has come and its texts are written; the
   * answer names the sentence of what is wrong with it, or is null. Asked after a change `soon` ms later, and not more
   * often than each `busy` ms; without a socket each `without` ms, or as often as live.js looks.
   */
  constructor({ heard, took, soon, busy, without = null }) {
    Object.assign(this, { took, soon, busy, without });
    this.texts = named("text");
    this.shown = named("shown");
    this.redraw = plots ? drawPlots(JSON.parse(plots.textContent)) : () => {};
    this.trouble = null;
    this.paused = false;
    this.ended = false;
    this.stale = false;
    this.timer = null;
    this.asking = null;
    this.askedAt = performance.now();
    this.live = new Live({
      at: watch.dataset.socket,
      onMessage: (message) => heard(message, this),
      onLook: () => this.asking || this.#ask(),
      onRefused: () => this.asking || this.#ask(),
      onStatus: () => {
        this.#sayHow();
        this.#plan();
      },
    });
    toggle.addEventListener("click", () => this.#toggle());
    // Nobody needs numbers that nobody sees.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#stop() : this.#start()));
    toggle.hidden = false;
    this.live.start();
  }

  /** Something has changed that is not on the page yet. */
  changed() {
    const before = this.stale;
    this.stale = true;
    if (!before) this.#plan();
  }

  #say(name, bad = false) {
    write(state, sentences[name]);
    state.dataset.state = bad ? "bad" : name;
  }

  // That the numbers follow, or why they may not.
  #sayHow() {
    if (this.trouble) this.#say(this.trouble, true);
    else if (this.live.status) this.#say(this.live.status);
  }

  #update(data) {
    for (const [name, text] of Object.entries(data.texts)) {
      this.texts.get(name)?.forEach((element) => write(element, text));
    }
    for (const [name, visible] of Object.entries(data.shown)) {
      this.shown.get(name)?.forEach((element) => show(element, visible));
    }
    this.trouble = this.took(data);
    if (data.plots) this.redraw(data.plots);
    this.#sayHow();
  }

  #end(name, offer) {
    this.ended = true;
    this.live.stop();
    this.#say(name, true);
    login.hidden = !offer;
    toggle.hidden = true;
  }

  async #ask() {
    clearTimeout(this.timer);
    this.asking = new AbortController();
    this.stale = false;
    this.askedAt = performance.now();
    const { signal } = this.asking;
    const patience = setTimeout(() => this.asking?.abort(), PATIENCE);
    try {
      const response = await fetch(watch.dataset.watch, {
        headers: { Accept: "application/json" },
        redirect: "manual",
        cache: "no-store",
        signal,
      });
      if (response.type === "opaqueredirect" || response.status === 401) return this.#end("signed_out", true);
      if (response.status === 403) return this.#end("forbidden", false);
      if (response.status === 404) return this.#end("gone", false);
      if (!response.ok) throw new Error(String(response.status));
      const data = await response.json();
      if (!this.paused) this.#update(data);
    } catch {
      this.stale = true;
      if (!this.paused && !this.ended && !document.hidden) {
        this.trouble = "away";
        this.#sayHow();
      }
    } finally {
      clearTimeout(patience);
      this.asking = null;
      this.#plan();
    }
  }

  // Where `without` is not given it is live.js that says when to ask without a socket.
  #plan() {
    clearTimeout(this.timer);
    if (this.ended || this.paused || document.hidden || this.asking || !this.live.status) return;
    if (this.live.isLive) {
      const soonest = Math.max(this.soon, this.busy - (performance.now() - this.askedAt));
      this.timer = setTimeout(() => this.#ask(), this.stale ? soonest : EACH_WITH);
    } else if (this.without) {
      this.timer = setTimeout(() => this.#ask(), this.without);
    }
  }

  #start() {
    if (this.ended || this.paused || document.hidden) return;
    this.live.start();
    if (!this.asking) this.#ask();
  }

  #stop() {
    this.live.stop();
    clearTimeout(this.timer);
    this.asking?.abort();
  }

  #toggle() {
    this.paused = !this.paused;
    write(toggle, sentences[this.paused ? "resume" : "pause"]);
    if (this.paused) {
      this.#stop();
      this.#say("off");
    } else {
      this.#start();
    }
  }
}
