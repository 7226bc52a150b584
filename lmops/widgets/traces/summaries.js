// The headings of the table: sort, resize, and what each column holds; a click on a bar or a value filters.

import { count, dollars, duration, exact, h, icon, plural, short, swap } from "../kit/dom.js";

const share = (part, whole) => {
  const percent = whole ? (100 * part) / whole : 0;
  return percent > 0 && percent < 0.1 ? "<0.1%" : `${percent < 9.95 ? +percent.toFixed(1) : Math.round(percent)}%`;
};

/** A value of a numeric column in words. */
export function inWords(column, value) {
  if (column.kind === "time") return exact(value);
  if (column.name === "latency_ms") return duration(value);
  if (column.name === "cost_usd") return dollars(value);
  return short(value);
}

/** The first and last day, or the first and last minute of one day. */
export function days(from, to) {
  const [a, b] = [exact(from), exact(to)],
    isOneDay = a.slice(0, 10) === b.slice(0, 10);
  return isOneDay ? `${a.slice(11, 16)} – ${b.slice(11, 16)}` : `${a.slice(5, 10)} – ${b.slice(5, 10)}`;
}

/** Heights of bars in 0..1: the square root, so that rare values stay visible beside common ones. */
export function barHeights(bins) {
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  return bins.map((bin) => (bin.count ? Math.max(0.06, Math.sqrt(bin.count / most)) : 0));
}

function histogram(column, summary, onFilter) {
  const heights = barHeights(summary.bins);
  const bars = summary.bins.map((bin, i) => {
    const name = `${inWords(column, bin.low)} to ${inWords(column, bin.high)}: ${plural(bin.count, "trace")}`,
      failed = bin.errors ? `, ${plural(bin.errors, "error")} (${share(bin.errors, bin.count)})` : "",
      title = `${name}${failed}. Click to filter`;
    const fill = h("i");
    fill.style.height = `${heights[i] * 100}%`;
    if (bin.errors) {
      const red = h("b");
      red.style.height = `${Math.max(8, (100 * bin.errors) / bin.count)}%`;
      fill.append(red);
    }
    return h(
      "button.lm-bar",
      {
        type: "button",
        tabindex: -1,
        title,
        "aria-label": name,
        onclick: () => onFilter({ column: column.name, low: bin.low, high: bin.high }),
      },
      fill,
    );
  });
  const words = column.kind === "time" ? days(summary.min, summary.max) : `~ ${inWords(column, summary.p50)}`;
  const note = h(
    "div.lm-note",
    {
      title:
        column.kind === "time"
          ? `${exact(summary.min)} to ${exact(summary.max)} UTC`
          : `median ${inWords(column, summary.p50)}, 95th percentile ${inWords(column, summary.p95)}, ` +
            `from ${inWords(column, summary.min)} to ${inWords(column, summary.max)}` +
            `${summary.missing ? `, ${count(summary.missing)} missing` : ""}`,
    },
    words,
  );
  return [h("div.lm-bars", {}, bars), note];
}

function topValues(column, summary, total, onFilter) {
  const line = (label, value, n, errors) => {
    const failed = errors ? `, ${plural(errors, "error")} (${share(errors, n)})` : "";
    const name = `${label.slice(0, 40)}: ${plural(n, "trace")}`,
      title = `${label}: ${plural(n, "trace")}, ${share(n, total)}${failed}. Click to filter`;
    const isShared = column.name !== "status" && errors / n >= 0.02; // of a status all or none are errors
    const el = h(
      "button.lm-top",
      {
        type: "button",
        tabindex: -1,
        title,
        "aria-label": name,
        onclick: () => onFilter({ column: column.name, value }),
      },
      h("i", {}, isShared ? h("b") : null),
      h("span.lm-top-name", {}, label),
      h("span.lm-top-share", {}, share(n, total)),
    );
    el.firstChild.style.width = `${(100 * n) / Math.max(1, total)}%`;
    if (column.name === "status" && value === "error") el.classList.add("lm-top-error");
    if (isShared) el.firstChild.firstChild.style.width = `${(100 * errors) / n}%`;
    return el;
  };
  const lines = summary.top
    .slice(0, summary.distinct > 3 ? 2 : 3)
    .map((top) => line(String(top.value), top.value, top.count, top.errors));
  if (lines.length < 3 && summary.missing) lines.push(line("missing", null, summary.missing, 0));
  else if (summary.distinct > lines.length)
    lines.push(h("div.lm-note", {}, `${short(summary.distinct - lines.length)} more`));
  return lines;
}

function content(column, summary, total, onFilter) {
  if (!total) return [];
  if (summary.bins?.length) return histogram(column, summary, onFilter);
  if (summary.top) return topValues(column, summary, total, onFilter);
  if (column.kind === "id") return [h("div.lm-note", {}, "unique")];
  return [
    h(
      "div.lm-note",
      { title: `${plural(total - summary.missing, "trace")} with text, ${count(summary.missing)} without` },
      summary.missing ? `${share(summary.missing, total)} missing` : plural(total, "text"),
    ),
  ];
}

export class Headings {
  /** `host`: {ask, state, onSort(column), onFilter(what), onTimes, widthOf(i), onWidth(column, width, isDone),
   *  setHead(cells)} */
  constructor(host) {
    this.host = host;
    this.cache = new Map();
  }

  /** Draw the headings where they are those of other columns. */
  keepUp(columns) {
    if (this.drawn !== columns.map(({ name }) => name).join()) this.draw(columns);
  }

  draw(columns) {
    const { sort } = this.host.state;
    this.drawn = columns.map(({ name }) => name).join();
    this.boxes = new Map();
    const cells = columns.map((column, i) => {
      const isSorted = sort.column === column.name;
      const box = h("div.lm-summary", { "data-column": column.name });
      this.boxes.set(column.name, box);
      const label = h(
        "button.lm-sort",
        {
          type: "button",
          tabindex: -1,
          title: `sort by ${column.label}`,
          onclick: () => this.host.onSort(column.name),
        },
        h("span", {}, column.label),
        isSorted ? icon(sort.descending ? "down" : "up") : null,
      );
      const times =
        column.kind === "time"
          ? h(
              "button.lm-times",
              {
                type: "button",
                tabindex: -1,
                "aria-label": "relative or exact times",
                title: "relative or exact times, UTC  t",
                onclick: () => this.host.onTimes(),
              },
              icon("clock"),
            )
          : null;
      return h(
        `div.lm-th.lm-k-${column.kind}`,
        {
          role: "columnheader",
          "aria-colindex": i + 2,
          "aria-sort": isSorted ? (sort.descending ? "descending" : "ascending") : "none",
          "data-column": column.name,
        },
        label,
        times,
        box,
        h("div.lm-grip", { title: "drag to resize", onpointerdown: (event) => this.resize(event, column, i) }),
      );
    });
    this.host.setHead(cells);
    this.load(columns);
  }

  /** One column after the other, so that windows of rows come between. */
  async load(columns) {
    const { rev, total, group } = this.host.state;
    if (group) return; // a click on a bar would filter traces
    for (const column of columns) {
      const key = `${rev}|${column.name}`;
      let summary = this.cache.get(key);
      if (!summary) {
        summary = await this.host.ask("summary", { rev, column: column.name });
        if (rev !== this.host.state.rev || !summary) return;
        this.cache.set(key, summary);
        while (this.cache.size > 80) this.cache.delete(this.cache.keys().next().value);
      }
      const box = this.boxes.get(column.name);
      if (box) swap(box, ...content(column, summary, total, (what) => this.host.onFilter(what)));
    }
  }

  resize(event, column, i) {
    event.preventDefault();
    event.stopPropagation();
    const grip = event.target,
      from = event.clientX,
      before = this.host.widthOf(i);
    grip.setPointerCapture(event.pointerId);
    const move = (to) => this.host.onWidth(column, Math.max(36, before + to.clientX - from), false);
    const stop = (to) => {
      grip.removeEventListener("pointermove", move);
      grip.removeEventListener("pointerup", stop);
      this.host.onWidth(column, Math.max(36, before + to.clientX - from), true);
    };
    grip.addEventListener("pointermove", move);
    grip.addEventListener("pointerup", stop);
  }
}
