// JSON as a tree that folds: values are drawn when they are opened, numbers keep all their digits.

import { button, count, h } from "./dom.js";

const OPEN_LINES = 24; // lines that stand open at first
const MEMBERS_AT_ONCE = 100; // members that are drawn at a time
const LONG_STRING = 400; // characters of a text before the rest is asked for
const DEEPEST_MEMBER = 400; // a page cannot nest elements without end

/** A number as it was written, where JavaScript has no room for its digits. */
class Exact {
  constructor(text) {
    this.text = text;
  }
}

/** Whether this browser can say how a number was written; where it cannot, JSON with long numbers stays text. */
const KEEPS_DIGITS = typeof JSON.rawJSON === "function";

/** The value of a JSON text that is an object or a list; undefined for anything else. */
export function parsed(text) {
  if (!/^\s*[[{]/.test(text ?? "") || (!KEEPS_DIGITS && /\d{16}/.test(text))) return undefined;
  const exact = (_key, value, context) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? new Exact(context.source)
      : value;
  try {
    return JSON.parse(text, exact);
  } catch {
    return undefined;
  }
}

/** A JSON text with a member a line, numbers as they were written; any other text as it is. */
export function indented(text) {
  const value = parsed(text);
  if (value === undefined) return text ?? "";
  return JSON.stringify(value, (_key, one) => (one instanceof Exact ? JSON.rawJSON(one.text) : one), 2);
}

const isBranch = (value) => typeof value === "object" && value !== null && !(value instanceof Exact);
const sizeOf = (value) => (Array.isArray(value) ? value.length : Object.keys(value).length);

/** How many lines a value takes when all of it is open, as far as `most`. */
export function linesOf(value, most) {
  const waiting = [value];
  let lines = 0;
  while (waiting.length && lines <= most) {
    const one = waiting.pop();
    lines++;
    if (isBranch(one)) waiting.push(...Object.values(one).slice(0, most + 1));
  }
  return lines;
}

/** A value in one line: {3 members} is said in words, texts in quotes. */
function leaf(value) {
  if (value instanceof Exact) return h("span.lm-json-number", {}, value.text);
  if (typeof value !== "string") return h(`span.lm-json-${value === null ? "null" : typeof value}`, {}, String(value));
  const el = h("span.lm-json-string", {}, JSON.stringify(value.slice(0, LONG_STRING)));
  if (value.length > LONG_STRING)
    el.append(
      button(null, `${count(value.length - LONG_STRING)} more characters`, ({ target }) => {
        el.firstChild.data = JSON.stringify(value);
        target.closest("button").remove();
      }),
    );
  return el;
}

function summaryOf(value) {
  const size = sizeOf(value);
  if (Array.isArray(value)) return size ? `[${count(size)}]` : "[]";
  const keys = Object.keys(value).slice(0, 6).join(", ");
  return size ? `{${keys.slice(0, 80)}${size > 6 || keys.length > 80 ? ", …" : ""}}` : "{}";
}

function members(value, depth, isOpen) {
  const names = Array.isArray(value) ? null : Object.keys(value),
    size = names ? names.length : value.length,
    el = h("div.lm-json-members");
  const more = (from) => {
    const to = Math.min(size, from + MEMBERS_AT_ONCE);
    for (let i = from; i < to; i++) {
      const name = names ? names[i] : i;
      el.append(member(name, value[name], depth + 1, isOpen));
    }
    if (to < size)
      el.append(
        button("down", `${count(Math.min(MEMBERS_AT_ONCE, size - to))} more of ${count(size)}`, ({ target }) => {
          target.closest("button").remove();
          more(to);
        }),
      );
  };
  more(0);
  return el;
}

function member(name, value, depth, isOpen) {
  const key = [h(typeof name === "number" ? "span.lm-json-index" : "span.lm-json-key", {}, String(name)), ": "];
  if (!isBranch(value) || !sizeOf(value))
    return h("div.lm-json-line", {}, key, isBranch(value) ? summaryOf(value) : leaf(value));
  if (depth > DEEPEST_MEMBER) return h("div.lm-json-line", {}, key, "nested too deeply to be shown");
  const el = h(
    "details.lm-json-branch",
    { open: isOpen },
    h("summary", {}, key, h("span.lm-preview", {}, summaryOf(value))),
  );
  const fill = () => {
    if (el.open && el.childElementCount === 1) el.append(members(value, depth, isOpen));
  };
  el.addEventListener("toggle", fill);
  fill();
  return el;
}

/** A JSON text as a tree; null when it is none, or a single value. Small ones stand open. */
export function jsonTree(text) {
  const value = parsed(text);
  if (value === undefined) return null;
  const isSmall = linesOf(value, OPEN_LINES) <= OPEN_LINES;
  return h("div.lm-json", {}, sizeOf(value) ? members(value, 0, isSmall) : summaryOf(value));
}
