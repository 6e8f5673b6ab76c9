/* One of a few: large buttons, which are radio buttons to a keyboard and to a screen reader. */

import { make } from "./texts.js";

const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0"];

/** The key of each option: its own letter where every label is one, else 1 to 9 and 0; null beyond the tenth. */
export function keysFor(options) {
  const labels = options.map(({ label }) => label.toLowerCase());
  const single = labels.every((label) => [...label].length === 1 && label !== " ");
  const own = single && new Set(labels).size === labels.length;
  return own ? labels : labels.map((_, index) => KEYS[index] ?? null);
}

/** See answer.js for what an answer's form offers. */
export class Choices {
  constructor(container, choice, { onChange, onPick }) {
    this.choice = choice;
    this.onPick = onPick;
    this.keys = new Map();
    const keys = keysFor(choice.options);
    const ownKeys = keys.every((key, index) => key === choice.options[index].label.toLowerCase());
    this.inputs = choice.options.map((_, index) => make("input", { type: "radio", name: "choice", value: `${index}` }));
    const buttons = choice.options.map(({ label }, index) => {
      const cap = keys[index] === null || ownKeys ? null : make("kbd", { "aria-hidden": "true" }, keys[index]);
      const text = make("span", { className: "choice-label" }, label);
      return make("label", { className: "choice" }, this.inputs[index], text, cap);
    });
    const longest = Math.max(...choice.options.map(({ label }) => label.length));
    const group = make("div", { className: longest <= 3 ? "choices is-short" : "choices" }, ...buttons);
    if (ownKeys) group.classList.add("has-own-keys");
    const legend = make("legend", { className: "answer-title" }, choice.title);
    const description = choice.description ? make("p", { className: "quiet" }, choice.description) : null;
    this.element = make("fieldset", { className: "answer-choices" }, legend, description, group);
    container.replaceChildren(this.element);

    keys.forEach((key, index) => key !== null && this.keys.set(key, () => this.#pick(index)));
    this.inputs.forEach((input, index) => {
      input.addEventListener("change", onChange);
      // The arrow keys choose by a click too, on their way to another; only a real one has a place.
      input.closest("label").addEventListener("click", (event) => {
        if (event.target !== input && event.detail > 0) this.pointed = index;
        if (event.target === input && (this.pointed === index || event.detail > 0)) {
          this.pointed = null;
          input.checked = true;
          onPick();
        }
      });
    });
  }

  get labels() {
    return this.choice.options.map(({ label }) => label);
  }

  #pick(index) {
    const input = this.inputs[index];
    input.checked = true;
    input.focus({ preventScroll: true });
    input.dispatchEvent(new Event("change", { bubbles: true }));
    this.onPick();
  }

  #chosen() {
    return this.inputs.findIndex((input) => input.checked);
  }

  read() {
    const index = this.#chosen();
    if (index < 0) return { errors: [{ pointer: "", detail: null }] };
    return { data: this.choice.wrap(this.choice.options[index].value) };
  }

  draft() {
    const index = this.#chosen();
    return index < 0 ? null : this.choice.options[index].value;
  }

  restore(draft) {
    const index = this.choice.options.findIndex(({ value }) => value === draft);
    if (index >= 0) this.inputs[index].checked = true;
  }

  text() {
    const index = this.#chosen();
    return index < 0 ? "" : this.choice.options[index].label;
  }

  showErrors(errors) {
    this.element.classList.toggle("has-errors", errors.length > 0);
    return errors;
  }

  focusFirst() {
    this.inputs[Math.max(0, this.#chosen())].focus();
  }

  destroy() {}
}
