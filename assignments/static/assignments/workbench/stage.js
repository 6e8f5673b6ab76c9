/* Which of the page's states is seen, and what a screen reader hears of it. */

/** Where a task and its answer stand below each other. */
const narrow = matchMedia("(max-width: 59.99rem)");

export class Stage {
  constructor(root) {
    this.root = root;
    this.live = root.querySelector("#live");
    this.notice = root.querySelector("#notice");
    this.views = new Map([...root.querySelectorAll("[data-view]")].map((view) => [view.dataset.view, view]));
  }

  get state() {
    return this.root.dataset.state;
  }

  /** Show a view, and put the focus on its heading where another one stood before. */
  show(name, { focus = true } = {}) {
    const changed = this.state !== name;
    this.root.dataset.state = name;
    for (const [view, element] of this.views) element.hidden = view !== name;
    const view = this.views.get(name);
    if (focus && changed) this.focus(view);
    return view;
  }

  /** The focus to the heading of a view, brought into sight. */
  focus(view) {
    const heading = view.querySelector("h2");
    if (!heading) return;
    heading.focus({ preventScroll: true });
    if (narrow.matches) this.root.scrollIntoView({ block: "start" });
    else heading.scrollIntoView({ block: "nearest" });
  }

  /** Say it once, politely; the same sentence twice is said twice. */
  say(...sentences) {
    this.live.textContent = "";
    requestAnimationFrame(() => {
      this.live.textContent = sentences.filter(Boolean).join(" ");
    });
  }

  /** The notice above a view that goes on: no connection. Null takes it away. */
  warn(sentence) {
    this.notice.hidden = sentence === null;
    this.notice.querySelector("[data-text]").textContent = sentence ?? "";
    this.root.classList.toggle("is-offline", sentence !== null);
  }
}
