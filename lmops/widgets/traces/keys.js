// The keys of the trace browser: what they are, and what they mean where.

import { commandIn } from "../kit/keys.js";

export const KEYS = [
  ["j k ↓ ↑", "next, previous row or span"],
  ["Enter", "open a trace, fold a span"],
  ["Esc", "close, leave the browser"],
  ["[ ]", "previous, next trace"],
  ["/", "filter, find in a trace"],
  ["space", "mark the trace"],
  ["p", "pin beside another"],
  ["s", "session"],
  ["e", "next error in the trace"],
  ["r", "raw attributes"],
  ["y", "copy the trace id"],
  ["t", "relative or exact times"],
  ["o", "to the other side"],
  ["a", "add to a dataset"],
  ["l", "send to labeling"],
  ["g G", "first, last row"],
  ["← →", "fold, unfold, sideways"],
  ["PgUp PgDn", "a page"],
  ["?", "these keys"],
];

/** What a key means; undefined leaves it to the page. `area` is list or tree. */
export const commandFor = (event, area) =>
  commandIn(event, {
    "[": "previous",
    "]": "next",
    "/": "search",
    " ": "mark",
    "?": "help",
    Escape: "escape",
    p: "pin",
    s: "session",
    e: "error",
    r: "raw",
    y: "copy",
    t: "times",
    o: "other",
    a: "dataset",
    l: "labeling",
    j: "down",
    ArrowDown: "down",
    k: "up",
    ArrowUp: "up",
    PageDown: "pageDown",
    PageUp: "pageUp",
    Home: "first",
    g: "first",
    End: "last",
    G: "last",
    Enter: area === "tree" ? "fold" : "open",
    ArrowRight: "right",
    ArrowLeft: "left",
  });
