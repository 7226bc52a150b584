// What all cases say together: the verdict per scorer, the confusion matrix and the slices; a click filters.

import { count, h, icon, swap } from "../kit/dom.js";
import { changeText, scoreText } from "./grid.js";

const OUTCOME = ["pass", "fail", "none"];
const WORDS = { better: "lm-s-ok", worse: "lm-s-error", "non-inferior": "lm-s-ok", inconclusive: "lm-s-unset" };

/** The ends of a scale around zero that holds the differences; intervals of few cases may go beyond and are cut. */
export function reachOf(rows) {
  const finite = rows.filter((row) => row.every((one) => typeof one === "number"));
  if (!finite.length) return 1;
  const most = Math.max(...finite.map(([difference]) => Math.abs(difference))),
    ends = Math.max(...finite.map(([, low, high]) => Math.max(Math.abs(low), Math.abs(high))));
  return Math.max(1e-9, Math.min(ends, 2.5 * most || ends));
}

/** Where an interval lies between -reach and reach, as shares of the width: [dot, from, to]. */
export function placed([difference, low, high], reach) {
  const at = (value) => Math.min(1, Math.max(0, (value + reach) / (2 * reach)));
  return [at(difference), low === null ? null : at(low), high === null ? null : at(high)];
}

function interval(row, reach) {
  const [dot, from, to] = placed(row, reach),
    point = h("i.lm-dot"),
    parts = [point];
  point.style.left = `${100 * dot}%`;
  if (from !== null && to !== null) {
    const bar = h("i.lm-whisker");
    bar.style.left = `${100 * from}%`;
    bar.style.width = `${100 * (to - from)}%`;
    parts.unshift(bar);
  }
  return h("span.lm-interval", { "aria-hidden": "true" }, parts);
}

const between = (low, high) => (low === null || high === null ? "" : `${changeText(low)} to ${changeText(high)}`);

/** What people would find where a judge scored, below its line; nothing where none did. */
const ofPeople = ({ judged }) => (judged ? h("div.lm-note.lm-of-people", {}, judged) : null);

/** What one run of the pair alone has scored, in words; empty where nothing is. */
export function aloneOf({ alone: [fresh, failing, lost], is_judged: isJudged }) {
  const all = fresh > 1 ? "all fail" : "it fails";
  const how = !isJudged ? "" : failing === fresh ? `, ${all}` : failing ? `, ${count(failing)} fail` : ", none fails";
  return [fresh ? `${count(fresh)} newly answered${how}` : "", lost ? `${count(lost)} no longer scored` : ""]
    .filter(Boolean)
    .join("; ");
}

export class Overview {
  /** host: {ask, state, filter(change), say} */
  constructor(host) {
    this.host = host;
    this.el = h("div.lm-overview", { tabindex: -1, role: "region", "aria-label": "overview" });
    this.rev = -1;
  }

  get names() {
    const { state } = this.host;
    return [state.b === null ? "" : state.runs[state.b].short, state.runs[state.a].short];
  }

  async draw() {
    const { state } = this.host;
    if (this.rev === state.rev || this.asked === state.rev) return;
    this.asked = state.rev;
    const answer = await this.host.ask("panels", { rev: state.rev });
    if (this.asked === state.rev) this.asked = null;
    if (!answer || answer.rev !== this.host.state.rev) return;
    this.rev = answer.rev;
    const { scrollTop } = this.el;
    swap(
      this.el,
      ...[
        answer.notes.map((text) => h("div.lm-caveat", {}, icon("warn"), h("span", {}, text))),
        this.verdicts(answer.differences),
        this.means(answer.means),
        answer.matrices.map((one) => this.matrix(one, answer)),
        this.slices(answer.slices),
      ]
        .flat()
        .filter(Boolean),
    );
    this.el.scrollTop = scrollTop;
    this.el.dataset.rev = answer.rev;
  }

  verdicts(rows) {
    if (!rows.length) return null;
    const [old, now] = this.names,
      { state } = this.host;
    return h(
      "section.lm-card",
      {},
      h("h4", {}, `${now} against ${old}`),
      rows.flatMap((one) => {
        const reach = reachOf([[one.difference, one.low, one.high]]),
          isShown = one.name === state.scorer;
        const line = h(
          `button.lm-verdict${isShown ? ".lm-on" : ""}`,
          {
            type: "button",
            "data-scorer": one.name,
            title: `${one.reason}; p ${one.p === null ? "–" : one.p.toPrecision(2)}, ${count(one.n)} pairs`,
            onclick: () => this.host.filter({ scorer: one.name }),
          },
          h("span.lm-verdict-name", {}, one.name),
          h(
            `b.${WORDS[one.outcome] ?? "lm-s-unset"}`,
            {},
            icon(one.outcome === "worse" ? "error" : one.outcome === "inconclusive" ? "unset" : "ok"),
            one.outcome,
          ),
          h("span.lm-number", {}, changeText(one.difference)),
          one.difference === null ? h("span") : interval([one.difference, one.low, one.high], reach),
          h("span.lm-note", {}, between(one.low, one.high)),
        );
        return [line, this.alone(one.name), ofPeople(one)];
      }),
    );
  }

  /** What is in no pair of a scorer, in red; a click shows it among the regressions. */
  alone(name) {
    const scorer = this.host.state.scorers.find((one) => one.name === name),
      words = scorer && aloneOf(scorer);
    return words
      ? h(
          "button.lm-alone",
          {
            type: "button",
            title: "these cases are no pairs, and in neither mean: show the regressions",
            onclick: () => this.host.filter({ scorer: name, regressions: true }),
          },
          icon("warn"),
          words,
        )
      : null;
  }

  means(rows) {
    if (!rows.length) return null;
    return h(
      "section.lm-card",
      {},
      h("h4", {}, this.names[1]),
      rows.flatMap((one) => [
        h(
          `button.lm-verdict.lm-mean${one.name === this.host.state.scorer ? ".lm-on" : ""}`,
          { type: "button", "data-scorer": one.name, onclick: () => this.host.filter({ scorer: one.name }) },
          h("span.lm-verdict-name", {}, one.name),
          h("b.lm-number", {}, scoreText(one.mean)),
          h(
            "span.lm-note",
            {},
            one.low === null || one.high === null ? "" : `${scoreText(one.low)} to ${scoreText(one.high)}`,
          ),
          h(
            "span.lm-note",
            {},
            `n ${count(one.n)}${one.coverage < 1 ? `, ${(100 * one.coverage).toFixed(0)} % have one` : ""}`,
          ),
        ),
        ofPeople(one),
      ]),
    );
  }

  /** The outcomes of a run alone, in one row. */
  outcomes(counts) {
    const { cell } = this.host.state;
    return h(
      "section.lm-card",
      { "data-matrix": "run" },
      h(
        "div.lm-outcomes",
        {},
        OUTCOME.map((name, i) => {
          const n = counts[i][i],
            isOn = cell && cell[0] === "run" && cell[2] === name;
          return n || i < 2
            ? h(
                `button.lm-count${isOn ? ".lm-on" : ""}${i === 1 && n ? ".lm-worse" : ""}`,
                {
                  type: "button",
                  "data-cell": `${name}-${name}`,
                  "aria-pressed": Boolean(isOn),
                  onclick: () => this.host.filter({ cell: isOn ? null : ["run", name, name] }),
                },
                h("b", {}, count(n)),
                h("span", {}, i === 2 ? "no score" : name),
              )
            : null;
        }),
      ),
    );
  }

  matrix({ name, counts, rates }, answer) {
    if (name === "run") return this.outcomes(counts);
    const [old, now] = this.names,
      isRuns = name === "runs",
      label = name.replace(/^label:/, "");
    const side = isRuns ? old : `label “${label}”`,
      top = Math.max(1, ...counts.flat());
    const { cell } = this.host.state,
      isOn = (row, column) => cell && cell[0] === name && cell[1] === OUTCOME[row] && cell[2] === OUTCOME[column];
    const shown = [0, 1, 2].filter((row) => row < 2 || counts[2].some(Boolean)),
      across = [0, 1, 2].filter((column) => column < 2 || counts.some((row) => row[2]));
    const words = (row, column) =>
      row === 2 || column === 2
        ? row === column
          ? "no score"
          : row === 2
            ? `${now} only`
            : `${isRuns ? old : "label"} only`
        : row === column
          ? isRuns
            ? row
              ? "both fail"
              : "both pass"
            : "agree"
          : isRuns
            ? column
              ? "lost"
              : "gained"
            : column
              ? "judged too hard"
              : "judged too soft";
    return h(
      "section.lm-card",
      { "data-matrix": name },
      h(
        "h4",
        {},
        isRuns ? `${old} and ${now}, case by case` : `${this.host.state.scorer} of ${now}, against the ${side}`,
      ),
      h(
        "table.lm-matrix",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("td"),
            across.map((column) => h("th", { scope: "col" }, `${now} ${OUTCOME[column]}`)),
          ),
        ),
        h(
          "tbody",
          {},
          shown.map((row) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, `${isRuns ? old : label} ${OUTCOME[row]}`),
              across.map((column) => {
                const n = counts[row][column],
                  isFlip = row !== column && row < 2 && column < 2,
                  isAlone = isRuns && ((row === 2 && column === 1) || (row < 2 && column === 2)),
                  turn = n && (isFlip || isAlone) ? (isFlip && isRuns && !column ? ".lm-better" : ".lm-worse") : "",
                  button = h(
                    `button.lm-count${turn}${isOn(row, column) ? ".lm-on" : ""}`,
                    {
                      type: "button",
                      "data-cell": `${OUTCOME[row]}-${OUTCOME[column]}`,
                      "aria-pressed": Boolean(isOn(row, column)),
                      title: `show the cases: ${words(row, column)}`,
                      onclick: () =>
                        this.host.filter({ cell: isOn(row, column) ? null : [name, OUTCOME[row], OUTCOME[column]] }),
                    },
                    h("b", {}, count(n)),
                    h("span", {}, words(row, column)),
                  );
                button.style.setProperty("--lm-weight", `${Math.round(6 + 22 * (n / top))}%`);
                return h("td", {}, button);
              }),
            ),
          ),
        ),
      ),
      rates
        ? h(
            "div.lm-rates",
            {},
            rates.map(([what, hits, n, low, high]) =>
              h(
                "span",
                {},
                `${what} `,
                h("b", {}, n ? `${((100 * hits) / n).toFixed(0)} %` : "–"),
                n ? ` (${(100 * low).toFixed(0)}–${(100 * high).toFixed(0)} %, n ${count(n)})` : "",
              ),
            ),
            answer.labels_fit
              ? null
              : h("span.lm-note", {}, "the labels were given to what production answered, not to these answers"),
          )
        : null,
    );
  }

  slices(rows) {
    if (!rows.length) return null;
    const { state } = this.host,
      [old, now] = this.names,
      isPair = state.b !== null,
      reach = reachOf(rows.map((row) => row.slice(5, 8)));
    const keys = [...new Set(rows.map(([key]) => key))];
    const body = keys.map((key) => {
      const mine = rows
        .filter((row) => row[0] === key)
        .sort((one, other) => (one[5] ?? one[3] ?? 9) - (other[5] ?? other[3] ?? 9));
      return [
        h("tr.lm-slice-key", {}, h("th", { colspan: 6, scope: "rowgroup" }, key)),
        mine.map(([, value, n, meanA, meanB, difference, low, high, lost, gained]) => {
          const isOn = state.slice && state.slice[0] === key && state.slice[1] === value,
            isTold = low !== null && high !== null && (low > 0 || high < 0);
          const act = () => this.host.filter({ slice: isOn ? null : [key, value] });
          return h(
            `tr.lm-slice${isOn ? ".lm-on" : ""}`,
            { "data-slice": `${key}=${value}`, onclick: act },
            h(
              "th",
              { scope: "row", title: value },
              h(
                "button",
                {
                  type: "button",
                  "aria-pressed": Boolean(isOn),
                  title: `only ${key} = ${value}`,
                  onclick: (event) => {
                    event.stopPropagation();
                    act();
                  },
                },
                value,
              ),
            ),
            h("td.lm-number", {}, count(n)),
            isPair
              ? [
                  h("td.lm-number", {}, scoreText(meanB)),
                  h("td.lm-number", {}, scoreText(meanA)),
                  h(
                    "td",
                    { title: between(low, high) },
                    difference === null ? "" : interval([difference, low, high], reach),
                    h(
                      `span.lm-number${isTold ? (difference * this.sign < 0 ? ".lm-worse" : ".lm-better") : ""}`,
                      {},
                      changeText(difference),
                    ),
                  ),
                  h(
                    "td.lm-flips",
                    {},
                    lost ? h("span.lm-worse", {}, `−${count(lost)}`) : null,
                    gained ? h("span.lm-better", {}, ` +${count(gained)}`) : null,
                  ),
                ]
              : [
                  h("td.lm-number", {}, scoreText(meanA)),
                  h(
                    "td.lm-note",
                    { colspan: 3 },
                    low === null || high === null ? "" : `${scoreText(low)} to ${scoreText(high)}`,
                  ),
                ],
          );
        }),
      ];
    });
    return h(
      "section.lm-card",
      {},
      h("h4", {}, "Slices"),
      h(
        `table.lm-slices${isPair ? "" : ".lm-single"}`,
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th"),
            h("th.lm-number", {}, "n"),
            isPair
              ? [
                  h("th.lm-number", {}, old),
                  h("th.lm-number", {}, now),
                  h("th", {}, "change, 95 %"),
                  h("th", {}, "flips"),
                ]
              : [h("th.lm-number", {}, "mean"), h("th", { colspan: 3 }, "95 %")],
          ),
        ),
        h("tbody", {}, body),
      ),
      h(
        "p.lm-note",
        {},
        isPair ? "Means are those of the pairs: cases with a score in both runs. " : "",
        "Intervals of slices are not adjusted for their number: ws.evals.compare(…, slices=[…]) tests them.",
      ),
    );
  }

  get sign() {
    const { state } = this.host;
    return state.scorers.find((one) => one.name === state.scorer)?.higher_is_better === false ? -1 : 1;
  }
}
