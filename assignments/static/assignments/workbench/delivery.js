/* Sends a request until the server has answered it: over a lost connection, a busy server, a session that ended. */

import { Problem } from "./api.js";
import { say } from "./texts.js";

const WAITS = [1, 2, 4, 8, 15, 30];

export class Delivery {
  constructor({ api, outbox, stage, onSignedOut }) {
    Object.assign(this, { api, outbox, stage, onSignedOut });
    this.waiting = new Set();
    stage.notice.querySelector("button").addEventListener("click", () => this.hurry());
    window.addEventListener("online", () => this.hurry());
  }

  /** The answer to a POST, however long that takes. Throws Problem for what trying again would not change. */
  async post(url, body, options = {}) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        const reply = await this.api.post(url, body, options);
        if (attempt) this.stage.warn(null);
        return reply;
      } catch (problem) {
        if (!(problem instanceof Problem) || !["unreachable", "session"].includes(problem.kind)) {
          this.stage.warn(null);
          throw problem;
        }
        if (problem.kind === "session") {
          this.stage.warn(null);
          await this.onSignedOut();
        } else {
          await this.#wait(Math.max(WAITS[Math.min(attempt, WAITS.length - 1)], problem.retryAfter), options.keeps);
        }
      }
    }
  }

  /** The same for an entry of the outbox, which leaves it with the answer, whatever that says. */
  async send(entry) {
    this.outbox.put(entry);
    try {
      return await this.post(entry.url, entry.body, { key: entry.key, keeps: entry.kind === "finalize" });
    } finally {
      this.outbox.remove(entry.id);
    }
  }

  #wait(seconds, keeps) {
    const sentence = say(navigator.onLine ? "server_away" : "offline");
    this.stage.warn(keeps ? `${sentence} ${say("answer_kept")}` : sentence);
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        this.waiting.delete(go);
        resolve();
      };
      const timer = setTimeout(go, seconds * 1000);
      this.waiting.add(go);
    });
  }

  /** Try again now whatever waits to be tried again. */
  hurry() {
    for (const go of this.waiting) go();
  }
}
