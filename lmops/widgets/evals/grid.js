// The grid of cases: rows by windows as the trace table has them, a column per run, the change between the pair.

import { count, h, icon, short } from "../kit/dom.js";
import { RowTable } from "../kit/row_table.js";

/** A score as a reader sees it; two places make columns that line up. */
export function scoreText(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0) return `−${scoreText(-value)}`;
  if (value >= 10) return short(value);
  return value > 0 && value < 0.005 ? value.toPrecision(1) : value.toFixed(2);
}

export const changeText = (value) =>
  value === null || value === undefined ? "" : `${value > 0 ? "+" : value === 0 ? "±" : ""}${scoreText(value)}`;

/** Whether a score passes: true, false, or null where nothing is said. */
export function passes(value, passAt, isHigherBetter) {
  if (typeof value !== "number" || passAt === null || passAt === undefined) return null;
  return isHigherBetter ? value >= passAt - 1e-9 : value <= passAt + 1e-9;
}

/** How far a score is on its scale, 0 to 1; null where the scale has no ends. */
export function shareOf(value, low, high) {
  if (typeof value !== "number" || typeof low !== "number" || typeof high !== "number" || high <= low) return null;
  return Math.min(1, Math.max(0, (value - low) / (high - low)));
}

const MISSING = { unmeasured: "–", "scorer error": "no score", "case failed": "failed", "not run": "" };

export class CaseGrid extends RowTable {
  constructor(host) {
    super(host);
    this.el.classList.add("lm-grid");
  }

  get label() {
    return "cases";
  }

  get columns() {
    const { state } = this.host;
    // Beside an open case there is room for the pair only.
    const isBeside = this.host.isCompact(),
      isNarrow = isBeside || state.shown.length > 3 || this.el.clientWidth < 500,
      key = `${isBeside}${isNarrow}`;
    if (this.madeFor === state && this.madeAs === key) return this.made;
    [this.madeFor, this.madeAs, this.isNarrow] = [state, key, isNarrow];
    this.made = [
      { name: "case", label: "case", kind: "id", width: isNarrow ? 64 : 88, at: 0 },
      { name: "input", label: "input", kind: "text", width: isNarrow ? 110 : 150, at: 1 },
      ...state.shown
        .map((run, i) => ({
          name: `run:${run}`,
          run,
          label: state.runs[run].short,
          kind: "score",
          width: isNarrow ? 58 : 86,
          at: 2 + i,
        }))
        .filter(({ run }) => !isBeside || run === state.a || run === state.b),
      ...(state.b === null
        ? []
        : [
            {
              name: "change",
              label: "change",
              kind: "change",
              width: isNarrow ? 100 : 108,
              at: 2 + state.shown.length,
            },
          ]),
    ];
    return this.made;
  }

  /** Beside an open case, and on a narrow page, numbers stand without their meters. */
  layout() {
    super.layout();
    if (!this.host.state) return;
    this.el.classList.toggle("lm-compact", this.isNarrow);
    if (this.drawnFor !== this.made) this.drawHead();
  }

  get scorer() {
    return this.host.state.scorers.find((one) => one.name === this.host.state.scorer);
  }

  /** The headings: a click sorts; under the name of a run its mean over the cases that have a score. */
  drawHead() {
    const { state } = this.host,
      { scorer } = this;
    this.drawnFor = this.columns;
    const mean = (column) => {
      if (column.kind === "score") return scorer ? `${scoreText(scorer.means[column.run])}` : "";
      if (column.kind === "change") return `−${count(state.worse)}  +${count(state.better)}`;
      return column.kind === "id" ? count(state.total) : "";
    };
    this.head.replaceChildren(
      h(
        "div.lm-head-row",
        { role: "row", "aria-rowindex": 1 },
        h("div.lm-th", { role: "columnheader", "aria-label": "marked" }),
        this.columns.map((column) => {
          const isSorted = state.sort === column.name,
            canSort = column.kind !== "text";
          const full = column.kind === "score" ? state.runs[column.run].label : column.label;
          const role =
            column.kind !== "score" || state.b === null
              ? ""
              : column.run === state.a
                ? ", judged"
                : column.run === state.b
                  ? ", baseline"
                  : "";
          const n =
            column.kind === "score" && scorer
              ? `: mean of all its ${count(scorer.n[column.run])} cases with a score`
              : "";
          return h(
            `div.lm-th.lm-k-${column.kind}${role ? `.lm-${role.slice(2)}` : ""}`,
            {
              role: "columnheader",
              "aria-sort": isSorted ? (state.descending ? "descending" : "ascending") : null,
              title: `${full}${role}${n}`,
            },
            canSort
              ? h(
                  "button.lm-sort",
                  {
                    type: "button",
                    tabindex: -1,
                    onclick: () => this.host.onSort(column.name),
                    "data-sort": column.name,
                  },
                  h("span", {}, column.label),
                  isSorted ? icon(state.descending ? "down" : "up") : null,
                )
              : h("span.lm-sort", {}, column.label),
            h("div.lm-th-note", {}, mean(column)),
          );
        }),
      ),
    );
  }

  fill(row, index) {
    super.fill(row, index);
    row.el.dataset.case = row.el.dataset.rowId;
  }

  fillCell(cell, column, value) {
    cell.className = `lm-cell lm-k-${column.kind}`;
    cell.removeAttribute("aria-label"); // the element may have been that of another column
    cell.title = column.kind === "text" || column.kind === "id" ? (value ?? "") : "";
    if (value === undefined) cell.replaceChildren();
    else if (column.kind === "score") this.fillScore(cell, value);
    else if (column.kind === "change") this.fillChange(cell, value);
    else cell.textContent = value;
  }

  fillScore(cell, value) {
    const { state } = this.host,
      { scorer } = this;
    if (typeof value === "string") {
      const isBad = value === "case failed" || value === "scorer error";
      cell.classList.add(isBad ? "lm-s-error" : "lm-missing");
      cell.title = value;
      cell.replaceChildren(...(isBad ? [icon("warn")] : []), h("span", {}, MISSING[value] ?? value));
      return;
    }
    const passed = passes(value, state.pass_at, scorer.higher_is_better),
      share = shareOf(value, scorer.low, scorer.high);
    if (state.is_verdict && passed !== null) {
      cell.classList.add(passed ? "lm-s-ok" : "lm-s-error");
      cell.replaceChildren(icon(passed ? "ok" : "error"), h("span", {}, passed ? "pass" : "fail"));
      return;
    }
    const fill = h("i");
    fill.style.width = `${100 * (share ?? 0)}%`;
    if (passed !== null) cell.classList.add(passed ? "lm-passed" : "lm-not-passed");
    cell.replaceChildren(
      share === null ? "" : h(`span.lm-meter${passed === false ? ".lm-low" : ""}`, { "aria-hidden": "true" }, fill),
      h("span.lm-score", {}, scoreText(value)),
    );
  }

  /** The change as it is; whether it is worse is said by colour and word, as of some scorers less is better. */
  fillChange(cell, [change, flip]) {
    const raw = change && this.scorer?.higher_is_better === false ? -change : change,
      word = flip < 0 ? "lost" : flip > 0 ? "gained" : "";
    if (change) cell.classList.add(change < 0 ? "lm-worse" : "lm-better");
    cell.replaceChildren(h("span.lm-flip", {}, word), h("span.lm-score", {}, change === 0 ? "·" : changeText(raw)));
    cell.setAttribute(
      "aria-label",
      change === null
        ? "no change known"
        : change === 0
          ? "same"
          : [changeText(raw), change < 0 ? "worse" : "better", word].filter(Boolean).join(", "),
    );
  }
}
