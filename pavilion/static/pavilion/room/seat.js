/* Speaks for the seat: its token, its API, and who may use it. */

/** Why the server refused. `slug`: of the problem, "" where there was no answer. */
export class Refused extends Error {
  constructor(status, { type = "", detail = "" } = {}) {
    super(detail);
    Object.assign(this, { status, slug: type.split(":").pop(), detail });
  }
}

const PATIENCE = 20_000;

async function send(url, options) {
  let response;
  let body = {};
  try {
    response = await fetch(url, {
      ...options,
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(PATIENCE),
    });
    body = await response.json();
  } catch {
    if (!response) throw new Refused(0);
  }
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

export class Seat {
  /** `data`: what the page says of the seat: where to `enter`, and the `addresses` of its API. */
  constructor(data) {
    this.data = data;
    this.connection = null;
    this.token = null;
    // The workbench keeps what was typed under this name.
    this.user = `worker-${data.worker}`;
  }

  /** Let this window speak for the seat, or, where it does, have a fresh token; what the server says. Throws Refused. */
  async enter({ anew = false } = {}) {
    const connection = anew ? null : this.connection;
    const answer = await send(this.data.enter, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ connection }),
    });
    this.token = answer.token;
    this.connection = answer.connection;
    return answer;
  }

  headers() {
    return { Authorization: `Seat ${this.token}` };
  }

  isStale({ status }) {
    return status === 401;
  }

  /** As the workbench asks for it. */
  async renew() {
    try {
      const { token } = await this.enter();
      return token ? "renewed" : "signed-out";
    } catch (refused) {
      return refused.slug === "seat-elsewhere" ? "other" : "signed-out";
    }
  }

  /** How the seat stands. Throws Refused. */
  state() {
    return this.#asked(() => send(this.data.addresses.state, { headers: this.headers() }));
  }

  /** Confirm, submit, or give back (`what`): how the seat stands then. Throws Refused. */
  tell(what) {
    return this.#asked(() =>
      send(this.data.addresses[what], {
        method: "POST",
        headers: { "Content-Type": "application/json", ...this.headers() },
        body: "{}",
      }),
    );
  }

  async #asked(ask) {
    try {
      return await ask();
    } catch (refused) {
      if (refused.status !== 401) throw refused;
      await this.enter();
      return ask();
    }
  }
}
