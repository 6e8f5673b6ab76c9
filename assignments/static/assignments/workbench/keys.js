/* Single keys: what each does, and when none of them is meant. */

import { make } from "./texts.js";

const TYPING = "input:not([type=radio], [type=checkbox], [type=button]), textarea, select, [contenteditable]";
const PRESSED_ITSELF = "button, a[href], summary";

/** The key as it is matched and shown. */
const named = (key) => (key.length === 1 ? key.toLowerCase() : key);

export class Keys {
  /** `enabled` is a setting: single keys can be turned off. */
  constructor({ enabled, onSubmit }) {
    Object.assign(this, { enabled, onSubmit });
    this.commands = new Map();
    this.choices = new Map();
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** A command, there as long as `when()`; a choice of the task with the same key goes before it. */
  command(key, label, run, when = () => true) {
    this.commands.set(named(key), { key, label, run, when });
  }

  /** The keys of the present task's choices: Map of key → function. */
  setChoices(choices) {
    this.choices = new Map([...choices].map(([key, run]) => [named(key), run]));
  }

  /** The commands that work now, for the list that people see. */
  list() {
    const free = [...this.commands].filter(([key]) => !this.choices.has(key));
    return free.map(([, command]) => command).filter(({ when }) => when());
  }

  /** Show them in a <dl>, after those of the choices. */
  show(list, choicesLabel) {
    const row = (keys, label) =>
      make("div", {}, make("dt", {}, ...keys.map((key) => make("kbd", {}, key))), make("dd", {}, label));
    const own = [...this.choices.keys()];
    const shown = own.length > 3 ? [own[0], "…", own.at(-1)] : own;
    const first = own.length ? [row(shown.map((key) => key.toUpperCase()), choicesLabel)] : [];
    list.replaceChildren(...first, ...this.list().map(({ key, label }) => row([key], label)));
  }

  #pressed(event) {
    if (event.defaultPrevented || event.isComposing || event.repeat || document.querySelector("dialog[open]")) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.altKey) {
      event.preventDefault();
      this.onSubmit();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest(TYPING)) return;
    if (event.key === "Enter") {
      if (target.closest(PRESSED_ITSELF)) return;
      event.preventDefault();
      this.onSubmit();
      return;
    }
    if (!this.enabled.get()) return;
    const run = this.choices.get(named(event.key)) ?? this.commands.get(named(event.key))?.run;
    if (run) {
      event.preventDefault();
      run();
    }
  }
}
