/* One picture: fitted into its frame, enlarged, moved about; or a sentence where it cannot be shown. */

import { make, say } from "./texts.js";

const SMALL = 200;
/** A small picture is enlarged to so many pixels, where the frame has room. */
const ENLARGED = 384;
const STEP = 1.25;
const MOST = 32;

export class Picture {
  constructor(address, title) {
    this.image = make("img", { alt: title, decoding: "async", draggable: false });
    this.frame = make("div", { className: "picture-frame", role: "group", "aria-label": title }, this.image);
    this.scale = null;
    this.broken = false;
    this.tools = make(
      "div",
      { className: "picture-tools", role: "group", "aria-label": say("picture_tools", { title }) },
      this.#tool("−", say("zoom_out"), () => this.zoom(1 / STEP)),
      this.#tool(say("fit"), say("fit_long"), () => this.fit()),
      this.#tool("+", say("zoom_in"), () => this.zoom(STEP)),
    );
    this.element = make("figure", { className: "picture" }, this.frame, this.tools);
    this.ready = new Promise((resolve) => {
      this.image.addEventListener("load", () => {
        this.image.classList.toggle("is-small", Math.max(this.image.naturalWidth, this.image.naturalHeight) <= SMALL);
        if (this.scale === null) this.fit();
        resolve();
      });
      this.image.addEventListener("error", () => {
        this.#broken(address);
        resolve();
      });
    });
    this.image.src = address;
    this.#dragging();
    this.resizing = new ResizeObserver(() => this.scale === null && this.fit());
    this.resizing.observe(this.frame);
  }

  destroy() {
    this.resizing.disconnect();
  }

  /** As large as the frame allows; a small picture not larger than ENLARGED. */
  fit() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    if (!width || !height) return;
    const room = Math.min(this.frame.clientWidth / width, this.frame.clientHeight / height);
    const most = Math.max(1, ENLARGED / Math.max(width, height));
    this.scale = null;
    this.#apply(Math.min(room, most));
  }

  /** Larger or smaller by a factor, around the middle of what is seen. */
  zoom(factor) {
    const { naturalWidth: width } = this.image;
    if (!width) return;
    const before = this.shown;
    this.scale = Math.min(MOST, Math.max(this.#least(), before * factor));
    const { frame } = this;
    const [x, y] = [frame.scrollLeft + frame.clientWidth / 2, frame.scrollTop + frame.clientHeight / 2];
    this.#apply(this.scale);
    const grown = this.scale / before;
    frame.scrollTo(x * grown - frame.clientWidth / 2, y * grown - frame.clientHeight / 2);
  }

  #least() {
    const { naturalWidth: width, naturalHeight: height } = this.image;
    return Math.min(1, this.frame.clientWidth / width, this.frame.clientHeight / height) / 4;
  }

  #apply(scale) {
    this.shown = scale;
    this.image.style.width = `${this.image.naturalWidth * scale}px`;
    this.image.style.height = `${this.image.naturalHeight * scale}px`;
    const { frame } = this;
    const larger = frame.scrollWidth > frame.clientWidth + 1 || frame.scrollHeight > frame.clientHeight + 1;
    frame.classList.toggle("can-move", larger);
    // What can be scrolled must be reached by the keyboard.
    if (larger) frame.tabIndex = 0;
    else frame.removeAttribute("tabindex");
  }

  #tool(text, label, run) {
    const button = make("button", { type: "button", "aria-label": label, title: label }, text);
    button.addEventListener("click", run);
    return button;
  }

  #broken(address) {
    this.broken = true;
    const shown = address.length > 300 ? `${address.slice(0, 300)}…` : address;
    this.element.replaceChildren(
      make("p", { className: "picture-broken" }, say("picture_broken"), " ", make("code", {}, shown)),
    );
  }

  /** A mouse drags; a finger scrolls by itself. */
  #dragging() {
    const { frame } = this;
    let from = null;
    frame.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0 || !frame.classList.contains("can-move")) return;
      from = { x: event.clientX + frame.scrollLeft, y: event.clientY + frame.scrollTop };
      frame.setPointerCapture(event.pointerId);
      frame.classList.add("is-moving");
    });
    frame.addEventListener("pointermove", (event) => {
      if (from) frame.scrollTo(from.x - event.clientX, from.y - event.clientY);
    });
    const end = () => {
      from = null;
      frame.classList.remove("is-moving");
    };
    frame.addEventListener("pointerup", end);
    frame.addEventListener("pointercancel", end);
  }
}
