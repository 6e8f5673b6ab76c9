/* The sentences that the scripts say, translated by the server; and the elements of the page. */

const said = JSON.parse(document.getElementById("workbench-texts").textContent);

/** The sentence `name` with its {placeholders} filled in. */
export function say(name, values = {}) {
  return said[name].replace(/(?<!\{)\{(\w+)\}/g, (_, key) => values[key]);
}

/** A new element: `make("p", {className: "quiet"}, "text", child, …)`. Strings become text, never markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const language = document.documentElement.lang || "en";
const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "always" });

/** A moment in the reader's own time: the clock alone where it is today. */
export function localTime(date) {
  return (date.toDateString() === new Date().toDateString() ? clock : dayAndClock).format(date);
}

/** "in 3 minutes", for so many milliseconds ahead. */
export function fromNow(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 90) return relative.format(seconds, "second");
  if (seconds < 90 * 60) return relative.format(Math.round(seconds / 60), "minute");
  if (seconds < 36 * 3600) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86400), "day");
}
