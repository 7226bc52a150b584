// Two runs of an agent step by step: their calls of tools side by side, what differs in the arguments marked.

import { button, count, h, icon, plural } from "../kit/dom.js";

const KINDS = {
  match: ["ok", "same call", "lm-s-unset"],
  changed: ["decision", "other arguments", "lm-s-warn"],
  missing: ["error", "only here", "lm-s-error"],
  extra: ["add", "only here", "lm-s-ok"],
  call: ["tool", "call", "lm-s-unset"],
};
/** So many characters of a result stand in a line of their own before it is opened. */
const RESULT = 90;

/** What a run of steps comes to, in words. */
export function summary(counts, isAlone) {
  if (isAlone) return plural(counts.call ?? 0, "call");
  const told = [
    [counts.match, "the same"],
    [counts.changed, "with other arguments"],
    [counts.missing, "left out"],
    [counts.extra, "added"],
  ];
  return told
    .filter(([n]) => n)
    .map(([n, words]) => `${count(n)} ${words}`)
    .join(", ");
}

function cell(side, kind, mark, head) {
  // where both sides stand below each other each says which it is; the heads of the columns say it to a reader aloud
  const which = h("span.lm-step-side", { "aria-hidden": "true" }, head);
  if (!side) return h("div.lm-step-cell.lm-step-none", { role: "cell" }, which, h("span.lm-note", {}, "–"));
  const args = side.args.map(([name, value, isChanged]) =>
    h(
      `div.lm-step-arg${isChanged || kind === "missing" || kind === "extra" ? ".lm-step-differs" : ""}`,
      {},
      h("span.lm-note", {}, name),
      h(isChanged ? mark : "span", {}, value),
    ),
  );
  const came = side.error ?? side.result,
    isBad = side.error !== null;
  return h(
    "div.lm-step-cell",
    { role: "cell" },
    which,
    h("b.lm-mono", {}, side.tool),
    args,
    came === null
      ? null
      : came.length <= RESULT
        ? h(`div.lm-step-result${isBad ? ".lm-s-error" : ""}`, {}, icon("right"), came)
        : h(
            `details.lm-step-result${isBad ? ".lm-s-error" : ""}`,
            {},
            h("summary", {}, came.slice(0, RESULT).replace(/\s+/g, " "), " …"),
            h("div", {}, came),
          ),
  );
}

/** The steps of a case as a table; heads: what the left and the right side are. */
export function stepTable({ rows, counts, left_out: leftOut, is_alone: isAlone }, heads, { isOpen, onToggle }) {
  const head = h(
    "div.lm-answer-head",
    {},
    h("b", {}, "Steps"),
    h("span.lm-note", {}, summary(counts, isAlone)),
    h("span.lm-gap"),
    button(isOpen ? "down" : "right", isOpen ? "fold the steps" : "show the steps", onToggle, {
      text: isOpen ? "fold" : "show",
      title: `${isOpen ? "fold" : "show"} the steps  p`,
    }),
  );
  if (!isOpen) return h("div.lm-steps", { "data-open": "false" }, head);
  const shown = isAlone ? [rows.some((row) => row.left) ? 0 : 1] : [0, 1];
  const line = ({ kind, left, right }, i) => {
    const [picture, words, cls] = KINDS[kind] ?? KINDS.call;
    return h(
      "div.lm-step",
      { role: "row", "data-kind": kind },
      h(
        `div.lm-step-kind.${cls}`,
        { role: "cell", title: words },
        h("span.lm-number", {}, String(i + 1)),
        icon(picture),
        h("span.lm-sr", {}, words),
      ),
      shown.map((at) => cell(at ? right : left, kind, at ? "ins" : "del", heads[at])),
    );
  };
  return h(
    `div.lm-steps${isAlone ? ".lm-step-alone" : ""}`,
    { "data-open": "true" },
    head,
    h(
      "div",
      { role: "table", "aria-label": "steps" },
      h(
        "div.lm-step.lm-step-heads",
        { role: "row" },
        h("div.lm-note", { role: "columnheader" }, "step"),
        shown.map((at) => h("div.lm-note", { role: "columnheader" }, heads[at])),
      ),
      rows.map(line),
    ),
    leftOut > 0 ? h("p.lm-note", {}, `and ${count(leftOut)} more steps`) : null,
  );
}
