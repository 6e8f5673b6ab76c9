/* Keeps a page in touch with the site: by a socket that says when something happened, else by looking now and then.

   A push says "look again" and may be lost. So a page looks by itself too: each minute while its socket is open, each
   15 seconds while there is none, and says which of the two it is. A page that nobody sees does not look. */

export const EACH_WITH = 60_000;
const EACH_WITHOUT = 15_000;

/** How long a socket may be missing before the page says so: most come back at once. */
const GRACE = 3000;
/** A socket that is quiet for so long is asked for a sign of life, and given up where none comes. */
const QUIET = 25_000;
const PATIENCE = 10_000;
/** For so long a socket may take to open and to welcome us. */
const OPENING = 15_000;
/** Pauses between attempts, in ms; each is taken by chance from its upper half, so that not all come at once. */
const PAUSES = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000];
/** Where the server has had enough of us for a while. */
const LONG_PAUSE = 300_000;
/** A socket that lived for so long was a good one: the next pause is the first again. */
const GOOD = 10_000;

/** What the browser calls a connection that went without a word. */
const OFFLINE = 1006;
const REFUSALS = { 4401: "session", 4403: "forbidden", 4404: "missing", 4409: "elsewhere" };
const TOO_MANY = new Set([4429, 1008]);

/** A socket: `at` is a path, or has the host and port of another server, or is whole. Null where it is no address. */
function openSocket(at) {
  try {
    const url = new URL(at, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    return new WebSocket(url.href);
  } catch {
    return null;
  }
}

export class Live {
  /**
   * `at`: where the socket is, "" where there is none. `onMessage(message)` hears what the server says, which is asked
   * for a "state" when it is time to look; without a socket `onLook()` is called then. `onRefused(why)`: the server will
   * have no socket, because of "session", "forbidden", "missing" or "elsewhere"; it is not tried again before `start()`.
   * `onStatus(status)`: "live" or "polling", when that has changed. `status`: an element that tells people, in the words
   * of its data-live and data-polling. `greeting()`: what is said first, where the session does not say who is there.
   * `first`: the type of the message by which the server takes us. `eachWithout`: how often a page without a socket looks,
   * in ms; `unseen`: also while nobody sees it.
   */
  constructor({
    at,
    onMessage,
    onLook,
    onRefused = () => {},
    onStatus = () => {},
    status = null,
    greeting = null,
    first = "welcome",
    eachWithout = EACH_WITHOUT,
    unseen = false,
  }) {
    Object.assign(this, { at, onMessage, onLook, onRefused, onStatus, element: status });
    Object.assign(this, { greeting, first, eachWithout, unseen });
    this.running = false;
    this.status = null;
    this.attempt = 0;
    this.retry = null;
    document.addEventListener("visibilitychange", () => this.#wake());
    window.addEventListener("online", () => this.#wake());
    window.addEventListener("offline", () => this.socket && this.#lost(OFFLINE));
  }

  get isLive() {
    return this.status === "live";
  }

  /** Whether there is a socket and the server has taken it. */
  get #taken() {
    return this.socket?.readyState === WebSocket.OPEN && this.welcomedAt !== null;
  }

  /** Begin, or begin anew after the server had refused. */
  start() {
    this.stop();
    this.running = true;
    this.attempt = 0;
    this.#planLook();
    if (this.at) this.#connect();
    else this.#tell("polling");
  }

  /** Close the socket and do not look any more. */
  stop() {
    this.running = false;
    this.status = null;
    this.#drop();
    this.#dismiss();
    clearTimeout(this.looking);
    clearTimeout(this.grace);
    this.fearing = false;
  }

  /** Ask how things are: the server, which answers with a message of the type "state", or the page itself. */
  look() {
    this.#planLook();
    if (this.#taken) this.#send({ type: "look" });
    else this.onLook();
  }

  /** Say something, where there is a socket; whether there is. */
  say(message) {
    this.#send(message);
    return Boolean(this.#taken);
  }

  #connect() {
    this.#dismiss();
    this.#drop();
    if (!this.isLive) this.#fear();
    const socket = openSocket(this.at);
    this.socket = socket;
    this.welcomedAt = null;
    if (!socket) return;
    socket.onmessage = ({ data }) => this.#heard(data);
    if (this.greeting) socket.onopen = () => socket.send(JSON.stringify(this.greeting()));
    socket.onclose = ({ code }) => this.#lost(code);
    this.quiet = setTimeout(() => this.#lost(OFFLINE), OPENING);
  }

  #dismiss() {
    clearTimeout(this.retry);
    this.retry = null;
  }

  #heard(data) {
    this.#listen();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message.type === "pong") return;
    if (message.type === this.first && this.welcomedAt === null) {
      this.welcomedAt = performance.now();
      this.#tell("live");
      this.#planLook();
    }
    this.onMessage(message);
  }

  /** The socket has closed, or is as good as closed. */
  #lost(code) {
    const lived = this.welcomedAt === null ? 0 : performance.now() - this.welcomedAt;
    this.#drop();
    if (!this.running) return;
    if (code in REFUSALS) {
      this.#tell("polling");
      this.onRefused(REFUSALS[code]);
      return;
    }
    if (lived > GOOD) this.attempt = 0;
    const longest = TOO_MANY.has(code) ? LONG_PAUSE : PAUSES[Math.min(this.attempt, PAUSES.length - 1)];
    this.attempt += 1;
    this.retry = setTimeout(() => this.#connect(), longest * (0.5 + Math.random() / 2));
    if (TOO_MANY.has(code)) this.#tell("polling");
    else this.#fear();
  }

  /** If there is no socket soon, the page says so. */
  #fear() {
    if (this.fearing || this.status === "polling") return;
    this.fearing = true;
    this.grace = setTimeout(() => this.#tell("polling"), GRACE);
  }

  #tell(status) {
    clearTimeout(this.grace);
    this.fearing = false;
    if (this.status === status) return;
    this.status = status;
    if (this.element) {
      this.element.dataset.status = status;
      this.element.textContent = this.element.dataset[status];
    }
    if (status === "polling") this.#planLook();
    this.onStatus(status);
  }

  /** The sign of life: whatever comes puts it off. */
  #listen() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.#check(), QUIET);
  }

  #check() {
    clearTimeout(this.quiet);
    this.#send({ type: "ping" });
    this.quiet = setTimeout(() => this.#lost(OFFLINE), PATIENCE);
  }

  #send(message) {
    if (this.#taken) this.socket.send(JSON.stringify(message));
  }

  #drop() {
    clearTimeout(this.quiet);
    const { socket } = this;
    this.socket = null;
    if (!socket) return;
    // The browser may take a minute to find out that nobody is there.
    socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #planLook() {
    clearTimeout(this.looking);
    if (!this.running) return;
    const look = () => (document.hidden && !this.unseen ? this.#planLook() : this.look());
    this.looking = setTimeout(look, this.isLive ? EACH_WITH : this.eachWithout);
  }

  /** The network is back, or the page is seen again: what was missed meanwhile? */
  #wake() {
    if (!this.running || document.hidden) return;
    if (this.#taken) this.#check();
    else if (this.retry !== null) this.#connect();
    this.look();
  }
}
