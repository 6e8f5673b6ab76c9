/* Keeps the desk fresh: fetches the page now and then, takes over what has changed, and counts the leases down. */

import { localize } from "./desk-times.js";
import { Live } from "./live.js";

const PATIENCE = 10_000;
/** A lease that ends within so many seconds is about to lapse. */
const SHORT = 60;

const find = (selector) => document.querySelector(selector);
const away = find("#desk-away");
const signedOut = find("#desk-signed-out");

/** The desk as it is now: a document, or null where somebody has to sign in first. Throws where there is no answer. */
async function fetchPage() {
  const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (response.redirected) return null;
  if (!response.ok) throw new Error(`The site answered ${response.status}.`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

/** What is in place of `#id` there comes here; what has the focus keeps it. */
function takeOver(page, id) {
  const [mine, theirs] = [document.getElementById(id), page.getElementById(id)];
  if (!theirs || mine.innerHTML === theirs.innerHTML) return;
  const focused = mine.contains(document.activeElement) ? document.activeElement.id : "";
  mine.innerHTML = theirs.innerHTML;
  if (focused) document.getElementById(focused)?.focus();
}

/** Queue by queue where the queues are the same, so that nothing flickers; else all at once. */
function show(page) {
  const ids = (root) => [...root.querySelectorAll("[data-live]")].map((element) => element.id);
  localize(page);
  const [mine, theirs] = [ids(document), ids(page)];
  const same = mine.length > 0 && mine.join() === theirs.join();
  for (const id of [...(same ? mine : ["desk-places"]), "desk-as-of"]) takeOver(page, id);
  receivedAt = performance.now();
}

let receivedAt = performance.now();

async function refresh() {
  try {
    const page = await fetchPage();
    away.hidden = true;
    signedOut.hidden = page !== null;
    if (page === null) return;
    show(page);
    tick();
  } catch {
    away.textContent = away.dataset.away;
    away.hidden = false;
  }
}

/** "4:09", "1:02:03". */
function clock(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

/** What is left of each lease, by how long ago the server said it: this machine's own clock may be wrong. */
function tick() {
  const passed = (performance.now() - receivedAt) / 1000;
  for (const element of document.querySelectorAll("[data-seconds-left]")) {
    const left = Math.max(0, Math.round(element.dataset.secondsLeft - passed));
    element.textContent = `(${clock(left)})`;
    element.closest("li").classList.toggle("is-short", left <= SHORT);
  }
}

setInterval(tick, 1000);
tick();
// A socket tells of one queue. A reviewer of twenty would need twenty for a page that is only passed through.
new Live({ at: "", onLook: refresh, status: find("#desk-polling") }).start();
