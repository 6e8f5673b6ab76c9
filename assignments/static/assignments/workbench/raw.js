/* An answer as JSON to type; where the queue has no schema, as plain text too. */

import { make, say } from "./texts.js";

/** See answer.js for what an answer's form offers. */
export class Raw {
  constructor(container, { plainToo, title, onChange }) {
    this.keys = new Map();
    this.plain = plainToo;
    this.field = make("textarea", { id: "answer-text", rows: 5, spellcheck: plainToo });
    this.field.setAttribute("aria-describedby", "answer-text-error");
    this.error = make("p", { id: "answer-text-error", className: "field-error" });
    this.field.addEventListener("input", () => {
      this.#say("");
      onChange();
    });
    this.modes = plainToo ? [this.#mode(say("as_text"), true), this.#mode(say("as_json"), false)] : [];
    const modes = plainToo
      ? make("fieldset", { className: "answer-modes" }, make("legend", {}, say("answer_as")), ...this.modes)
      : null;
    const label = make("label", { htmlFor: "answer-text", className: "answer-title" }, title);
    const hint = plainToo ? null : make("p", { className: "quiet" }, say("json_hint"));
    this.element = make("div", { className: "answer-raw" }, label, hint, modes, this.field, this.error);
    container.replaceChildren(this.element);
    this.onChange = onChange;
  }

  #mode(label, plain) {
    const input = make("input", { type: "radio", name: "answer-mode", checked: plain === this.plain });
    input.addEventListener("change", () => {
      this.plain = plain;
      this.#say("");
      this.onChange();
    });
    return make("label", {}, input, label);
  }

  #say(sentence) {
    this.error.textContent = sentence;
    if (sentence) this.field.setAttribute("aria-invalid", "true");
    else this.field.removeAttribute("aria-invalid");
  }

  read() {
    const text = this.field.value;
    if (!text.trim()) return { errors: [{ pointer: "", detail: null }] };
    if (this.plain) return { data: text };
    try {
      return { data: JSON.parse(text) };
    } catch (error) {
      return { errors: [{ pointer: "", detail: say("not_json", { reason: error.message }) }] };
    }
  }

  draft() {
    return this.field.value ? { text: this.field.value, plain: this.plain } : null;
  }

  restore(draft) {
    if (typeof draft?.text !== "string") return;
    this.field.value = draft.text;
    if (!this.modes.length) return;
    this.plain = Boolean(draft.plain);
    this.modes[this.plain ? 0 : 1].firstElementChild.checked = true;
  }

  text() {
    return this.field.value;
  }

  showErrors(errors) {
    this.#say(errors.map(({ detail }) => detail).join(" "));
    return [];
  }

  focusFirst() {
    this.field.focus();
  }

  destroy() {}
}
