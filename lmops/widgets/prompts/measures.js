// The table of measures: an estimate, its interval drawn on one scale a row, n, the difference from the first version.

import { count, dollars, duration, h, short } from "../kit/dom.js";

/** A number of a unit; a rate is a percentage. */
export function inUnit(value, unit) {
  if (value === null || value === undefined) return "";
  if (value < 0) return `−${inUnit(-value, unit)}`;
  if (unit === "ms") return duration(value);
  if (unit === "usd") return dollars(value);
  if (unit === "rate") return `${(100 * value).toFixed(value && value < 0.001 ? 2 : 1)} %`;
  return short(value >= 100 ? Math.round(value) : value);
}

/** A difference, with its sign; of rates it is in percentage points. */
export const signed = (value, unit) =>
  (value > 0 ? "+" : value === 0 ? "±" : "") +
  (unit === "rate" ? inUnit(value, unit).replace("%", "pp") : inUnit(value, unit));

/** A difference with its interval, where that is known. */
const gapText = ([value, low, high], unit) =>
  signed(value, unit) + (low === null || high === null ? "" : ` (${signed(low, unit)} to ${signed(high, unit)})`);

/** From and to of a scale that holds every interval of a row; what starts near zero starts at zero. */
export function scaleOf(values) {
  const numbers = values.flatMap(([estimate, low, high]) => [estimate, low, high]).filter((one) => one !== null);
  if (!numbers.length) return null;
  let [from, to] = [Math.min(...numbers), Math.max(...numbers)];
  if (from >= 0 && from < 0.5 * to) from = 0;
  if (from === to) [from, to] = [from - 1, to + 1];
  const room = 0.04 * (to - from);
  return [from === 0 ? 0 : from - room, to + room];
}

/** Whether a difference is told apart from none: both limits on one side. */
export const isTold = (value) =>
  Boolean(value) && value[1] !== null && value[2] !== null && (value[1] > 0 || value[2] < 0);

function whiskers([estimate, low, high], [from, to]) {
  const at = (value) => `${(100 * (value - from)) / (to - from)}%`;
  return h(
    "div.lm-whiskers",
    { "aria-hidden": "true" },
    low === null || high === null ? null : h("i.lm-whisker", { "data-from": at(low), "data-to": at(high) }),
    estimate === null ? null : h("i.lm-dot", { "data-from": at(estimate) }),
  );
}

export function measureTable(state) {
  const [first] = state.versions;
  const rows = state.measures.map(([name, label, unit, values, differences]) => {
    const scale = scaleOf(values);
    return h(
      "tr",
      { "data-measure": name },
      h("th", { scope: "row" }, label),
      values.map((value, i) => {
        const [estimate, low, high, n, missing] = value,
          gap = differences[i];
        if (estimate === null)
          return h(
            "td",
            {},
            h("span.lm-note", {}, n ? "too few" : "not measured"),
            h("div.lm-measure-n", {}, `n ${count(n)}`),
          );
        return h(
          "td",
          {},
          h(
            "div.lm-measure",
            {},
            h("b", {}, inUnit(estimate, unit)),
            low === null && high === null
              ? null
              : h(
                  "span.lm-interval",
                  { title: "95 % interval" },
                  `${low === null ? "…" : inUnit(low, unit)} – ${high === null ? "…" : inUnit(high, unit)}`,
                ),
          ),
          whiskers(value, scale),
          h(
            "div.lm-measure-n",
            {},
            h(
              "span",
              { title: missing ? `${count(missing)} without a value` : "values" },
              `n ${count(n)}${missing ? ` of ${count(n + missing)}` : ""}`,
            ),
            gap && gap[0] !== null
              ? h(
                  `span.lm-gap-said${isTold(gap) ? (gap[0] > 0 ? ".lm-s-error" : ".lm-s-ok") : ""}`,
                  { title: `difference from v${first.version}, 95 % interval` },
                  gapText(gap, unit),
                )
              : null,
          ),
        );
      }),
    );
  });
  const table = h("table.lm-measures", {}, h("tbody", {}, rows));
  for (const one of table.querySelectorAll("[data-from]")) {
    one.style.left = one.dataset.from;
    if (one.dataset.to) one.style.width = `calc(${one.dataset.to} - ${one.dataset.from})`;
  }
  return table;
}
