// What keys mean in the labeler; those of the schema come first.

import { commandIn } from "../kit/keys.js";

export const KEYS = [
  ["p f 1 a …", "choose, write: the key stands there"],
  ["Shift +key", "choose, and write why"],
  ["Enter", "save and go on"],
  ["Ctrl+Enter", "the same, out of a field or the list"],
  ["s -", "skip"],
  ["u Backspace Ctrl+Z", "take back, as often as you like"],
  ["n ;", "note"],
  ["← →", "the case before, the next one"],
  ["↑ ↓ Space", "scroll"],
  ["/", "go to a number"],
  ["L #", "list: Space marks, a choice labels all marked"],
  ["[ ]", "sentence by sentence, to mark one"],
  ["=", "mark what is selected"],
  ["X", "open or shut all folds"],
  ["T", "other turns of the conversation"],
  ["R", "raw"],
  ["?", "these keys"],
  ["Esc", "leave a field; close; back to the notebook"],
];
const COMMANDS = {
  s: "skip",
  "-": "skip",
  u: "undo",
  Backspace: "undo",
  n: "note",
  ";": "note",
  Enter: "save",
  "Ctrl+Enter": "save",
  ArrowRight: "next",
  ArrowLeft: "previous",
  ArrowDown: "down",
  ArrowUp: "up",
  " ": "pageDown",
  PageDown: "pageDown",
  PageUp: "pageUp",
  Home: "first",
  End: "last",
  "/": "go",
  L: "list",
  "#": "list",
  X: "folds",
  T: "turns",
  R: "raw",
  "[": "sentenceBefore",
  "]": "sentenceNext",
  "=": "mark",
  "?": "help",
  Escape: "escape",
};
/** What moves on or decides: a key that is held down does not do it again. */
export const ONCE = new Set(["choose", "write", "skip", "undo", "save", "note", "mark"]);
export const NEEDS_CASE = new Set([...ONCE, "next", "previous"]);
/** What a key means: a choice of the schema comes before everything else; undefined leaves it to the page. */
export function labelCommand(event, keys) {
  const found = commandIn(event, {
    ...COMMANDS,
    ...Object.fromEntries([...keys.keys()].map((key) => [key, "choose"])),
  });
  const lower = event.key.toLowerCase();
  if (found === "choose" || lower === event.key || keys.get(lower)?.[0].kind !== "pass_fail") return found;
  return commandIn(event, { [event.key]: "write" });
}
