/* The workbench: gets a task, shows it, sends the answer, and goes on. What each state looks like is in the template. */

import { AnswerForms } from "./answer.js";
import { Api } from "./api.js";
import { Controls } from "./controls.js";
import { Delivery } from "./delivery.js";
import { whyRefused } from "./endings.js";
import { showInput } from "./input.js";
import { Lease, ServerClock } from "./lease.js";
import { Outbox, setting } from "./outbox.js";
import { Pushes } from "./pushes.js";
import { Stage } from "./stage.js";
import { fromNow, localTime, make, say } from "./texts.js";

const SOONEST = 1000;
/** Those who wait for the same moment do not all ask in it. */
const SPREAD = 300;
/** What is further ahead than this is not waited for: the page looks before that. */
const FURTHEST = 60_000;
const SHORTEST_LEASE = 10;

const data = JSON.parse(document.getElementById("workbench-data").textContent);
const at = (name, id) => data.addresses[name].replace("/0/", `/${id}/`);
const find = (selector) => document.querySelector(selector);

export class Workbench {
  /**
   * `credentials`: who asks (see api.js), where it is not the session. `onSignedOut()`: what is done where that is not
   * known any more, until which the promise that it returns is waited for; where it is not given, the page asks.
   */
  constructor(root, { credentials, onSignedOut } = {}) {
    this.stage = new Stage(root);
    this.clock = new ServerClock();
    this.api = new Api({ onDate: (...times) => this.clock.learn(...times), credentials });
    this.onSignedOut = onSignedOut ?? (() => this.#signIn());
    this.outbox = new Outbox(this.api.user, data.queue);
    this.delivery = new Delivery({
      api: this.api,
      outbox: this.outbox,
      stage: this.stage,
      onSignedOut: () => this.signedOut(),
    });
    this.lease = new Lease({
      root: find("#lease"),
      clock: this.clock,
      onWarning: (sentence) => this.#warn(sentence),
      onEnd: () => this.leaseOver(),
    });
    this.atOnce = setting("at-once", false);
    this.forms = new AnswerForms({
      schema: data.outputSchema,
      library: data.addresses.formLibrary,
      onChange: () => this.edited(),
      onPick: () => this.atOnce.get() && this.submit(),
    });
    this.answered = 0;
    this.held = [];
    this.current = null;
    this.busy = false;
    this.controls = new Controls(this, data.queue);
    this.pushes = new Pushes({
      bench: this,
      socket: data.addresses.socket,
      assignment: (id) => at("assignment", id),
    });
  }

  /** Begin, or begin anew after `stop()`. */
  async start() {
    this.stopped = false;
    this.stage.show("loading", { focus: false });
    this.pushes.start();
    const left = this.outbox.lostAnswer();
    if (left) this.showLost(left);
    await Promise.all([this.forms.prepare(), this.flush()]);
    if (this.stage.state === "loading") await this.look();
  }

  /** Ask for nothing any more; what is on the page stays no longer, and what is still under way brings nothing new. */
  stop() {
    this.stopped = true;
    this.pushes.stop();
    this.#clear();
    this.stage.show("loading", { focus: false });
  }

  /** Send what an earlier visit to the page could not. */
  async flush() {
    for (const entry of this.outbox.pending()) {
      try {
        await this.delivery.send(entry);
        if (entry.kind === "finalize") this.saved(entry.assignment);
      } catch (problem) {
        if (entry.kind === "finalize") this.refused(problem, entry);
      }
    }
  }

  /** Ask for work. */
  async look({ quiet = false, after = "" } = {}) {
    clearTimeout(this.timer);
    if (this.stopped) return;
    if (this.looking) {
      this.delivery.hurry();
      return;
    }
    this.looking = true;
    if (!quiet && this.stage.state !== "work") this.stage.show("loading", { focus: false });
    let grab;
    try {
      grab = await this.delivery.post(data.addresses.grab, {});
    } catch (problem) {
      if (!this.stopped) this.gone(problem);
      return;
    } finally {
      this.looking = false;
    }
    this.take(grab, after);
  }

  /** What a grab brought: the next task, or why there is none. */
  take(grab, after = "") {
    if (this.stopped) return;
    this.held = grab.assignments;
    if (this.held.length) this.showTask(this.held[0], after);
    else this.showEmpty(grab, after);
  }

  showTask(assignment, after) {
    this.#clear();
    this.current = assignment;
    const { task } = assignment;
    const view = this.stage.show("work");
    const number = this.answered + 1;
    find("#task-heading").textContent = say("task_number", { number });
    this.#showFacts();
    this.form = this.forms.make(find("#answer-fields"));
    this.input = showInput(find("#task-input"), task.input_data, data.inputSchema, this.form.labels ?? null);
    const draft = this.outbox.draft(assignment.id);
    if (draft !== null) this.#restore(draft);
    this.controls.show(this.form);
    this.lease.watch(assignment);
    find("#extend").hidden = assignment.expire_at === null;
    this.#ready(true);
    this.stage.focus(view);
    this.#measure();
    this.stage.say(after, say("new_task", { number }), draft === null ? "" : say("draft_restored"));
    this.#title(say("task_number", { number }));
  }

  #showFacts() {
    const { task } = this.current;
    const held = this.held.length > 1 ? say("held", { count: this.held.length }) : "";
    find("#task-facts").textContent = [say("task_id", { id: task.id }), task.topic, held].filter(Boolean).join(" · ");
  }

  #title(text) {
    document.title = `${text} · ${data.title}`;
  }

  /** What was typed before; the queue's schema may have changed since, and then it no longer fits. */
  #restore(draft) {
    try {
      this.form.restore(draft);
    } catch {
      this.outbox.dropDraft(this.current.id);
    }
  }

  showEmpty({ reason, retry_at: retryAt }, after) {
    this.#clear();
    this.submittedAt = null;
    const known = ["empty", "leased", "excluded", "paused"].includes(reason) ? reason : "empty";
    const changed = this.stage.state !== "empty" || this.reason !== known;
    this.reason = known;
    this.stage.show("empty");
    find("#empty-heading").textContent = say(`${known}_title`);
    find("#empty-text").textContent = say(known);
    const when = retryAt === null ? null : new Date(Date.parse(retryAt) - this.clock.offset);
    const ahead = when === null ? null : when - Date.now();
    find("#empty-when").textContent =
      ahead !== null && ahead > SOONEST
        ? say("retry_at", { time: localTime(when), relative: fromNow(ahead) })
        : say("retry_soon");
    this.#title(say(`${known}_title`));
    if (changed) this.stage.say(after, say(`${known}_title`), say(known));
    if (ahead !== null && ahead < FURTHEST) {
      const wait = Math.max(SOONEST, ahead) + Math.random() * SPREAD;
      // A page that nobody looks at takes no task: its lease would run unseen.
      this.timer = setTimeout(() => (document.hidden ? null : this.look({ quiet: true })), wait);
    }
    this.pushes.emptied();
  }

  /** Nobody looks at this page, and there would be something to do. */
  waits() {
    this.#title(say("waits_title"));
  }

  #warn(sentence) {
    this.stage.say(sentence);
    this.#title(say("short_title"));
  }

  edited() {
    if (!this.current || this.busy) return;
    const draft = this.form.draft();
    if (draft === null) this.outbox.dropDraft(this.current.id);
    else this.outbox.keepDraft(this.current.id, draft);
    if (this.faulty) this.#showErrors([]);
  }

  async submit() {
    if (this.stage.state !== "work" || this.busy) return;
    const { data: answer, errors } = this.form.read();
    if (errors) {
      this.#showErrors(errors);
      return;
    }
    this.submittedAt = performance.now();
    const assignment = this.current;
    this.#showErrors([]);
    this.#ready(false);
    const entry = {
      id: `finalize-${assignment.id}`,
      kind: "finalize",
      assignment: assignment.id,
      url: at("finalize", assignment.id),
      body: { data: answer, assign_new_task: true },
      text: this.form.text(),
    };
    let reply;
    try {
      reply = await this.delivery.send(entry);
    } catch (problem) {
      this.refused(problem, entry);
      return;
    }
    this.saved(assignment.id);
    // An answer that had arrived before brings nothing new with it.
    if (reply.next) this.take(reply.next, say("answer_saved"));
    else await this.look({ after: say("answer_saved") });
  }

  /** An answer has arrived. */
  saved(assignment) {
    this.answered += 1;
    this.outbox.dropDraft(assignment);
    find("#answered").textContent = say("answered", { count: this.answered });
  }

  /** An answer was not taken. */
  refused(problem, entry) {
    this.submittedAt = null;
    if (this.stopped) {
      if (entry.text) this.outbox.keepLostAnswer({ text: entry.text, why: whyRefused(problem) });
      return;
    }
    if (problem.kind === "invalid" && this.current?.id === entry.assignment) {
      this.#ready(true);
      this.stage.show("work");
      const errors = problem.errors.map(({ pointer, detail }) => ({ pointer: pointer.replace(/^\/data/, ""), detail }));
      this.#showErrors(errors.length ? errors : [{ pointer: "", detail: problem.detail }]);
    } else if (problem.kind === "gone") {
      this.gone(problem, entry.text);
    } else {
      this.loseTask({ text: entry.text, why: whyRefused(problem), assignment: entry.assignment });
    }
  }

  leaseOver() {
    // While an answer is under way the server decides: it may have arrived in time.
    if (this.current && !this.busy) this.lose(say("lost_expired"));
  }

  /** The task in hand is ours no longer. */
  lose(why) {
    this.loseTask({ text: this.form.text(), why, assignment: this.current.id });
  }

  loseTask({ text, why, assignment }) {
    const answer = { text, why };
    if (text) this.outbox.keepLostAnswer(answer);
    this.outbox.dropDraft(assignment);
    this.showLost(answer);
  }

  /** Done with what was lost: on to the next task. */
  next() {
    this.outbox.dropLostAnswer();
    return this.look();
  }

  showLost({ text, why }) {
    this.#clear();
    this.stage.show("lost");
    find("#lost-text").textContent = why;
    find("#lost-kept").hidden = !text;
    find("#lost-answer").value = text;
    find("#copied").textContent = "";
    this.#title(say("lost_title"));
    this.stage.say(say("lost_title"), why, text ? say("lost_kept") : "");
  }

  /** No access any more, or no such queue: the way out is the desk. */
  gone(problem, text = "") {
    this.#clear();
    this.pushes.stop();
    if (text) this.outbox.keepLostAnswer({ text, why: problem.detail });
    find("#gone-heading").textContent = say(problem.kind === "gone" ? "gone_title" : "odd_title");
    this.stage.show("gone");
    find("#gone-text").textContent = problem.detail;
    find("#gone-kept").hidden = !text;
    find("#gone-answer").value = text;
    this.stage.say(find("#gone-heading").textContent, problem.detail);
  }

  /** Resolves once the reviewer is signed in again; until then the page asks for it, and keeps what was typed. */
  signedOut() {
    this.signingIn ??= this.onSignedOut().finally(() => {
      this.signingIn = null;
    });
    return this.signingIn;
  }

  async #signIn() {
    const before = this.stage.state;
    this.lease.root.hidden = true;
    find("#session-status").textContent = "";
    this.stage.show("session");
    this.stage.say(find("#session-heading").textContent);
    await new Promise((resolve) => {
      this.resume = resolve;
    });
    this.pushes.start();
    // The lease may have ended meanwhile, and that has its own view.
    if (this.stage.state !== "session") return;
    this.stage.show(before);
    this.lease.root.hidden = !this.current;
  }

  /** The reviewer says that they are signed in again. */
  async goOn() {
    const outcome = await this.api.renew().catch(() => "unreachable");
    if (outcome === "renewed") this.resume();
    else if (outcome === "other") location.reload();
    else find("#session-status").textContent = say(outcome === "signed-out" ? "still_signed_out" : "server_away");
  }

  async skip(seconds) {
    if (this.stage.state !== "work" || this.busy) return;
    this.#ready(false);
    const assignment = this.current;
    const entry = {
      id: `skip-${assignment.id}`,
      kind: "skip",
      assignment: assignment.id,
      url: at("skip", assignment.id),
      body: { seconds_to_expire: seconds },
      // A skip that is sent again must not be told that it was skipped.
      key: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`,
    };
    const text = this.form.text();
    try {
      await this.delivery.send(entry);
    } catch (problem) {
      this.refused(problem, { ...entry, text });
      return;
    }
    this.outbox.dropDraft(assignment.id);
    await this.look({ after: say("skipped") });
  }

  async extend() {
    if (this.stage.state !== "work" || this.busy || this.current.expire_at === null) return;
    const { id, created_at: from, expire_at: until } = this.current;
    const had = Math.round((Date.parse(until) - Date.parse(from)) / 1000);
    const seconds = Math.max(SHORTEST_LEASE, data.longestLease ?? had);
    try {
      const { assignment } = await this.delivery.post(at("extend", id), { seconds_to_expire: seconds });
      if (this.current?.id !== id) return;
      this.until(assignment.expire_at, Date.parse(assignment.expire_at) > Date.parse(until) ? "extended" : "not_extended");
    } catch (problem) {
      if (this.current?.id !== id) return;
      if (problem.kind === "lost") this.leaseOver();
      else if (problem.kind === "gone") this.gone(problem, this.form.text());
      else this.#showErrors([{ pointer: "", detail: problem.detail }]);
    }
  }

  /** The lease of the task in hand has another end. */
  until(end, sentence = "extended") {
    this.current.expire_at = end;
    this.lease.watch(this.current);
    find("#extend").hidden = end === null;
    this.#title(find("#task-heading").textContent);
    this.stage.say(end === null ? say("lease_none") : say(sentence, { time: localTime(new Date(end)) }));
  }

  /** The server says that this lease is about to end. */
  lapsing(id) {
    if (this.current?.id === id && this.stage.state === "work") this.lease.lapsing();
  }

  /** One of several in hand, not the one on the page, is ours no longer. */
  forget(id) {
    this.held = this.held.filter((assignment) => assignment.id !== id);
    if (this.current) this.#showFacts();
  }

  #clear() {
    clearTimeout(this.timer);
    this.lease.stop();
    this.input?.destroy();
    this.form?.destroy();
    this.input = this.form = this.current = null;
    this.controls.clear();
    find("#answer-errors").hidden = true;
    find("#answer-fields").replaceChildren();
    find("#task-input").replaceChildren();
    this.busy = false;
  }

  /** Whether the answer can be changed and sent, or is under way. */
  #ready(ready) {
    this.busy = !ready;
    find("#answer").setAttribute("aria-busy", String(!ready));
    find("#answer-fields").inert = !ready;
    for (const control of document.querySelectorAll("#answer [data-control]")) control.disabled = !ready;
  }

  #showErrors(errors) {
    const box = find("#answer-errors");
    const missing = say(this.form.labels ? "choose_one" : "fill_in");
    const shown = errors.map((error) => ({ ...error, detail: error.detail ?? missing }));
    const rest = this.form.showErrors(shown);
    this.faulty = shown.length > 0;
    box.hidden = !this.faulty;
    const count = shown.length;
    const lead = rest.length < count ? say(count === 1 ? "one_error" : "errors", { count }) : "";
    const lines = rest.map(({ pointer, detail }) => make("li", {}, pointer ? `${pointer.slice(1)}: ${detail}` : detail));
    box.replaceChildren(...(lead ? [make("p", {}, lead)] : []), ...(lines.length ? [make("ul", {}, ...lines)] : []));
    if (!this.faulty) return;
    this.stage.say(lead, ...shown.map(({ detail }) => detail));
    this.form.focusFirst();
  }

  /** How long it took from the submit to the next task on the screen, its pictures included. */
  async #measure() {
    const start = this.submittedAt;
    this.submittedAt = null;
    if (!start) return;
    await this.input.ready;
    await new Promise(requestAnimationFrame);
    await new Promise(setTimeout);
    performance.measure("crowd:submit-to-next", { start });
  }
}
