// The grid of cases: rows by windows as the trace table has them, a column per run, the change between the pair.

import { count, h, icon, short } from "../kit/dom.js";
import { RowTable } from "../kit/row_table.js";

/** A score as a reader sees it; two places make columns that line up, but what is counted has none. */
export function scoreText(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0) return `−${scoreText(-value)}`;
  if (value >= 10 || (value > 1 && Number.isInteger(value))) return short(value);
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

const ALONE = { new: "newly answered", gone: "no longer scored" };
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
    const isTiny = this.el.clientWidth < 440,
      isBeside = this.host.isCompact() || isTiny,
      isNarrow = isBeside || state.shown.length > 3 || this.el.clientWidth < 500,
      key = `${isBeside}${isNarrow}${isTiny}`;
    if (this.madeFor === state && this.madeAs === key) return this.made;
    [this.madeFor, this.madeAs, this.isNarrow] = [state, key, isNarrow];
    this.made = [
      { name: "case", label: "case", kind: "id", width: isTiny ? 52 : isNarrow ? 64 : 88, at: 0 },
      { name: "input", label: "input", kind: "text", width: isTiny ? 70 : isNarrow ? 110 : 150, at: 1 },
      ...state.shown
        .map((run, i) => ({
          name: `run:${run}`,
          run,
          label: state.runs[run].short,
          kind: "score",
          width: isTiny ? 54 : isNarrow ? 58 : 86,
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
              width: isTiny ? 96 : isNarrow ? 100 : 108,
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

  /** The headings: a click sorts; under a run its mean, that of the pair over the cases that both scored. */
  drawHead() {
    const { state } = this.host,
      { scorer } = this;
    this.drawnFor = this.columns;
    const mean = (column) => {
      if (column.kind === "score") return scorer ? `${scoreText(scorer.means[column.run])}` : "";
      if (column.kind === "change") return `−${count(state.lower)}  +${count(state.better)}`;
      return column.kind === "id" ? count(state.total) : "";
    };
    this.setHead(
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
            ? `: mean of ${count(scorer.n[column.run])} cases${role ? " that both scored" : ""}`
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
  fillChange(cell, [change, flip, alone, isWorse]) {
    const raw = change && this.scorer?.higher_is_better === false ? -change : change,
      word = alone > 0 ? "new" : alone ? "gone" : flip < 0 ? "lost" : flip > 0 ? "gained" : "";
    if (isWorse) cell.classList.add("lm-worse");
    else if (change || alone) cell.classList.add("lm-better");
    cell.replaceChildren(h("span.lm-flip", {}, word), h("span.lm-score", {}, change === 0 ? "·" : changeText(raw)));
    cell.setAttribute(
      "aria-label",
      change === null
        ? ["no change known", ALONE[word]].filter(Boolean).join(", ")
        : change === 0
          ? "same"
          : [changeText(raw), change < 0 ? "worse" : "better", word].filter(Boolean).join(", "),
    );
  }
}
