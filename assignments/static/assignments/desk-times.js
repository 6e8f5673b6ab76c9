/* Says times in the reader's own zone and language; where there are no scripts, the server's stay with their zone. */

const language = document.documentElement.lang || "en";
const FORMS = {
  clock: new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit", second: "2-digit" }),
  full: new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }),
};
const whole = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "long" });

/** Rewrite every `<time data-local="clock | full">` below `root`; the whole of it is in the title. */
export function localize(root) {
  for (const element of root.querySelectorAll("time[data-local]")) {
    const moment = new Date(element.dateTime);
    element.textContent = FORMS[element.dataset.local].format(moment);
    element.title = whole.format(moment);
  }
}

localize(document);
