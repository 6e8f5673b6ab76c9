/* The room: what its worker sees while they wait, are called, work, and at the end. What is so the server says. */

import { Live } from "../../assignments/live.js";
import { Workbench } from "../../assignments/workbench/workbench.js";
import { Calling } from "./calling.js";
import { Seat } from "./seat.js";
import { has, say, span } from "./texts.js";

const data = JSON.parse(document.getElementById("room-data").textContent);
const find = (selector) => document.querySelector(selector);

/** A page without a socket asks so often, seen or not, in ms: asking is also how the server knows that it is there. */
const WITHOUT_SOCKET = 5000;
const AGAIN = 3000;
const SECOND = 1000;
/** So many seconds before the time limit the worker is warned, and the work is submitted by itself. */
const [WARN, LAST] = [120, 20];

const LIVE = new Set(["WAITING", "ACTIVE"]);

export class Room {
  constructor(root) {
    this.root = root;
    this.seat = new Seat(data);
    this.calling = new Calling({ sound: find("#sound"), notify: find("#notify") });
    this.views = new Map([...root.querySelectorAll("[data-room-view]")].map((view) => [view.dataset.roomView, view]));
    this.state = null;
    this.skew = 0;
    this.live = null;
    this.bench = null;
    this.#listen();
  }

  start() {
    this.ticking = setInterval(() => this.#tick(), SECOND);
    return this.#enter({ anew: true });
  }

  #listen() {
    const on = (selector, event, what) => find(selector).addEventListener(event, what);
    on("#confirm", "click", () => this.#tell("confirm"));
    on("#use-here", "click", () => this.#enter({ anew: true }));
    on("#finish", "click", () => find("#finish-dialog").showModal());
    on("#give-back", "click", () => find("#return-dialog").showModal());
    on("#finish-now", "click", () => this.#leave("submit"));
    on("#return-now", "click", () => this.#leave("giveBack"));
    for (const button of this.root.querySelectorAll("dialog [data-close]")) {
      button.addEventListener("click", () => button.closest("dialog").close());
    }
  }

  /** Let this window speak for the seat, and keep in touch. */
  async #enter(how) {
    let answer;
    try {
      answer = await this.seat.enter(how);
    } catch (refused) {
      if (refused.slug === "seat-elsewhere") this.#elsewhere();
      else this.#later(() => this.#enter(how));
      return;
    }
    this.#notice("");
    this.#show(answer.state);
    if (answer.token) this.#connect(answer.socket);
  }

  #later(what) {
    this.#notice(say(navigator.onLine ? "server_away" : "connection_lost"));
    clearTimeout(this.retry);
    this.retry = setTimeout(what, AGAIN);
  }

  #connect(at) {
    this.live?.stop();
    this.live = new Live({
      at,
      status: find("#room-live"),
      greeting: () => ({ type: "authenticate", token: this.seat.token }),
      first: "state",
      onMessage: (message) => this.#heard(message),
      onLook: () => this.#look(),
      onRefused: (why) => (why === "elsewhere" ? this.#elsewhere() : this.#enter({})),
      eachWithout: WITHOUT_SOCKET,
      unseen: true,
    });
    this.live.start();
  }

  #heard(message) {
    switch (message.type) {
      case "beat":
        this.live.say({ type: "alive" });
        break;
      case "counts":
        this.#count(message);
        break;
      case "available":
        this.bench?.pushes.available();
        break;
      case "state":
      case "promoted":
      case "confirmed":
      case "ended":
        this.#show(message);
    }
  }

  /** Without a socket. */
  async #look() {
    try {
      this.#show(await this.seat.state());
      this.#notice("");
    } catch (refused) {
      if (refused.slug === "seat-elsewhere") this.#elsewhere();
      else this.#notice(say("connection_lost"));
    }
  }

  async #tell(what) {
    if (what === "confirm" && this.live?.say({ type: "confirm" })) return;
    try {
      this.#show(await this.seat.tell(what));
    } catch (refused) {
      await this.#refused(refused, () => this.#tell(what));
    }
  }

  /** Submit or give back. The server ends the seat; where the marketplace wants a form, the browser posts it. */
  async #leave(what) {
    for (const dialog of this.root.querySelectorAll("dialog[open]")) dialog.close();
    this.leaving = true;
    try {
      const state = await this.seat.tell(what);
      this.#show(state);
      if (state.submit) this.#submitAt(state.submit);
    } catch (refused) {
      this.leaving = false;
      await this.#refused(refused, () => this.#leave(what));
    }
  }

  async #refused(refused, again) {
    if (refused.slug === "seat-elsewhere") this.#elsewhere();
    else if (refused.slug === "seat-over") await this.#enter({});
    else if (refused.status === 0 || refused.status >= 500) this.#later(again);
    else this.#notice(refused.detail);
  }

  #submitAt({ url, fields }) {
    const form = find("#submit-form");
    form.action = url;
    for (const [name, value] of Object.entries(fields)) {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name, value });
      form.append(field);
    }
    form.hidden = false;
    find("#ended-text").textContent = say("submitting");
    form.submit();
  }

  #elsewhere() {
    this.live?.stop();
    this.#stopWork();
    this.calling.stop();
    this.#view("elsewhere");
  }

  /** The seat, as the server says. */
  #show(state) {
    const before = this.state;
    this.state = state;
    this.skew = Date.parse(state.as_of) - Date.now();
    this.counted = this.bench?.answered ?? 0;
    this.#count(state);
    find("#answers").textContent = state.answers;
    this.#tick();
    if (!LIVE.has(state.status)) this.#ended(state);
    else if (state.status === "WAITING") this.#waiting(before);
    else if (state.confirmed_at === null) this.#called(before);
    else this.#atWork();
  }

  #count({ waiting, active, place }) {
    find("#people").textContent = waiting;
    find("#place").textContent = place ?? "–";
    if (this.state) Object.assign(this.state, { waiting, active, place });
  }

  #waiting(before) {
    this.#view("waiting");
    if (before === null) this.#say(say("place", this.state));
    document.title = `${say("waiting_title")} · ${data.title}`;
    if (this.state.has_backlog && data.worksOn === "backlog") this.#startWork();
  }

  #called(before) {
    this.#stopWork();
    this.#view("promoted");
    if (before?.active_at === this.state.active_at && this.calling.ringing) return;
    this.#say(say("your_turn"));
    this.calling.start();
    find("#confirm").focus();
  }

  #atWork() {
    this.calling.stop();
    // The page has the work of those who wait: the one with the work of those who are active is another.
    if (data.worksOn === "backlog") {
      location.reload();
      return;
    }
    this.#view("active", { focus: false });
    if (!this.bench) document.title = `${say("active_title")} · ${data.title}`;
    this.#startWork();
    this.#notice(this.state.budget_left ? "" : say("no_budget"));
  }

  #ended(state) {
    this.live?.stop();
    this.#stopWork();
    this.calling.stop();
    clearInterval(this.ticking);
    const whole = state.left === "stop" && state.session_status === "EXPIRED" ? "stop_expired" : state.left;
    find("#ended-heading").textContent = say(`${state.left}_title`);
    find("#ended-text").textContent = say(has(whole) ? whole : state.left);
    find("#ended-reason").hidden = !state.reason;
    find("#ended-reason").textContent = state.reason ? say("reason", { reason: state.reason }) : "";
    const earned = Number(state.earned) ? say("earned", { amount: state.earned }) : say("earned_nothing");
    find("#ended-earned").textContent = earned;
    document.title = `${say(`${state.left}_title`)} · ${data.title}`;
    this.#view("ended");
    this.#say(find("#ended-heading").textContent, find("#ended-text").textContent, earned);
  }

  #startWork() {
    find("#room-bench").hidden = false;
    if (this.bench) return;
    this.bench = new Workbench(find("#bench"), {
      credentials: this.seat,
      onSignedOut: () => this.#enter({}),
    });
    this.bench.start();
  }

  #stopWork() {
    find("#room-bench").hidden = true;
    this.bench?.stop();
  }

  /** What goes on by itself: times, and what is earned by waiting. */
  #tick() {
    const { state } = this;
    if (!state || !LIVE.has(state.status)) return;
    const now = Date.now() + this.skew;
    const waited = (now - Date.parse(state.joined_at)) / SECOND;
    find("#elapsed").textContent = span(waited);
    const more = state.status === "WAITING" ? (now - Date.parse(state.as_of)) / SECOND : 0;
    const earned = (Number(state.earned) + (Number(state.wage) * more) / 60).toFixed(2);
    find("#earned-waiting").textContent = earned;
    const answered = (this.bench?.answered ?? 0) - (this.counted ?? 0);
    find("#earned-active").textContent = (Number(earned) + answered * Number(state.answer_reward)).toFixed(2);
    find("#answers").textContent = state.answers + answered;
    if (state.status === "ACTIVE" && state.confirmed_at === null) {
      const left = Math.max(0, Math.ceil((Date.parse(state.confirm_by) - now) / SECOND));
      find("#countdown").textContent = say("seconds_left", { count: left });
    }
    this.#nearTheEnd((Date.parse(state.ends_at) - now) / SECOND);
  }

  /** A marketplace takes nothing any more once the time is over, so the work is submitted before. */
  #nearTheEnd(left) {
    find("#time-left").textContent = span(left);
    if (left > WARN || this.leaving) return;
    this.#notice(say("ends_soon", { count: Math.max(0, Math.floor(left - LAST)) }));
    if (left <= LAST) this.#leave("submit");
  }

  #view(name, { focus = true } = {}) {
    if (this.root.dataset.state === name) return;
    this.root.dataset.state = name;
    for (const [each, view] of this.views) view.hidden = each !== name;
    find("#room-ways").hidden = !["waiting", "active"].includes(name);
    if (focus && document.activeElement === document.body) this.views.get(name).querySelector("h2")?.focus();
  }

  #notice(sentence) {
    const element = find("#room-notice");
    if (element.textContent !== sentence) element.textContent = sentence;
    element.hidden = !sentence;
  }

  #say(...sentences) {
    find("#room-says").textContent = sentences.filter(Boolean).join(" ");
  }
}
