// The range over time: its figures beside those of the range before it, bars, marks where prompts changed, and a brush
// that chooses a part of it by dragging or by keys.

import { count, dollars, duration, exact, h, isOurs, plural, swap } from "../kit/dom.js";
import { barHeights } from "./summaries.js";

/** Which of `n` bars is at `x` of `width` pixels. */
export const barAt = (x, width, n) => Math.min(n - 1, Math.max(0, Math.floor((x / width) * n)));

/** Where a key leads the brush [anchor, end] over `n` bars: with Shift its end moves, else all of it is one bar. */
export function brushed(brush, key, isShift, n) {
  const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, Home: -n, End: n }[key];
  if (!by) return undefined;
  const [anchor, end] = brush ?? [by < 0 ? n : -1, by < 0 ? n : -1],
    to = Math.min(n - 1, Math.max(0, end + by));
  return isShift && brush ? [anchor, to] : [to, to];
}

const percent = ({ errors, traces }) => (traces ? `${+((100 * errors) / traces).toFixed(1)}%` : "–");

/** Figures as [label, now, before, title, sign]: the sign of a rate only where its interval leaves no doubt. */
export function figures({ now, before, error_change: change }) {
  const [low, high] = change ?? [0, 0],
    sign = low > 0 ? 1 : high < 0 ? -1 : 0,
    points = (share) => `${share > 0 ? "+" : ""}${+(100 * share).toFixed(1)}`,
    doubt = change ? `difference ${points(low)} to ${points(high)} percentage points (95%)` : "",
    was = (show) => (before ? (before.traces ? show(before) : "–") : null),
    took = (name) => (one) => duration(one[name]) || "–",
    money = (one) => (one.cost_usd === null ? "–" : dollars(one.cost_usd)),
    unpriced = now.unpriced_calls ? `${plural(now.unpriced_calls, "call")} without a price` : "";
  return [
    ["traces", count(now.traces), before && count(before.traces), "", 0],
    ["failed", percent(now), was(percent), doubt, sign],
    ["median", took("p50_ms")(now), was(took("p50_ms")), "half took at most so long", 0],
    ["p95", took("p95_ms")(now), was(took("p95_ms")), "95% took at most so long", 0],
    ["cost", money(now), was(money), unpriced, 0],
  ];
}

export class OverTime {
  /** `host`: {ask, state, focus(), onRange(since, until)} */
  constructor(host) {
    this.host = host;
    this.brush = null;
    this.isOn = true;
    this.figures = h("div.lm-figures");
    this.chart = h("div.lm-timeline", {
      role: "slider",
      tabindex: 0,
      "aria-label": "time",
      title: "drag to choose a range; or arrows, Shift to widen, Enter",
      onpointerdown: (event) => this.drag(event),
      onkeydown: (event) => this.key(event),
    });
    this.band = h("div.lm-band", { hidden: true });
    this.el = h("div.lm-over", { hidden: true }, this.figures, this.chart);
  }

  toggle() {
    this.isOn = !this.isOn;
    this.draw();
  }

  /** Draw what is listed, once for each list. */
  async draw() {
    const { state } = this.host;
    this.el.hidden = !this.isOn || !state.traces;
    if (this.el.hidden || this.rev === state.rev) return;
    this.rev = state.rev;
    const answer = await this.host.ask("over_time", { rev: state.rev });
    if (!answer || answer.rev !== this.host.state.rev) {
      this.rev = undefined;
      return;
    }
    // New traces leave the bars where they are, mostly, and what is brushed.
    const isSame = this.bars?.length === answer.bars.length && this.bars[0].low === answer.bars[0].low;
    this.bars = answer.bars;
    this.drawFigures(answer);
    this.drawChart(answer);
    this.choose(isSame ? this.brush : null);
  }

  drawFigures(answer) {
    swap(
      this.figures,
      ...figures(answer).map(([label, now, before, title, sign]) =>
        h(
          "div.lm-figure",
          { title },
          h("span.lm-note", {}, label),
          h("b", {}, now),
          h(
            `span.lm-note${sign > 0 ? ".lm-s-error" : sign < 0 ? ".lm-s-ok" : ""}`,
            {},
            before === null ? "" : `${sign > 0 ? "↑ " : sign < 0 ? "↓ " : ""}was ${before}`,
          ),
        ),
      ),
    );
  }

  drawChart({ bars, marks }) {
    const heights = barHeights(bars),
      { low } = bars[0],
      { high } = bars.at(-1),
      at = (ms) => (100 * (ms - low)) / (high - low);
    const drawn = bars.map((bar, i) => {
      const fill = h("i");
      fill.style.height = `${heights[i] * 100}%`;
      if (bar.errors) {
        const red = h("b");
        red.style.height = `${Math.max(8, (100 * bar.errors) / bar.count)}%`;
        fill.append(red);
      }
      return h("span.lm-bar", { title: this.words(bar, bar) }, fill);
    });
    const flags = marks.map((mark, i) => {
      const next = marks[i + 1]?.at ?? high,
        flag = h("span.lm-release", { title: `${mark.words}\n${exact(mark.at)} UTC` }, h("span", {}, mark.label));
      flag.style.left = `${at(mark.at)}%`;
      flag.style.width = `${at(next) - at(mark.at)}%`;
      return flag;
    });
    const ends = [low, high].map((ms) => h("span", {}, exact(ms).slice(5, 16)));
    swap(this.chart, h("div.lm-bars", {}, drawn), ...flags, this.band, h("div.lm-ends.lm-note", {}, ends));
  }

  /** What the bars from one to another say. */
  words(first, last) {
    const [from, to] = [this.bars.indexOf(first), this.bars.indexOf(last)],
      chosen = this.bars.slice(from, to + 1),
      sum = (name) => chosen.reduce((all, bar) => all + bar[name], 0),
      failed = sum("errors");
    return (
      `${exact(first.low).slice(5, 16)} to ${exact(last.high).slice(5, 16)}: ${plural(sum("count"), "trace")}` +
      `${failed ? `, ${count(failed)} failed` : ""}`
    );
  }

  choose(brush) {
    this.brush = brush;
    this.band.hidden = !brush;
    const n = this.bars.length,
      [from, to] = brush ? [Math.min(...brush), Math.max(...brush)] : [0, n - 1],
      words = this.words(this.bars[from], this.bars[to]);
    this.band.style.left = `${(100 * from) / n}%`;
    this.band.style.width = `${(100 * (to + 1 - from)) / n}%`;
    for (const [name, value] of Object.entries({ valuemin: 0, valuemax: n - 1, valuenow: to, valuetext: words }))
      this.chart.setAttribute(`aria-${name}`, value);
    return words;
  }

  apply() {
    if (!this.brush) return;
    const [from, to] = [Math.min(...this.brush), Math.max(...this.brush)],
      iso = (ms) => new Date(ms).toISOString();
    this.host.onRange(iso(this.bars[from].low), iso(this.bars[to].high));
  }

  key(event) {
    if (!this.bars || !isOurs(event)) return;
    const brush = brushed(this.brush, event.key, event.shiftKey, this.bars.length);
    if (brush) this.host.say(this.choose(brush));
    else if (event.key === "Enter") this.apply();
    else if (event.key === "Escape" && this.brush) this.choose(null);
    else if (event.key === "Escape") this.host.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  drag(event) {
    if (!this.bars || event.button) return;
    event.preventDefault();
    const { left, width } = this.chart.getBoundingClientRect(),
      bar = (to) => barAt(to.clientX - left, width, this.bars.length),
      from = bar(event),
      move = (to) => this.host.say(this.choose([from, bar(to)]));
    this.chart.focus();
    this.chart.setPointerCapture(event.pointerId);
    move(event);
    this.chart.addEventListener("pointermove", move);
    this.chart.addEventListener(
      "pointerup",
      () => {
        this.chart.removeEventListener("pointermove", move);
        this.apply();
      },
      { once: true },
    );
  }
}
