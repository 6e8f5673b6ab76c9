/* What is to be known whatever the room shows: of several things the gravest. It is said when it changes. */

const GRAVEST_FIRST = ["connection", "refused", "end", "budget"];

export class Notices {
  constructor(element) {
    this.element = element;
    this.sentences = new Map();
  }

  /** Let `kind`, one of those above, have this sentence; "": there is nothing to be said of it any more. */
  set(kind, sentence) {
    this.sentences.set(kind, sentence);
    const shown = GRAVEST_FIRST.map((each) => this.sentences.get(each)).find(Boolean) ?? "";
    // An alert is read out whenever it is written to.
    if (this.element.textContent !== shown) this.element.textContent = shown;
    this.element.hidden = !shown;
  }

  clear() {
    for (const kind of GRAVEST_FIRST) this.set(kind, "");
  }
}
