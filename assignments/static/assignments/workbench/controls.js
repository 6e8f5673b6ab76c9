/* The page's buttons, keys and dialogs, and the settings that a reviewer has. */

import { Keys } from "./keys.js";
import { setting } from "./outbox.js";
import { say } from "./texts.js";

const LARGER = 1.25;
const find = (selector) => document.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/** A checkbox that shows a setting and changes it. */
function bind(checkbox, remembered, onChange = () => {}) {
  checkbox.checked = remembered.get();
  checkbox.addEventListener("change", () => {
    remembered.set(checkbox.checked);
    onChange();
  });
}

export class Controls {
  /** `bench`: the Workbench, which does what is asked for. */
  constructor(bench, queue) {
    this.bench = bench;
    this.keysOn = setting("keys", true);
    this.keys = new Keys({ enabled: this.keysOn, onSubmit: () => bench.submit() });
    this.#commands();
    this.#buttons();
    for (const dialog of all("#bench dialog")) this.#dialog(dialog);
    bind(find("#at-once"), bench.atOnce);
    bind(find("#keys-on"), this.keysOn, () => this.#showKeys());
    this.#instructions(setting(`instructions:${queue}`, true));
    this.#showKeys();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && bench.stage.state === "empty") bench.look({ quiet: true });
    });
  }

  /** A task has come, with this form for its answer. */
  show(form) {
    this.keys.setChoices(form.keys);
    this.#showKeys();
    find("#at-once-row").hidden = !form.labels;
  }

  /** The task is gone. */
  clear() {
    this.keys.setChoices(new Map());
    for (const dialog of all("#bench dialog[open]")) dialog.close();
  }

  #commands() {
    const { bench, keys } = this;
    const pictures = () => bench.input?.pictures.length > 0;
    const lease = () => Boolean(bench.current?.expire_at);
    keys.command("Enter", say("key_submit"), () => bench.submit());
    keys.command("S", say("key_skip"), () => this.#openSkip());
    keys.command("E", say("key_extend"), () => bench.extend(), lease);
    keys.command("+", say("zoom_in"), () => this.#picture()?.zoom(LARGER), pictures);
    keys.command("-", say("zoom_out"), () => this.#picture()?.zoom(1 / LARGER), pictures);
    keys.command("F", say("fit_long"), () => this.#picture()?.fit(), pictures);
    keys.command("?", say("key_help"), () => find("#help-dialog").showModal());
  }

  /** The picture that the keys are about: the one with the focus, else the first. */
  #picture() {
    const pictures = (this.bench.input?.pictures ?? []).filter(({ broken }) => !broken);
    return pictures.find(({ element }) => element.contains(document.activeElement)) ?? pictures[0];
  }

  #openSkip() {
    if (this.bench.stage.state === "work" && !this.bench.busy) find("#skip-dialog").showModal();
  }

  #showKeys() {
    for (const list of all("[data-keys]")) this.keys.show(list, say("key_choice"));
    find("#keys-panel").hidden = !this.keysOn.get();
  }

  #buttons() {
    const { bench } = this;
    find("#answer").addEventListener("submit", (event) => {
      event.preventDefault();
      bench.submit();
    });
    find("#extend").addEventListener("click", () => bench.extend());
    find("#skip").addEventListener("click", () => this.#openSkip());
    find("#help").addEventListener("click", () => find("#help-dialog").showModal());
    find("#look").addEventListener("click", () => bench.look({ quiet: true }));
    find("#lost-next").addEventListener("click", () => bench.next());
    find("#session-continue")?.addEventListener("click", () => bench.goOn());
    for (const button of all("[data-copy]")) {
      button.addEventListener("click", () => this.#copy(find(button.dataset.copy)));
    }
  }

  /** The choices of a dialog have keys of their own, 1 to 9 in their order. */
  #dialog(dialog) {
    const choices = all("[data-skip]", dialog);
    for (const button of choices) {
      button.addEventListener("click", () => {
        dialog.close();
        this.bench.skip(button.dataset.skip === "" ? null : Number(button.dataset.skip));
      });
    }
    for (const button of all("[data-close]", dialog)) button.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    dialog.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !this.keysOn.get()) return;
      const button = event.key === "?" ? dialog.querySelector("button[data-close]") : choices[Number(event.key) - 1];
      if (!button) return;
      event.preventDefault();
      button.click();
    });
  }

  /** Open until a reviewer has closed them. */
  #instructions(open) {
    const instructions = find("#instructions");
    if (!instructions) return;
    instructions.open = open.get();
    instructions.addEventListener("toggle", () => open.set(instructions.open));
  }

  async #copy(field) {
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      // Without the right to the clipboard, selecting is what is left.
      field.select();
      document.execCommand("copy");
    }
    find("#copied").textContent = say("copied");
    this.bench.stage.say(say("copied"));
  }
}
