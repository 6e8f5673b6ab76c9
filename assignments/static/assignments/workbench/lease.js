/* How long the task is still ours, by the server's clock. */

import { say } from "./texts.js";

const WARNINGS = [60, 15];
const SOON = 60;
/** The Date header tells whole seconds, so a smaller difference of the clocks says nothing. */
const DOUBT = 2000;

/** The server's clock, as far as the Date headers of its answers tell it. */
export class ServerClock {
  offset = 0;

  learn(serverTime, sentAt, receivedAt) {
    const offset = serverTime + 500 - (sentAt + receivedAt) / 2;
    this.offset = Math.abs(offset) < DOUBT ? 0 : offset;
  }

  now() {
    return Date.now() + this.offset;
  }
}

/** "4:05", or "2:04:05" from an hour on. */
export function clockText(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => String(part).padStart(index ? 2 : 1, "0")).join(":");
}

export class Lease {
  /** `onWarning(sentence)` is for the screen reader; `onEnd()` is called once, when the time is over. */
  constructor({ root, clock, onWarning, onEnd }) {
    Object.assign(this, { root, clock, onWarning, onEnd });
    this.text = root.querySelector("[data-lease-text]");
    this.bar = root.querySelector("[data-lease-bar]");
    this.fill = this.bar.firstElementChild;
    this.timer = null;
  }

  /** Count down for this assignment, from now on or anew after its lease was extended. */
  watch(assignment) {
    this.stop();
    this.root.hidden = false;
    this.end = assignment.expire_at === null ? null : Date.parse(assignment.expire_at);
    this.begin = Math.min(Date.parse(assignment.created_at), this.clock.now());
    this.bar.hidden = this.end === null;
    if (this.end === null) {
      this.text.textContent = say("lease_none");
      this.root.classList.remove("is-short");
      return;
    }
    const left = this.#left();
    this.warnings = WARNINGS.filter((seconds) => seconds < left);
    this.soon = SOON;
    this.warned = false;
    this.#tick();
    this.timer = setInterval(() => this.#tick(), 250);
  }

  /** The server finds that the time is short: warn now, unless that has been done. */
  lapsing() {
    if (this.timer === null || this.warned) return;
    const left = this.#left();
    this.soon = Math.max(left, SOON);
    this.warnings = [left, ...this.warnings.filter((seconds) => seconds < left - WARNINGS.at(-1))];
    this.shown = null;
    this.#tick();
  }

  /** Stop counting, and say nothing more. */
  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.root.hidden = true;
  }

  #left() {
    return Math.ceil((this.end - this.clock.now()) / 1000);
  }

  #tick() {
    const left = this.#left();
    if (left <= 0) {
      this.stop();
      this.onEnd();
      return;
    }
    const shown = clockText(left);
    if (shown !== this.shown) {
      this.shown = shown;
      this.text.textContent = say("lease_left", { time: shown });
      const share = (this.end - this.clock.now()) / (this.end - this.begin);
      this.fill.style.transform = `scaleX(${Math.min(1, Math.max(0, share))})`;
      this.root.classList.toggle("is-short", left <= this.soon);
    }
    if (left <= this.warnings[0]) {
      this.warnings.shift();
      this.warned = true;
      this.onWarning(say("lease_warning", { seconds: left }));
    }
  }
}
