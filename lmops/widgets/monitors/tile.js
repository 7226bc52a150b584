// One series of a monitor: what it is now, how sure, and its line beside the baseline and the week before.

import { count, dollars, duration, exact, h, icon, plural, relative, short } from "../kit/dom.js";
import { BOX, alone, extent, heightOf, line, nearest } from "./spark.js";

const NS = "http://www.w3.org/2000/svg";

/** A number in its unit. */
export function said(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "share") return `${+(100 * value).toPrecision(3)} %`;
  if (unit === "ms") return duration(value);
  return unit === "usd" ? dollars(value) : short(value);
}

/** [word, icon, class] of a state. */
export const STATES = {
  firing: ["firing", "warn", "lm-s-error"],
  quiet: ["quiet", "ok", "lm-s-ok"],
  learning: ["cannot tell yet", "clock", "lm-s-unset"],
  "no data": ["no data", "unset", "lm-s-unset"],
};

function drawn(name, attributes) {
  const el = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, value);
  return el;
}

/** The line of a tile; `isCompared` draws the week before as well. */
export function spark(tile, isCompared) {
  const { points, baseline } = tile,
    earlier = isCompared ? tile.earlier : [],
    range = extent(points, earlier, baseline);
  const svg = drawn("svg", {
    class: "lm-spark",
    viewBox: `0 0 ${BOX.width} ${BOX.height}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  });
  if (!range || !points.length) return svg;
  const span = [points[0][0], points.at(-1)[0]];
  if (baseline) {
    const [middle, low, high] = baseline,
      top = heightOf(high ?? middle, range),
      foot = heightOf(low ?? middle, range);
    svg.append(
      drawn("rect", { class: "lm-spark-band", x: 0, width: BOX.width, y: top, height: Math.max(1, foot - top) }),
    );
  }
  if (earlier.length) svg.append(drawn("path", { class: "lm-spark-earlier", d: line(earlier, span, range) }));
  svg.append(drawn("path", { class: "lm-spark-line", d: line(points, span, range) }));
  const dots = alone(points)
    .map((point) => line([point], span, range))
    .map((at) => `${at}h.01`)
    .join("");
  if (dots) svg.append(drawn("path", { class: "lm-spark-dots", d: dots }));
  return svg;
}

/** What a point says. */
export const pointWords = ([at, n, value], unit) =>
  `${exact(at).slice(5, 16)} UTC: ${said(value, unit)} (${plural(n, "item")})`;

/** A tile as a button that opens its traces. `host`: {open(tile), isCompared, now, say(text)} */
export function tileOf(tile, host) {
  const [word, name, cls] = STATES[tile.status] ?? STATES["no data"],
    [n, estimate, low, high] = tile.now,
    limits = low === null || high === null ? "" : `${said(low, tile.unit)} to ${said(high, tile.unit)}`,
    was = host.isCompared ? `a week before ${said(tile.before[1], tile.unit)}` : "",
    held = tile.baseline ? `baseline ${said(tile.baseline[0], tile.unit)}` : "";
  const chart = h("div.lm-chart", {}, spark(tile, host.isCompared));
  chart.addEventListener("pointermove", (event) => {
    const { left, width } = chart.getBoundingClientRect(),
      at = nearest(tile.points, (event.clientX - left) / width);
    if (at >= 0) host.say(pointWords(tile.points[at], tile.unit));
  });
  return h(
    "button.lm-tile",
    {
      type: "button",
      tabindex: -1,
      "data-key": tile.key,
      "data-status": tile.status,
      title: `${tile.words}\n${tile.monitor}@${tile.version}`,
      "aria-label": `${tile.title}${tile.series ? `, ${tile.series}` : ""}: ${said(estimate, tile.unit)}, ${word}`,
      onclick: () => host.open(tile),
    },
    h(
      "span.lm-tile-head",
      {},
      h("span.lm-tile-title", {}, tile.title),
      h(`span.lm-state.${cls}`, {}, icon(name), h("span", {}, word)),
    ),
    h(
      "span.lm-tile-foot.lm-note",
      {},
      h("span", {}, [tile.monitor, tile.series].filter(Boolean).join(" · ")),
      h("span", {}, tile.as_of_ms === null ? "" : `as of ${relative(tile.as_of_ms, host.now)}`),
    ),
    h(
      "span.lm-tile-now",
      {},
      h("b", {}, said(estimate, tile.unit)),
      h("span.lm-note", { title: "95 % interval" }, limits),
    ),
    chart,
    h("span.lm-tile-foot.lm-note", {}, h("span", {}, was || held), h("span", {}, `n ${count(n)}`)),
  );
}
