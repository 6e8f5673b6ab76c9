/* Speaks to the REST API: JSON, and problem documents told apart. Who asks is for credentials to say. */

const PATIENCE = 20_000;
const TOKEN = "meta[name=crowd-csrf]";
const USER = "meta[name=crowd-user]";

/**
 * Why a request brought nothing. `kind` is what the page does about it:
 * "unreachable" (try again, after `retryAfter` seconds at the earliest), "session" (sign in again), "invalid" (mend the
 * answer, see `errors`), "lost" (the assignment is not ours any more), "gone" (no access, or no such queue).
 */
export class Problem extends Error {
  constructor(kind, { status = 0, slug = "", detail = "", errors = [], retryAfter = 0, document = {} } = {}) {
    super(detail || slug || kind);
    Object.assign(this, { kind, status, slug, detail, errors, retryAfter, document });
  }
}

const LOST = new Set(["lease-expired", "assignment-closed"]);
const BUSY = new Set(["idempotency-busy", "idempotency-lost"]);

function kindOf(status, slug) {
  if (status >= 500 || status === 408 || status === 429 || BUSY.has(slug)) return "unreachable";
  if (status === 401 || slug === "not-authenticated") return "session";
  if (LOST.has(slug)) return "lost";
  if (status === 403 || status === 404 || slug === "queue-archived") return "gone";
  return "invalid";
}

/** Seconds from a Retry-After header, which holds seconds or a date. */
function secondsToWait(header) {
  if (!header) return 0;
  const seconds = Number(header);
  return Number.isFinite(seconds) ? seconds : Math.max(0, (Date.parse(header) - Date.now()) / 1000) || 0;
}

/** Known by the session's cookie and the CSRF token, both of which came with this page. */
export class SessionCredentials {
  constructor() {
    this.token = document.querySelector(TOKEN).content;
    this.user = document.querySelector(USER).content;
  }

  headers() {
    return { "X-CSRFToken": this.token };
  }

  /** Signing in elsewhere changes the token and nothing else: that needs no question to the reviewer. */
  isStale({ status, detail }) {
    return status === 403 && detail.startsWith("CSRF");
  }

  /**
   * Look at this page again for a fresh CSRF token: "renewed"; "signed-out" while nobody is signed in; "other" where it
   * is somebody else now. Throws Problem where the server cannot be reached.
   */
  async renew(api) {
    const { page, response } = await api.page();
    const user = page.querySelector(USER)?.content;
    if (user === undefined) return response.redirected ? "signed-out" : "other";
    if (user !== this.user) return "other";
    this.token = page.querySelector(TOKEN).content;
    return "renewed";
  }
}

export class Api {
  /**
   * `onDate(serverTime, sentAt, receivedAt)`, all in ms, is told of each answer's Date header. `credentials`: whose
   * `user` it is, the `headers()` that say so, whether a problem `isStale`, and how to `renew(api)`.
   */
  constructor({ onDate = () => {}, credentials = new SessionCredentials() } = {}) {
    Object.assign(this, { onDate, credentials });
  }

  get user() {
    return this.credentials.user;
  }

  /** The JSON that the server answers to a POST. Throws Problem. */
  post(url, body, { key = null } = {}) {
    return this.#fresh(() => this.#post(url, body, key));
  }

  /** The JSON that the server answers to a GET. Throws Problem. */
  get(url) {
    return this.#fresh(() => {
      const headers = { Accept: "application/json", ...this.credentials.headers() };
      return this.#send(url, { headers, cache: "no-store" });
    });
  }

  /** What `send` brings, with fresh credentials where those that there were have become stale. */
  async #fresh(send) {
    try {
      return await send();
    } catch (problem) {
      if (!this.credentials.isStale(problem)) throw problem;
      if ((await this.renew()) !== "renewed") throw new Problem("session", problem);
      return send();
    }
  }

  /** Fresh credentials: "renewed", or why there are none. Throws Problem. */
  renew() {
    return this.credentials.renew(this);
  }

  #post(url, body, key) {
    const headers = {
      "Content-Type": "application/json",
      Accept: "application/json",
      ...this.credentials.headers(),
    };
    if (key) headers["Idempotency-Key"] = key;
    return this.#send(url, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async #send(url, options) {
    const { response, text } = await this.#fetch(url, { ...options, credentials: "same-origin" });
    let document = null;
    try {
      document = text ? JSON.parse(text) : {};
    } catch {
      // Something between us and the server answered in its stead.
    }
    if (response.ok && document !== null) return document;
    if (response.ok) throw new Problem("unreachable", { status: response.status });
    const { type = "", detail = "", title = "", errors = [] } = document ?? {};
    const slug = type.split(":").pop();
    throw new Problem(kindOf(response.status, slug), {
      status: response.status,
      slug,
      detail: detail || title,
      errors,
      retryAfter: secondsToWait(response.headers.get("Retry-After")),
      document: document ?? {},
    });
  }

  async #fetch(url, options) {
    const sentAt = Date.now();
    try {
      const response = await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE) });
      const date = Date.parse(response.headers.get("Date") ?? "");
      if (Number.isFinite(date)) this.onDate(date, sentAt, Date.now());
      return { response, text: await response.text() };
    } catch {
      throw new Problem("unreachable");
    }
  }

  /** This page as the server has it now, `{page, response}`. Throws Problem where the server cannot be reached. */
  async page() {
    const { response, text } = await this.#fetch(location.href, { credentials: "same-origin", cache: "no-store" });
    if (response.status >= 500) throw new Problem("unreachable", { status: response.status });
    return { page: new DOMParser().parseFromString(text, "text/html"), response };
  }
}
