/* What the server says by the socket, and what becomes of it here. It is a hint: what is so, the API tells. */

import { Live } from "../live.js";
import { whyEnded } from "./endings.js";
import { say } from "./texts.js";

/** Reviewers who wait for the same task do not ask for it all at once; this is in ms. */
const SPREAD = 300;
/** Nor do all who work in a queue, when it was changed, fetch the page at once. */
const CHANGE_SPREAD = 2000;
/** One who has just asked in vain asks again after so long at the earliest. */
const SOON_AGAIN = 1000;
/** A session that the socket did not know but the page does is tried again after so long. */
const SESSION_PAUSE = 15_000;

const find = (selector) => document.querySelector(selector);
const moment = (text) => (text === null ? null : Date.parse(text));

export class Pushes {
  /** `bench`: the Workbench. `socket`: where the queue's socket is. `assignment(id)`: where an assignment is. */
  constructor({ bench, socket, assignment }) {
    Object.assign(this, { bench, assignment });
    this.live = new Live({
      at: socket,
      status: find("#live-state"),
      onMessage: (message) => this.#heard(message),
      onLook: () => this.#look(),
      onRefused: (why) => this.#refused(why),
    });
    this.missed = false;
    this.askedAt = -SOON_AGAIN;
  }

  start() {
    this.live.start();
  }

  stop() {
    clearTimeout(this.planned);
    this.planned = null;
    clearTimeout(this.changing);
    clearTimeout(this.again);
    this.changing = null;
    this.live.stop();
  }

  /** Somebody else has heard that there is work. */
  available() {
    this.#askSoon();
  }

  /** The page has nothing to do from now on; something may have come while it found that out. */
  emptied() {
    if (this.missed) this.#askSoon();
  }

  #heard(message) {
    const { bench } = this;
    switch (message.type) {
      case "welcome":
      case "state":
        this.#compare(message);
        break;
      case "available":
        this.#askSoon();
        break;
      case "queue.changed":
        this.#changedSoon();
        break;
      case "assignment.lapsing":
        if (bench.current?.id === message.assignment) this.#check().then(() => bench.lapsing(message.assignment));
        break;
      case "assignment.lapsed":
      case "assignment.canceled":
        if (bench.current?.id === message.assignment) this.#check();
        else bench.forget(message.assignment);
    }
  }

  /** How things are for the server, and how they are here. */
  #compare({ available, paused, assignments }) {
    const { bench } = this;
    this.#showPaused(paused);
    if (available || assignments.length) this.#askSoon();
    else if (paused !== (bench.reason === "paused") && !document.hidden) this.#askSoon();
    if (!bench.current) return;
    const mine = assignments.find(({ id }) => id === bench.current.id);
    if (!mine || moment(mine.expires_at) !== moment(bench.current.expire_at)) this.#check();
  }

  /** Without a socket. */
  #look() {
    if (this.bench.stage.state === "empty") this.bench.look({ quiet: true });
    else this.#check();
  }

  #askSoon() {
    const { bench } = this;
    this.missed = bench.stage.state !== "empty";
    if (this.missed || this.planned) return;
    // A page that nobody looks at takes no task: its lease would run unseen. Its tab says that there is one.
    if (document.hidden) {
      bench.waits();
      return;
    }
    const wait = performance.now() - this.askedAt < SOON_AGAIN ? SOON_AGAIN : 0;
    this.planned = setTimeout(() => this.#ask(), wait + Math.random() * SPREAD);
  }

  #ask() {
    this.planned = null;
    if (this.bench.stage.state !== "empty") return;
    this.askedAt = performance.now();
    this.bench.look({ quiet: true });
  }

  #changedSoon() {
    this.changing ??= setTimeout(() => {
      this.changing = null;
      this.live.look();
      this.#renewInstructions();
    }, Math.random() * CHANGE_SPREAD);
  }

  /** What has become of the task in hand? Nothing is done while its answer is under way: that brings the reply. */
  async #check() {
    const { bench } = this;
    const { current } = bench;
    const until = current?.expire_at;
    const asBefore = () =>
      bench.stage.state === "work" && !bench.busy && bench.current === current && current.expire_at === until;
    if (!asBefore()) return;
    let fresh;
    try {
      fresh = await bench.api.get(this.assignment(current.id));
    } catch (problem) {
      if (!asBefore()) return;
      if (problem.kind === "session") bench.signedOut();
      else if (problem.kind === "gone") bench.gone(problem, bench.form.text());
      return;
    }
    if (!asBefore()) return;
    if (fresh.status !== "CREATED") bench.lose(whyEnded(fresh));
    else if (fresh.expire_at !== until) bench.until(fresh.expire_at);
  }

  #showPaused(paused) {
    const note = find("#paused-note");
    if (paused && note.hidden && this.bench.stage.state === "work") this.bench.stage.say(note.textContent);
    note.hidden = !paused;
  }

  async #renewInstructions() {
    const mine = find("#instructions .markdown");
    if (!mine) return;
    const { page } = await this.bench.api.page().catch(() => ({}));
    const theirs = page?.querySelector("#instructions .markdown");
    if (!theirs || theirs.innerHTML === mine.innerHTML) return;
    mine.replaceWith(theirs);
    this.bench.stage.say(say("instructions_changed"));
  }

  async #refused(why) {
    const { bench } = this;
    if (why !== "session") {
      this.#look();
      return;
    }
    const outcome = await bench.api.renew().catch(() => "unreachable");
    if (outcome === "signed-out" || outcome === "other") bench.signedOut();
    else this.again = setTimeout(() => this.start(), SESSION_PAUSE);
  }
}
