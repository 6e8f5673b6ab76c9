/* Calls a worker who does something else meanwhile: a sound, the page's title, and a notification where they allow it. */

import { say } from "./texts.js";

const FLASH = 1000;
/** The sound is made again so often, until the worker is there. */
const AGAIN = 3000;
const NOTES = [660, 880, 990];
const NOTE = 0.18;

export class Calling {
  /** `sound` and `notify`: the buttons. A browser makes a sound only for a page on which somebody has done something. */
  constructor({ sound, notify }) {
    Object.assign(this, { sound, notify });
    this.audio = null;
    sound.addEventListener("click", () => this.#allowSound({ ring: true }));
    document.addEventListener("pointerdown", () => this.#allowSound(), { once: true });
    document.addEventListener("keydown", () => this.#allowSound(), { once: true });
    if ("Notification" in window && Notification.permission === "default") {
      notify.hidden = false;
      notify.addEventListener("click", async () => {
        await Notification.requestPermission();
        notify.hidden = true;
      });
    }
  }

  async #allowSound({ ring = false } = {}) {
    this.audio ??= new AudioContext();
    await this.audio.resume();
    this.sound.textContent = say("sound_on");
    this.sound.setAttribute("aria-pressed", "true");
    if (ring) this.#ring();
  }

  #ring() {
    if (this.audio?.state !== "running") return;
    const now = this.audio.currentTime;
    for (const [index, frequency] of NOTES.entries()) {
      const tone = new OscillatorNode(this.audio, { frequency });
      const loud = new GainNode(this.audio, { gain: 0.25 });
      tone.connect(loud).connect(this.audio.destination);
      tone.start(now + index * NOTE);
      tone.stop(now + (index + 1) * NOTE);
    }
    performance.mark("crowd:rang");
  }

  /** Call until `stop`. */
  start() {
    this.stop();
    this.title = document.title;
    this.ringing = setInterval(() => this.#ring(), AGAIN);
    this.flashing = setInterval(() => this.#flash(), FLASH);
    this.#ring();
    this.#flash();
    if ("Notification" in window && Notification.permission === "granted" && document.hidden) {
      this.note = new Notification(say("your_turn"), { body: say("notice_body"), requireInteraction: true });
      this.note.onclick = () => window.focus();
    }
  }

  #flash() {
    const flash = say("your_turn_flash");
    document.title = document.title === flash ? say("your_turn") : flash;
  }

  stop() {
    clearInterval(this.ringing);
    clearInterval(this.flashing);
    this.note?.close();
    this.note = null;
    if (this.title !== undefined) document.title = this.title;
    this.title = undefined;
  }
}
