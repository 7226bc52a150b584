// What a rater has chosen so far, without a page: what a key does to it, what is missing, how it reads.

export const VERDICTS = ["pass", "fail", "cannot tell"];
const ONE = new Set(["pass_fail", "category", "scale"]);

/** The values that have a key or a button, in their order. */
export function optionsOf(field) {
  if (field.kind === "pass_fail") return VERDICTS;
  if (field.kind !== "scale") return field.options;
  return Array.from({ length: field.high - field.low + 1 }, (_, i) => String(field.low + i));
}

/** One key is a whole label: there is one question, and one choice answers it. */
export const isAtOnce = (schema) => schema.fields.length === 1 && ONE.has(schema.fields[0].kind);

const FREE = "123456789abcdefghijklmopqrtvwxyz";

/** key -> [field, option], of a field to write in [field, null]: the first that asks for a key has it, the others get
 *  what is free, while there is. */
export function keysOf(schema) {
  const found = new Map(),
    without = [];
  for (const field of schema.fields)
    for (const option of field.kind === "spans" ? field.options : optionsOf(field)) {
      const key = field.keys[option];
      if (key && !found.has(key)) found.set(key, [field, option]);
      else if (["pass_fail", "category", "scale", "choices", "spans"].includes(field.kind))
        without.push([field, option]);
    }
  for (const field of schema.fields) if (["tags", "text"].includes(field.kind)) without.push([field, null]);
  const free = [...FREE].filter((key) => !found.has(key));
  without.forEach((one, i) => free[i] && found.set(free[i], one));
  return found;
}

/** What is chosen of a field, as a text or a list of texts. */
export function chosenOf(field, value) {
  if (field.kind === "pass_fail") return value?.value ?? null;
  if (field.kind === "scale") return value === undefined || value === null ? null : String(value);
  return value ?? null;
}

/** The values with one choice made; a choice of several is turned on and off. */
export function chosen(values, field, option) {
  const before = values[field.name];
  const value = {
    pass_fail: () => ({ ...before, value: option }),
    scale: () => Number(option),
    choices: () => toggled(before, option),
  }[field.kind];
  return { ...values, [field.name]: value ? value() : option };
}

function toggled(before, option) {
  const given = before ?? [];
  return given.includes(option) ? given.filter((one) => one !== option) : [...given, option];
}

const isEmpty = (value) =>
  value === undefined ||
  value === null ||
  value === "" ||
  (Array.isArray(value) && !value.length) ||
  (typeof value === "object" && !Array.isArray(value) && !value.value);

/** The values that say something. */
export const given = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => !isEmpty(value)));

/** Names of the fields that a label needs and that say nothing; of a label that says nothing at all, the first. */
export function missing(schema, values) {
  const needed = schema.fields.filter((field) => field.is_required && isEmpty(values[field.name]));
  if (needed.length || Object.keys(given(values)).length) return needed.map((field) => field.name);
  return [schema.fields[0].name];
}

/** Values as far as a schema still has them: criteria may change while somebody writes. */
export function fitting(schema, values) {
  const fields = new Map(schema.fields.map((field) => [field.name, field]));
  return Object.fromEntries(
    Object.entries(values ?? {}).filter(([name, value]) => {
      const field = fields.get(name);
      if (field?.kind === "pass_fail" && value?.critique) return true; // written before it is decided
      if (!field || isEmpty(value)) return false;
      if (field.kind === "category") return field.options.includes(value);
      if (field.kind === "pass_fail") return typeof value === "object";
      if (field.kind === "choices") return Array.isArray(value) && value.every((one) => field.options.includes(one));
      if (field.kind === "scale") return value >= field.low && value <= field.high;
      return true;
    }),
  );
}

/** What is written anew of what is taken back: a choice that was a whole label is not. */
export function typed(schema, values) {
  const [{ name }] = schema.fields,
    critique = values[name]?.critique;
  return !isAtOnce(schema) ? values : critique ? { [name]: { critique } } : null;
}

/** What was said, in one line. */
export function inWords(said) {
  const one = (value) => {
    if (Array.isArray(value)) return value.map((part) => (typeof part === "object" ? "mark" : part)).join(", ");
    return typeof value === "object" && value ? value.value : String(value);
  };
  return Object.values(said ?? {})
    .map(one)
    .join(" · ");
}

/** Seconds that a case takes: the middle of the last ones; null before there are three. */
export function pace(seconds) {
  if (seconds.length < 3) return null;
  const sorted = seconds.slice(-30).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** Places in a text as Python counts them, by characters, from places as JavaScript does, by halves of some. */
export const toCharacters = (text, place) => [...text.slice(0, place)].length;
export const toUnits = (text, place) => [...text].slice(0, place).join("").length;

/** The sentences of a text as [start, end]. */
export function sentences(text) {
  const found = [];
  for (const match of text.matchAll(/[^\n.!?…]+[.!?…]*["')\]]*/g)) {
    const skipped = match[0].length - match[0].trimStart().length;
    const start = match.index + skipped,
      end = match.index + match[0].trimEnd().length;
    if (end > start) found.push([start, end]);
  }
  return found;
}
