/* A form for a schema, built by Jedison. What is ours: the answer read back from it (what was left empty is left out),
   checked against the queue's own schema, and what is wrong, in words at the fields. */

import { forForm, typeOf } from "./form-schema.js";
import { isObject, options, TooHard } from "./schema.js";
import { make, say } from "./texts.js";

/** Errors about what is inside, which stand there already. */
const ABOUT_PARTS = new Set(["properties", "items", "prefixItems", "required"]);

let library = null;

/** Load Jedison once; rejects where it is not there. */
export function loadLibrary(address) {
  if (!address) return Promise.reject(new Error());
  library ??= new Promise((resolve, reject) => {
    const script = make("script", { src: address });
    script.addEventListener("load", () => {
      if (!globalThis.Jedison) return reject(new Error());
      keepFieldsInPlace(globalThis.Jedison);
      return resolve(globalThis.Jedison);
    });
    script.addEventListener("error", () => reject(new Error()));
    document.head.append(script);
  });
  return library;
}

/**
 * Jedison puts all fields of an object or a list into the page anew with every change: a click that leaves a changed
 * field would be lost under the mouse, and a text lose its place. Let it do so only where the fields are others.
 */
function keepFieldsInPlace({ EditorObject, EditorArray }) {
  const others = (editor) => {
    const { fields: before = null } = editor;
    const shown = editor.instance.children.filter((child) => child.isActive);
    const fields = shown.map((child) => child.ui.control.container);
    const same = fields.length === before?.length && fields.every((field, index) => field === before[index]);
    editor.fields = fields;
    return !same;
  };
  for (const [{ prototype }, method] of [[EditorObject, "refreshEditors"], [EditorArray, "refreshUI"]]) {
    const refresh = prototype[method];
    prototype[method] = function refreshWhereOthers() {
      if (others(this)) refresh.call(this);
    };
  }
}

/** See answer.js for what an answer's form offers. */
export class Form {
  /** Throws where Jedison cannot make a form of the schema. */
  constructor(container, schema, Jedison, { title, words, onChange }) {
    Object.assign(this, { schema, words });
    this.keys = new Map();
    this.failed = false;
    this.touched = false;
    const ready = forForm(schema, title, words);
    const place = make("div", { className: "answer-form" });
    container.replaceChildren(place);
    this.jedison = new Jedison.Create({
      container: place,
      theme: new Jedison.Theme(),
      schema: ready,
      id: "answer",
      language: "en",
      translations: { en: { errorMinItems: say("at_least"), errorMaxItems: say("at_most") } },
      showErrors: "never",
      editJsonData: false,
      objectAdd: false,
      arrayDeleteConfirm: false,
      arrayMove: false,
      btnIcons: false,
      useConstraintAttributes: false,
    });
    if ([...this.jedison.instances.values()].some((instance) => !instance.ui)) throw new TooHard("no editor for a part");
    this.place = place;
    this.#mend();
    this.jedison.on("change", () => {
      this.touched = true;
      this.#mend();
      if (this.failed) this.showErrors(this.#gather().errors ?? []);
      onChange();
    });
    // Jedison hears of a text when its field is left; what is being typed must be kept before.
    place.addEventListener("input", ({ target }) => {
      if (target.matches("textarea, input[type=text]")) target.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  /** Small faults of the generated HTML: labels without a field, messages that nothing points to. */
  #mend() {
    for (const legend of this.place.querySelectorAll("legend")) legend.removeAttribute("aria-labelledby");
    for (const hidden of this.place.querySelectorAll("legend input[type=hidden]")) hidden.remove();
    for (const label of this.place.querySelectorAll("legend label")) {
      label.replaceWith(make("span", { className: label.className, id: label.id }, ...label.childNodes));
    }
  }

  /** A number that is still being typed counts as it stands. */
  #commit() {
    const field = document.activeElement;
    if (this.place.contains(field) && field.matches("input:not([type=checkbox], [type=radio]), textarea")) {
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
  }

  read() {
    this.#commit();
    return this.#gather();
  }

  #gather() {
    const errors = [];
    const data = this.#collect(this.schema, this.jedison.getValue(), "", true, errors);
    return errors.length ? { errors } : { data };
  }

  /** The answer that stands in the form, undefined where nothing does; what is wrong is put into `errors`. */
  #collect(schema, value, pointer, required, errors) {
    const type = typeOf(schema);
    const listed = options(schema, this.words);
    let answer = value;
    if (listed) answer = listed.find(({ label }) => label === value)?.value;
    else if (type === "number" || type === "integer") answer = value ?? undefined;
    else if (type === "string") answer = value === "" && !required ? undefined : value;
    else if (type === "object" && isObject(value)) answer = this.#members(schema, value, pointer, required, errors);
    else if (type === "array" && Array.isArray(value) && isObject(schema.items)) {
      answer = value.map((item, index) => this.#collect(schema.items, item, `${pointer}/${index}`, true, errors));
      if (!answer.length && !required) return undefined;
    }
    if (answer === undefined) {
      if (required) errors.push({ pointer, detail: say(listed ? "choose_one" : "fill_in") });
      return undefined;
    }
    this.#check(schema, answer, pointer, errors);
    return answer;
  }

  #members(schema, value, pointer, required, errors) {
    const needed = new Set(schema.required ?? []);
    const found = [];
    const inside = [];
    for (const [name, part] of Object.entries(schema.properties ?? {})) {
      const key = name.replaceAll("~", "~0").replaceAll("/", "~1");
      const member = isObject(part)
        ? this.#collect(part, value[name], `${pointer}/${key}`, needed.has(name), inside)
        : value[name];
      if (member !== undefined) found.push([name, member]);
    }
    // What may be missing as a whole is not asked for in part.
    if (!found.length && !required) return undefined;
    errors.push(...inside);
    const more = Object.entries(value).filter(([name]) => !(name in (schema.properties ?? {})));
    return Object.fromEntries([...found, ...more]);
  }

  #check(schema, answer, pointer, errors) {
    if (errors.some((error) => error.pointer.startsWith(pointer) && error.pointer !== "")) return;
    let found = [];
    try {
      found = this.jedison.validator.getErrors(answer, schema, "", pointer);
    } catch {
      // A pattern that this browser cannot read: the server can.
    }
    for (const { constraint, messages } of found.filter((error) => !ABOUT_PARTS.has(error.constraint))) {
      errors.push({ pointer, detail: messages.join(" "), constraint });
    }
  }

  draft() {
    return this.jedison.getValue();
  }

  restore(draft) {
    this.jedison.setValue(draft);
    this.#mend();
  }

  text() {
    if (!this.touched) return "";
    const errors = [];
    const answer = this.#collect(this.schema, this.jedison.getValue(), "", false, errors);
    return answer === undefined ? "" : JSON.stringify(answer, null, 2);
  }

  /** Show errors at their fields; the ones that have none are returned. */
  showErrors(errors) {
    this.failed = errors.length > 0;
    const at = ({ pointer }) => `#${pointer.replaceAll("~1", "/").replaceAll("~0", "~")}`;
    const known = errors.filter((error) => this.jedison.instances.get(at(error))?.ui?.control.container.isConnected);
    this.jedison.showValidationErrors(
      known.map((error) => ({ type: "error", path: at(error), messages: [error.detail], constraint: "answer" })),
    );
    return errors.filter((error) => !known.includes(error));
  }

  focusFirst() {
    const field = this.place.querySelector("[aria-invalid=true]") ?? this.place.querySelector("input, textarea, select");
    field?.focus();
  }

  destroy() {
    this.jedison.destroy();
  }
}
