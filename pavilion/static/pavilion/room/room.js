/* The room: what its worker sees while they wait, are called, work, and at the end. What is so the server says. */

import { Live } from "../../assignments/live.js";
import { Workbench } from "../../assignments/workbench/workbench.js";
import { Calling } from "./calling.js";
import { showEnd, submitAt } from "./ending.js";
import { Notices } from "./notices.js";
import { Seat } from "./seat.js";
import { say, span } from "./texts.js";
import { everySecond } from "./ticking.js";

const data = JSON.parse(document.getElementById("room-data").textContent);
const find = (selector) => document.querySelector(selector);

const SECOND = 1000;
/** A page without a socket asks so often, seen or not, in ms: asking is also how the server knows that it is there. */
const WITHOUT_SOCKET = 5000;
const AGAIN = 3000;
/** So many seconds before the time limit the worker is warned, and the work is submitted by itself. */
const [WARN, LAST] = [120, 20];

const LIVE = new Set(["WAITING", "ACTIVE"]);

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const clock = new Intl.DateTimeFormat(document.documentElement.lang || "en", { timeStyle: "medium" });

export class Room {
  constructor(root) {
    this.root = root;
    this.seat = new Seat(data);
    this.calling = new Calling({ sound: find("#sound"), notify: find("#notify") });
    this.notices = new Notices(find("#room-notice"));
    this.views = new Map([...root.querySelectorAll("[data-room-view]")].map((view) => [view.dataset.roomView, view]));
    this.state = null;
    this.skew = 0;
    this.live = null;
    this.bench = null;
    this.works = false;
    this.enteredAt = -AGAIN;
    this.resuming = [];
    this.retries = {};
    this.#listen();
  }

  start() {
    this.stopTicking = everySecond(() => this.#tick());
    return this.#enter({ anew: true });
  }

  #listen() {
    const on = (selector, event, what) => find(selector).addEventListener(event, what);
    on("#confirm", "click", () => this.#confirm());
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
    clearTimeout(this.retries.enter);
    this.enteredAt = performance.now();
    let answer;
    try {
      answer = await this.seat.enter(how);
    } catch (refused) {
      if (refused.slug === "seat-elsewhere") this.#elsewhere();
      else if (refused.status === 404) this.notices.set("refused", refused.detail);
      else this.#later("enter", () => this.#enter(how));
      return;
    }
    this.notices.set("connection", "");
    this.#show(answer.state);
    if (!answer.token) {
      if (answer.submit) submitAt(answer.submit, { send: this.leaving || this.endedHere });
      return;
    }
    this.#connect(answer.socket);
    for (const resume of this.resuming.splice(0)) resume();
  }

  /** Try again what the server did not hear, or did not do: `name`. */
  #later(name, what) {
    this.notices.set("connection", say(navigator.onLine ? "server_away" : "connection_lost"));
    clearTimeout(this.retries[name]);
    this.retries[name] = setTimeout(what, AGAIN);
  }

  /** The server does not know this window any more: once more, and not in a flurry. */
  async #enterAgain() {
    await pause(Math.max(0, this.enteredAt + AGAIN - performance.now()));
    await this.#enter({});
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
      onRefused: (why) => (why === "elsewhere" ? this.#elsewhere() : this.#enterAgain()),
      eachWithout: WITHOUT_SOCKET,
      unseen: true,
    });
    this.lookedAt = performance.now();
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
        if (this.works) this.bench.pushes.available();
        break;
      case "state":
      case "promoted":
      case "confirmed":
      case "ended":
        this.notices.set("connection", "");
        this.#show(message);
    }
  }

  /** Without a socket. */
  async #look() {
    this.lookedAt = performance.now();
    try {
      const state = await this.seat.state();
      this.notices.set("connection", "");
      this.#show(state);
    } catch (refused) {
      if (refused.slug === "seat-elsewhere") this.#elsewhere();
      else this.notices.set("connection", say(navigator.onLine ? "server_away" : "connection_lost"));
    }
  }

  /** By HTTP, which says whether it has arrived: a socket may be dead without knowing it. */
  async #confirm() {
    if (this.confirming) return;
    this.confirming = true;
    try {
      this.#show(await this.seat.tell("confirm"));
    } catch (refused) {
      this.#refused(refused, () => this.#confirm());
    } finally {
      this.confirming = false;
    }
  }

  /** Submit or give back. The server ends the seat; where the marketplace wants a form, the browser posts it. */
  async #leave(what) {
    for (const dialog of this.root.querySelectorAll("dialog[open]")) dialog.close();
    this.leaving = true;
    try {
      this.#show(await this.seat.tell(what));
    } catch (refused) {
      this.#refused(refused, () => this.#leave(what));
    }
  }

  #refused(refused, again) {
    if (refused.slug === "seat-elsewhere") this.#elsewhere();
    else if (refused.slug === "seat-over") this.#enter({});
    else if (refused.status === 0 || refused.status === 429 || refused.status >= 500) this.#later("tell", again);
    else {
      this.leaving = false;
      this.notices.set("refused", refused.detail);
    }
  }

  #elsewhere() {
    this.#giveUp();
    this.leaving = false;
    this.#view("elsewhere");
  }

  /** This window does nothing more, and says nothing more. */
  #giveUp() {
    for (const retry of Object.values(this.retries)) clearTimeout(retry);
    this.live?.stop();
    this.#stopWork();
    this.calling.stop();
    this.notices.clear();
  }

  /** The seat, as the server says. */
  #show(state) {
    const before = this.state;
    // Answers and frames may overtake each other.
    if (before && (!LIVE.has(before.status) || Date.parse(state.as_of) < Date.parse(before.as_of))) return;
    this.state = state;
    this.skew = Date.parse(state.as_of) - Date.now();
    this.counted = this.bench?.answered ?? 0;
    this.#count(state);
    if (!LIVE.has(state.status)) {
      this.#ended(before);
      return;
    }
    if (state.status === "WAITING") this.#waiting();
    else if (state.confirmed_at === null) this.#called();
    else this.#atWork();
    this.#tick();
  }

  #count({ waiting, active, place }) {
    find("#people").textContent = waiting;
    find("#place").textContent = place ?? "–";
    if (this.state) Object.assign(this.state, { waiting, active, place });
  }

  #waiting() {
    if (this.#view("waiting")) {
      document.title = `${say("waiting_title")} · ${data.title}`;
      this.#say(say("waiting_title"), say("place", this.state));
    }
    if (this.state.has_backlog && data.worksOn === "backlog") this.#startWork();
  }

  #called() {
    this.#stopWork();
    const left = this.#until(this.state.confirm_by);
    find("#countdown").textContent = say("seconds_left", { count: Math.ceil(left) });
    this.#view("promoted", { focus: false });
    if (this.calling.isCalling) return;
    this.calling.start(left);
    this.#say(say("your_turn"), find("#countdown").textContent);
    find("#confirm").focus();
  }

  #atWork() {
    this.calling.stop();
    // The page has the work of those who wait: the one with the work of those who are active is another.
    if (data.worksOn === "backlog") {
      this.live?.stop();
      location.reload();
      return;
    }
    if (this.#view("active", { focus: false })) document.title = `${say("active_title")} · ${data.title}`;
    this.#startWork();
    this.notices.set("budget", this.state.budget_left ? "" : say("no_budget"));
  }

  #ended(before) {
    const { state } = this;
    this.#giveUp();
    this.stopTicking();
    const sentences = showEnd(state, { owesForm: data.submits });
    document.title = `${say(`${state.left}_title`)} · ${data.title}`;
    this.#view("ended");
    this.#say(...sentences);
    // Whoever comes back to a page that has ended may have posted the form before, and is left to press its button.
    this.endedHere = before !== null;
    if (state.submit) submitAt(state.submit, { send: true });
    else if (data.submits && before) this.#enter({});
  }

  #startWork() {
    if (this.works) return;
    this.works = true;
    find("#room-bench").hidden = false;
    this.bench ??= new Workbench(find("#bench"), {
      credentials: this.seat,
      onSignedOut: () => this.#signedOut(),
    });
    this.bench.start();
  }

  #stopWork() {
    if (!this.works) return;
    this.works = false;
    find("#room-bench").hidden = true;
    this.bench.stop();
  }

  /** The workbench may not ask: until this window speaks for the seat again, which may be never. */
  async #signedOut() {
    const resumed = new Promise((resolve) => this.resuming.push(resolve));
    await this.#enterAgain();
    await resumed;
  }

  /** Seconds from now until then, by the server's clock. */
  #until(moment) {
    return Math.max(0, (Date.parse(moment) - Date.now() - this.skew) / SECOND);
  }

  /** What goes on by itself: times, and what is earned by waiting. */
  #tick() {
    const { state } = this;
    if (!state || !LIVE.has(state.status) || this.root.dataset.state === "elsewhere") return;
    const now = Date.now() + this.skew;
    find("#elapsed").textContent = span((now - Date.parse(state.joined_at)) / SECOND);
    const more = state.status === "WAITING" ? (now - Date.parse(state.as_of)) / SECOND : 0;
    const earned = (Number(state.earned) + (Number(state.wage) * more) / 60).toFixed(2);
    find("#earned-waiting").textContent = earned;
    const answered = (this.bench?.answered ?? 0) - (this.counted ?? 0);
    find("#earned-active").textContent = (Number(earned) + answered * Number(state.answer_reward)).toFixed(2);
    find("#answers").textContent = state.answers + answered;
    if (state.status === "ACTIVE" && state.confirmed_at === null) {
      find("#countdown").textContent = say("seconds_left", { count: Math.ceil(this.#until(state.confirm_by)) });
    }
    this.#nearTheEnd(this.#until(state.ends_at));
    // A hidden page's own timers may be too slow for the server, which would take its worker for gone.
    if (this.live && !this.live.isLive && performance.now() - this.lookedAt > WITHOUT_SOCKET + SECOND) this.#look();
  }

  /** A marketplace takes nothing any more once the time is over, so the work is submitted before. */
  #nearTheEnd(left) {
    find("#time-left").textContent = span(left);
    if (left > WARN || this.leaving) return;
    const at = new Date(Date.parse(this.state.ends_at) - this.skew - LAST * SECOND);
    this.notices.set("end", say("ends_soon", { time: clock.format(Math.round(at / SECOND) * SECOND) }));
    if (left <= LAST) this.#leave("submit");
  }

  /** Show a view; whether another one was seen before. */
  #view(name, { focus = true } = {}) {
    if (this.root.dataset.state === name) return false;
    const had = this.root.contains(document.activeElement);
    this.root.dataset.state = name;
    for (const [each, view] of this.views) view.hidden = each !== name;
    find("#room-ways").hidden = !["waiting", "active"].includes(name);
    for (const dialog of this.root.querySelectorAll("dialog[open]")) dialog.close();
    if (focus && (had || document.activeElement === document.body)) this.views.get(name).querySelector("h2")?.focus();
    return true;
  }

  #say(...sentences) {
    find("#room-says").textContent = sentences.filter(Boolean).join(" ");
  }
}
