/* Shows what is asked. Whatever a task brings becomes text, a picture or a plain link, and never markup. */

import { Picture } from "./picture.js";
import { isObject, propertyNames } from "./schema.js";
import { make, say } from "./texts.js";

const DEEPEST = 12;
const PICTURE_DATA = /^data:image\/[a-z0-9.+-]+[;,]/i;
const PICTURE_ENDING = /\.(apng|avif|bmp|gif|ico|jpe?g|png|svg|webp)$/i;
const PICTURE_NAME = /^(.*_)?(image|img|picture|photo)s?(_?(url|uri|src))?s?$/i;
const ADDRESS = /^(https?:\/\/|\/(?!\/)|\.{1,2}\/)[^\s]*$/i;
const LINK = /^https?:\/\/[^\s]+$/i;
const LONG = 60;

const isScalar = (value) => value === null || typeof value !== "object";

function isPicture(value, name, schema) {
  if (typeof value !== "string") return false;
  if (PICTURE_DATA.test(value)) return true;
  const meant = PICTURE_NAME.test(name) || String(schema?.contentMediaType ?? "").startsWith("image/");
  const ending = PICTURE_ENDING.test(value.split(/[?#]/)[0]);
  const address = ADDRESS.test(value) || (ending && !/[\s:]/.test(value));
  return address && (meant || ending);
}

/** A schema's part that is about one member of a value; {} where it says nothing. */
function below(schema, key) {
  const part = typeof key === "number" ? (schema?.prefixItems?.[key] ?? schema?.items) : schema?.properties?.[key];
  return isObject(part) ? part : {};
}

/** "image_url" → "Image url". */
function titleOf(name, schema) {
  if (schema?.title) return schema.title;
  const words = String(name).replaceAll(/[_-]+/g, " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : say("task_input");
}

class View {
  constructor() {
    this.pictures = [];
  }

  any(value, name, schema, depth) {
    if (isPicture(value, name, schema)) {
      const picture = new Picture(value, titleOf(name, schema));
      this.pictures.push(picture);
      return picture.element;
    }
    if (typeof value === "string") return this.text(value);
    if (isScalar(value)) return make("span", { className: "value" }, this.word(value));
    if (depth > DEEPEST) return make("pre", { className: "value" }, JSON.stringify(value, null, 2));
    return Array.isArray(value) ? this.list(value, name, schema, depth) : this.members(value, schema, depth);
  }

  word(value) {
    return { true: say("yes"), false: say("no"), null: say("nothing") }[String(value)] ?? String(value);
  }

  text(value) {
    if (value === "") return make("span", { className: "value quiet" }, say("empty_text"));
    if (LINK.test(value)) {
      const link = make("a", { href: value, target: "_blank", rel: "noopener noreferrer" }, value);
      return make("span", { className: "value" }, link);
    }
    return make(value.length > LONG || value.includes("\n") ? "p" : "span", { className: "value text" }, value);
  }

  list(values, name, schema, depth) {
    if (!values.length) return make("span", { className: "value quiet" }, say("empty_list"));
    const short = values.every((value) => isScalar(value) && String(value).length <= LONG);
    const items = values.map((value, index) =>
      make("li", {}, this.any(value, name, below(schema, index), depth + 1)),
    );
    const pictures = values.some((value) => isPicture(value, name, below(schema, 0)));
    return make(short && !pictures ? "ul" : "ol", { className: short && !pictures ? "chips" : "tree" }, ...items);
  }

  members(value, schema, depth) {
    const names = Object.keys(value);
    if (!names.length) return make("span", { className: "value quiet" }, say("empty_list"));
    const declared = propertyNames(schema).filter((name) => names.includes(name));
    const rows = [...declared, ...names.filter((name) => !declared.includes(name))].map((name) => {
      const part = below(schema, name);
      return make(
        "div",
        { className: isScalar(value[name]) ? "row" : "row is-deep" },
        make("dt", {}, titleOf(name, part)),
        make("dd", {}, this.any(value[name], name, part, depth + 1)),
      );
    });
    return make("dl", { className: depth ? "tree" : "facts" }, ...rows);
  }
}

/**
 * Fill `container` with a task's input; `{pictures, ready, destroy}`, where `ready` resolves once all pictures have come
 * or failed. `choices` are the labels of the answer's buttons: a list in the input that only repeats them is left out.
 */
export function showInput(container, value, schema, choices = null) {
  const view = new View();
  const parts = [];
  if (isObject(value)) {
    const repeats = (part) => choices !== null && JSON.stringify(part) === JSON.stringify(choices);
    const declared = propertyNames(schema).filter((name) => name in value);
    const names = [...new Set([...declared, ...Object.keys(value)])].filter((name) => !repeats(value[name]));
    const pictures = names.filter((name) => isPicture(value[name], name, below(schema, name)));
    parts.push(...pictures.map((name) => view.any(value[name], name, below(schema, name), 1)));
    const rest = Object.fromEntries(names.filter((name) => !pictures.includes(name)).map((name) => [name, value[name]]));
    if (Object.keys(rest).length || !parts.length) parts.push(view.members(rest, schema, 0));
  } else {
    parts.push(view.any(value, "", schema, 0));
  }
  container.replaceChildren(...parts);
  return {
    pictures: view.pictures,
    ready: Promise.all(view.pictures.map((picture) => picture.ready)),
    destroy: () => view.pictures.forEach((picture) => picture.destroy()),
  };
}
