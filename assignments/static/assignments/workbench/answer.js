/* Which form an answer's schema gets: large buttons, fields, or JSON to type.

   Each form has `read()` → `{data}` or `{errors: [{pointer, detail}]}` (a detail of null: nothing was given), `draft()`
   and `restore(draft)`, `text()` for people ("" while empty), `showErrors(errors)` → those it has no place for,
   `focusFirst()`, `keys` (Map of key → function), `labels` (of the buttons, where there are any) and `destroy()`. */

import { Choices } from "./choices.js";
import { Form, loadLibrary } from "./form.js";
import { Raw } from "./raw.js";
import { isObject, loneChoice, resolved } from "./schema.js";
import { say } from "./texts.js";

export class AnswerForms {
  constructor({ schema, library, onChange, onPick }) {
    Object.assign(this, { library, onChange, onPick });
    this.hasSchema = schema !== null && schema !== true;
    this.words = { true: say("yes"), false: say("no"), null: say("nothing") };
    try {
      this.schema = this.hasSchema ? resolved(schema) : null;
    } catch {
      this.schema = null;
    }
    this.choice = loneChoice(this.schema, this.words);
  }

  /** Load what the forms need; with buttons, that is nothing. */
  async prepare() {
    if (this.choice || !isObject(this.schema)) return;
    try {
      this.Jedison = await loadLibrary(this.library);
    } catch {
      this.Jedison = null;
    }
  }

  /** A fresh form in `container`. */
  make(container) {
    if (this.choice) {
      const title = this.choice.title || say("your_answer");
      return new Choices(container, { ...this.choice, title }, this);
    }
    const title = this.schema?.title ?? say("your_answer");
    if (this.Jedison) {
      try {
        return new Form(container, this.schema, this.Jedison, { title, words: this.words, onChange: this.onChange });
      } catch {
        // Whatever it is that no form can be made of can be typed.
      }
    }
    return new Raw(container, { plainToo: !this.hasSchema, title, onChange: this.onChange });
  }
}
