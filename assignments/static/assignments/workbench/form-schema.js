/* A queue's schema made ready for Jedison: numbers may be empty, nothing is chosen before anybody chose it, and what its
   author writes is neither HTML nor an option of the library. Answers are checked against the original. */

import { isObject, options, propertyNames, TooHard } from "./schema.js";
import { say } from "./texts.js";

const RADIOS = 6;
const LONG_TEXT = 160;
/** What a text field may be; Jedison's other options reach into the page. */
const FORMATS = new Set(["textarea", "date", "time", "datetime-local", "email", "url"]);
const COMBINING = ["allOf", "anyOf", "oneOf", "if", "then", "else"];
const KEPT = new Set([...COMBINING, "additionalProperties", "default", "maxItems", "readOnly", "required"]);
const BRANCH = new Set([...KEPT, "const", "enum", "items", "prefixItems", "properties", "title", "description", "type"]);

/** Jedison reads a text as HTML twice, and fills in what stands in double braces. */
const asHtml = (text) =>
  String(text).replaceAll("&", "&amp;amp;").replaceAll("<", "&amp;lt;").replaceAll("{{", "{\u200b{");

const only = (schema, names) => Object.fromEntries(Object.entries(schema).filter(([key]) => names.has(key)));

/** One type of a schema, also where it only follows from its other words; null where there are several. */
export function typeOf(schema) {
  if (typeof schema.type === "string") return schema.type;
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    return types.length === 1 ? types[0] : null;
  }
  if (schema.properties) return "object";
  if (schema.items) return "array";
  if ("minLength" in schema || "maxLength" in schema || "pattern" in schema) return "string";
  if ("minimum" in schema || "maximum" in schema || "multipleOf" in schema) return "number";
  return null;
}

/** A schema that Jedison chooses among, or applies beside another: the same without what it must not see. */
function branch(schema) {
  if (Array.isArray(schema)) return schema.map(branch);
  if (!isObject(schema)) return schema;
  const parts = Object.entries(only(schema, BRANCH)).map(([key, part]) => {
    if (key === "title" || key === "description") return [key, asHtml(part)];
    if (key === "properties") {
      return [key, Object.fromEntries(Object.entries(part).map(([name, inner]) => [name, branch(inner)]))];
    }
    return [key, ["const", "default", "enum", "required", "type"].includes(key) ? part : branch(part)];
  });
  return Object.fromEntries(parts);
}

/** The schema as Jedison takes it. `words` are for true, false and null. Throws TooHard. */
export function forForm(schema, name, words) {
  if (!isObject(schema)) throw new TooHard("anything at all");
  const title = asHtml(schema.title ?? name);
  const described = schema.description ? { title, description: asHtml(schema.description) } : { title };
  const listed = options(schema, words);
  if (listed) {
    if (new Set(listed.map(({ label }) => label)).size < listed.length) throw new TooHard("two labels alike");
    const format = listed.length <= RADIOS ? { "x-format": "radios" } : {};
    return { ...described, type: "string", enum: listed.map(({ label }) => label), "x-enforceEnum": false, ...format };
  }
  const type = typeOf(schema);
  if (COMBINING.some((word) => word in schema)) {
    return { ...branch(schema), ...described, ...(type === null ? {} : { type }) };
  }
  const same = { ...only(schema, KEPT), ...described };
  if (type === "number" || type === "integer") {
    return { ...same, type: [type, "null"], "x-format": "number-nullable", default: schema.default ?? null };
  }
  if (type === "boolean") return { ...same, type, "x-format": "checkbox" };
  if (type === "string") {
    const wished = FORMATS.has(schema["x-format"]) ? schema["x-format"] : null;
    const format = wished ?? ((schema.maxLength ?? 0) > LONG_TEXT ? "textarea" : null);
    return { ...same, type, ...(format ? { "x-format": format } : {}) };
  }
  if (type === "object") {
    const properties = propertyNames(schema).map((key) => [key, forForm(schema.properties[key], key, words)]);
    return { ...same, type, properties: Object.fromEntries(properties) };
  }
  if (type === "array" && !schema.prefixItems && isObject(schema.items)) {
    const items = forForm(schema.items, say("item"), words);
    if (!items.enum) return { ...same, type, items };
    // Nobody chooses one thing twice: boxes to check.
    const { "x-format": _, ...checked } = items;
    return { ...same, type, items: checked, uniqueItems: true };
  }
  throw new TooHard("a part that could be anything");
}
