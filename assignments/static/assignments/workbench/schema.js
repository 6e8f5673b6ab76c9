/* What an answer's schema asks for: one choice among a few, or a form. */

const MOST_CHOICES = 40;
const DEEPEST = 24;

export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isScalar = (value) => value === null || typeof value !== "object";

/**
 * The names of an object's properties, in the order in which they are shown: what is required first, as it is listed. A
 * database may keep the members of an object in any order, and those of a list in theirs.
 */
export function propertyNames(schema) {
  const names = Object.keys(schema?.properties ?? {});
  const first = (schema?.required ?? []).filter((name) => names.includes(name));
  return [...new Set([...first, ...names])];
}

/** Thrown for a schema that no form can be built for. */
export class TooHard extends Error {}

/** The schema with every local $ref replaced by what it names. Throws TooHard where one leads back to itself. */
export function resolved(schema, root = schema, depth = 0) {
  if (depth > DEEPEST) throw new TooHard("nested too deep");
  if (Array.isArray(schema)) return schema.map((part) => resolved(part, root, depth + 1));
  if (!isObject(schema)) return schema;
  if (typeof schema.$ref === "string") {
    const { $ref, ...beside } = schema;
    return { ...resolved(target(root, $ref), root, depth + 1), ...resolved(beside, root, depth + 1) };
  }
  if (schema.$dynamicRef) throw new TooHard("a dynamic reference");
  const parts = Object.entries(schema).filter(([key]) => key !== "$defs" && key !== "definitions");
  const asItIs = new Set(["enum", "const", "default", "examples"]);
  return Object.fromEntries(
    parts.map(([key, part]) => [key, asItIs.has(key) ? part : resolved(part, root, depth + 1)]),
  );
}

function target(root, reference) {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) throw new TooHard("a reference by name");
  return decodeURIComponent(reference)
    .slice(2)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((node, part) => node?.[part], root);
}

/** The values that a schema lists, `[{value, label}]`, or null. `words` are for true, false and null. */
export function options(schema, words) {
  if (!isObject(schema)) return null;
  const label = (value) => words[String(value)] ?? String(value);
  const plain = (value) => ({ value, label: typeof value === "string" ? value : label(value) });
  const titles = schema["x-enumTitles"];
  if (Array.isArray(schema.enum) && schema.enum.every(isScalar)) {
    return schema.enum.map((value, index) => ({ value, label: titles?.[index] ?? plain(value).label }));
  }
  if ("const" in schema && isScalar(schema.const)) return [plain(schema.const)];
  const branches = schema.oneOf ?? schema.anyOf;
  if (Array.isArray(branches) && branches.every((part) => isObject(part) && "const" in part && isScalar(part.const))) {
    return branches.map((part) => ({ value: part.const, label: part.title ?? plain(part.const).label }));
  }
  return null;
}

/**
 * The one choice that a schema asks for: `{title, description, options, wrap}`, where `wrap(value)` is the answer; null
 * where it asks for something else, or for one of very many.
 */
export function loneChoice(schema, words) {
  if (!isObject(schema)) return null;
  const own = schema.type === "boolean" && !schema.enum ? [true, false] : null;
  // No answer is null, so neither is a choice.
  const found = own?.map((value) => ({ value, label: words[String(value)] })) ?? options(schema, words);
  if (found) {
    const { title = "", description = "" } = schema;
    const usable = found.length && found.length <= MOST_CHOICES && found.every(({ value }) => value !== null);
    return usable ? { title, description, options: found, wrap: (value) => value } : null;
  }
  const names = Object.keys(schema.properties ?? {});
  if (names.length !== 1 || schema.patternProperties || (schema.required ?? []).some((name) => name !== names[0])) {
    return null;
  }
  const inner = loneChoiceOfProperty(schema.properties[names[0]], words);
  if (!inner) return null;
  const description = inner.description || schema.description || "";
  const title = inner.title || schema.title || names[0];
  return { ...inner, title, description, wrap: (value) => ({ [names[0]]: value }) };
}

function loneChoiceOfProperty(schema, words) {
  return isObject(schema) && !schema.properties ? loneChoice(schema, words) : null;
}
