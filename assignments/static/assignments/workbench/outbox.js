/* What must outlive the page: what is still to be sent, what is being typed, what could not be sent any more. */

const DRAFTS_KEPT = 7 * 24 * 3600 * 1000;
const inMemory = new Map();

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? inMemory.get(key) ?? null;
  } catch {
    return inMemory.get(key) ?? null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    inMemory.delete(key);
  } catch {
    // No storage, or none left: as long as the page lives, this does.
    inMemory.set(key, value);
  }
}

function forget(key) {
  inMemory.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    // Then nothing was kept there.
  }
}

/** Storage of one reviewer in one queue; tabs share it, so each call reads it anew. */
export class Outbox {
  constructor(user, queue) {
    this.waiting = `crowd:outbox:${user}:${queue}`;
    this.lost = `crowd:lost:${user}:${queue}`;
    this.drafts = `crowd:draft:${user}:${queue}:`;
    this.#purge();
  }

  /** What is to be sent, oldest first: `{id, kind, assignment, body}`. */
  pending() {
    return read(this.waiting) ?? [];
  }

  put(entry) {
    write(this.waiting, [...this.pending().filter(({ id }) => id !== entry.id), entry]);
  }

  remove(id) {
    const left = this.pending().filter((entry) => entry.id !== id);
    if (left.length) write(this.waiting, left);
    else forget(this.waiting);
  }

  draft(assignment) {
    return read(this.drafts + assignment)?.data ?? null;
  }

  keepDraft(assignment, data) {
    write(this.drafts + assignment, { at: Date.now(), data });
  }

  dropDraft(assignment) {
    forget(this.drafts + assignment);
  }

  /** An answer that came too late, `{text, why}`, or null. */
  lostAnswer() {
    return read(this.lost);
  }

  keepLostAnswer(answer) {
    write(this.lost, answer);
  }

  dropLostAnswer() {
    forget(this.lost);
  }

  #purge() {
    let keys = [];
    try {
      keys = Object.keys(localStorage);
    } catch {
      return;
    }
    for (const key of keys.filter((name) => name.startsWith("crowd:draft:"))) {
      if (!((read(key)?.at ?? 0) > Date.now() - DRAFTS_KEPT)) forget(key);
    }
  }
}

/** A setting of this browser: remembered under `name`, `fallback` until it is set. */
export function setting(name, fallback) {
  const key = `crowd:setting:${name}`;
  return { get: () => read(key) ?? fallback, set: (value) => write(key, value) };
}
