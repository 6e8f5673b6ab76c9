/* Calls a worker who does something else meanwhile: a sound, the page's title, and a notification where they allow it. */

import { say } from "./texts.js";

const FLASH = 1000;
/** Seconds from one ring to the next, and for how long at most it rings. */
const [AGAIN, LONGEST] = [3, 120];
const NOTES = [660, 880, 990];
const NOTE = 0.18;
const LOUDNESS = 0.25;
/** What counts for a browser as somebody's doing something on the page. */
const GESTURES = ["pointerup", "keydown"];

/** Whether a form of ours, which somebody has sent, led to this page: then it may make a sound without more ado. */
const wasSentHere = () => performance.getEntriesByType("navigation")[0]?.redirectCount > 0;

export class Calling {
  /** `sound` and `notify`: the buttons. A browser makes a sound only for a page on which somebody has done something. */
  constructor({ sound, notify }) {
    Object.assign(this, { sound, notify });
    this.audio = null;
    this.rings = null;
    this.until = null;
    sound.addEventListener("click", () => this.#allowSound({ ring: true }));
    for (const gesture of GESTURES) document.addEventListener(gesture, () => this.#allowSound(), { once: true });
    if (wasSentHere()) this.#allowSound();
    if ("Notification" in window && Notification.permission === "default") {
      notify.hidden = false;
      notify.addEventListener("click", async () => {
        await Notification.requestPermission();
        notify.hidden = true;
      });
    }
  }

  get isCalling() {
    return this.until !== null;
  }

  async #allowSound({ ring = false } = {}) {
    try {
      this.audio ??= new AudioContext();
      await this.audio.resume();
    } catch {
      // A machine without a sound has the title.
      return;
    }
    if (this.sound.getAttribute("aria-pressed") !== "true") {
      this.sound.textContent = say("sound_on");
      this.sound.setAttribute("aria-pressed", "true");
    }
    if (this.isCalling) this.#ring((this.until - performance.now()) / 1000);
    else if (ring) this.#ring(NOTE);
  }

  /** Ring for so many seconds. All is planned now, on the audio's own clock: the timers of a hidden page are slow. */
  #ring(seconds) {
    if (this.audio?.state !== "running" || this.rings) return;
    const rings = new GainNode(this.audio, { gain: LOUDNESS });
    rings.connect(this.audio.destination);
    const now = this.audio.currentTime;
    let last;
    for (let at = now; at < now + Math.min(seconds, LONGEST); at += AGAIN) {
      for (const [index, frequency] of NOTES.entries()) {
        last = new OscillatorNode(this.audio, { frequency });
        last.connect(rings);
        last.start(at + index * NOTE);
        last.stop(at + (index + 1) * NOTE);
      }
    }
    this.rings = rings;
    if (last) last.onended = () => this.#hush(rings);
  }

  #hush(rings = this.rings) {
    rings?.disconnect();
    if (this.rings === rings) this.rings = null;
  }

  /** Call until `stop`; it is expected to come within so many seconds. */
  start(seconds) {
    this.stop();
    this.until = performance.now() + seconds * 1000;
    this.title = document.title;
    this.flashing = setInterval(() => this.#flash(), FLASH);
    this.#ring(seconds);
    this.#flash();
    if ("Notification" in window && Notification.permission === "granted" && document.hidden) this.#notify();
  }

  #notify() {
    try {
      this.note = new Notification(say("your_turn"), { body: say("notice_body"), requireInteraction: true });
      this.note.onclick = () => window.focus();
    } catch {
      // Phones show notifications of service workers alone.
    }
  }

  #flash() {
    const flash = say("your_turn_flash");
    document.title = document.title === flash ? say("your_turn") : flash;
  }

  stop() {
    this.until = null;
    this.#hush();
    clearInterval(this.flashing);
    this.note?.close();
    this.note = null;
    if (this.title !== undefined) document.title = this.title;
    this.title = undefined;
  }
}
