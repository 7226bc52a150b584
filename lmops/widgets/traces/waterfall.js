// The waterfall of one trace: a tree of spans on a time axis, drawn for what is visible only.

import { count, dollars, duration, h, icon, tokenPair } from "../kit/dom.js";

export const SPAN_ROW = 22;
const AXIS = 20; // height of the axis, which stays on top of the rows
const [PARENT, NAME, KIND, START, DURATION, IS_ERROR, TOKENS_IN, TOKENS_OUT, COST] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

/** Depth of every span of a tree in depth-first order, from the indexes of the parents. */
export function depthsOf(parents) {
  const depths = new Int32Array(parents.length);
  for (let i = 0; i < parents.length; i++) depths[i] = parents[i] < 0 || parents[i] >= i ? 0 : depths[parents[i]] + 1;
  return depths;
}

/** Indexes that show when the spans in `collapsed` hide what is below them. */
export function visibleSpans(depths, collapsed) {
  const shown = [];
  for (let i = 0; i < depths.length; i++) {
    shown.push(i);
    if (collapsed.has(i)) {
      const depth = depths[i];
      while (i + 1 < depths.length && depths[i + 1] > depth) i++;
    }
  }
  return shown;
}

const STEPS = [1, 2, 5, 10, 15, 30]
  .flatMap((n) => [n * 1e3, n * 6e4])
  .concat([3.6e6, 7.2e6, 1.44e7, 4.32e7])
  .sort((a, b) => a - b);

/** Round times in milliseconds at which an axis of `total` has its marks: the start and at most `most` more. */
export function ticks(total, most = 4) {
  const wanted = total / most,
    size = 10 ** Math.floor(Math.log10(wanted)),
    steps = wanted <= 500 || total < 1_000 ? [0.1, 0.2, 0.5, 1, 2, 5, 10].map((n) => n * size) : STEPS;
  let step = steps.find((one) => one >= wanted * (1 - 1e-9)) ?? Math.ceil(wanted / 8.64e7) * 8.64e7;
  // an axis of few marks has at least one besides its start
  if (step > total) step = steps.findLast((one) => one <= total) ?? step;
  const found = [];
  for (let i = 0; i * step <= total && i <= most; i++) found.push(+(i * step).toPrecision(6));
  return found;
}

export class Waterfall {
  /** `host`: {view, onSpan(index)} */
  constructor(host) {
    this.host = host;
    this.space = h("div.lm-space", { role: "presentation" });
    this.marks = h("div.lm-ticks");
    this.axis = h(
      "div.lm-axis",
      { "aria-hidden": "true" },
      h("span", {}, "span"),
      this.marks,
      h("span.lm-used", {}, "tokens · cost"),
      h("span.lm-time", {}, "time"),
    );
    this.el = h("div.lm-tree", { role: "tree", tabindex: 0, "aria-label": "spans" }, this.axis, this.space);
    this.top = 0; // an element that was taken out of the page and put back has lost it
    this.el.addEventListener(
      "scroll",
      () => {
        if (this.el.clientHeight) {
          this.top = this.el.scrollTop;
          this.schedule();
        }
      },
      { passive: true },
    );
    this.space.addEventListener("click", (event) => this.clicked(event));
    this.sizes = new ResizeObserver(() => {
      if (this.el.clientHeight && this.el.scrollTop !== this.top) this.el.scrollTop = this.top;
      this.drawTicks();
      this.schedule();
    });
    this.sizes.observe(this.el);
    this.clear();
  }

  clear() {
    this.rows = [];
    this.collapsed = new Set();
    this.found = new Set();
    this.cursor = -1;
    this.duration = 1;
    this.pool ??= [];
    this.top = 0;
    this.shown = [];
    this.place = new Map();
    this.total = 0;
  }

  /** Say how long the trace is, which is how long the axis is. */
  setDuration(ms) {
    this.duration = Math.max(ms, 1e-6);
    this.drawTicks();
  }

  /** As many marks as the axis has room for. */
  drawTicks() {
    const most = Math.min(4, Math.max(1, Math.floor((this.marks.clientWidth || 400) / 80)));
    this.marks.replaceChildren(
      ...ticks(this.duration, most).map((at) => {
        const tick = h("span", {}, at ? duration(at) : "0");
        tick.style.left = `${(100 * at) / this.duration}%`;
        tick.classList.toggle("lm-end", at / this.duration > 0.85);
        return tick;
      }),
    );
  }

  add(tree, total) {
    for (const row of tree.rows) {
      row[NAME] = tree.names[row[NAME]];
      row[KIND] = tree.kinds[row[KIND]];
      this.rows.push(row);
    }
    this.total = total;
    this.depths = depthsOf(this.rows.map((row) => row[PARENT]));
    this.rebuild();
  }

  rebuild() {
    this.shown = visibleSpans(this.depths, this.collapsed);
    this.place = new Map(this.shown.map((index, place) => [index, place]));
    this.space.style.height = `${this.shown.length * SPAN_ROW}px`;
    for (const row of this.pool) row.key = null;
    this.schedule();
  }

  hasChildren(index) {
    return index + 1 < this.rows.length && this.depths[index + 1] > this.depths[index];
  }

  toggle(index, collapse = !this.collapsed.has(index)) {
    if (!this.hasChildren(index)) return false;
    if (collapse === this.collapsed.has(index)) return false;
    if (collapse) this.collapsed.add(index);
    else this.collapsed.delete(index);
    this.rebuild();
    return true;
  }

  /** Move the cursor to a span, opening what hides it. */
  select(index, { scroll = true } = {}) {
    if (index < 0 || index >= this.rows.length) return;
    for (let up = this.rows[index][PARENT]; up >= 0; up = this.rows[up][PARENT]) this.collapsed.delete(up);
    this.cursor = index;
    if (!this.place.has(index)) this.rebuild();
    const at = this.place.get(index) * SPAN_ROW,
      { scrollTop } = this.el,
      height = this.el.clientHeight - AXIS;
    const below = at + SPAN_ROW - scrollTop - height,
      isFar = below > height || scrollTop - at > height;
    if (scroll && isFar)
      this.el.scrollTop = at - height / 3; // with what stands around it
    else if (scroll && at < scrollTop) this.el.scrollTop = at;
    else if (scroll && below > 0) this.el.scrollTop = scrollTop + below;
    this.el.setAttribute("aria-activedescendant", `${this.host.view}-s${index}`);
    this.schedule();
  }

  move(by) {
    const at = this.place.get(this.cursor) ?? 0;
    const to = Math.min(this.shown.length - 1, Math.max(0, at + by));
    if (this.shown.length && this.shown[to] !== this.cursor) this.host.onSpan(this.shown[to]);
  }

  /** Right opens or goes to the first child; left closes or goes to the parent. */
  sideways(direction) {
    if (direction > 0) {
      if (!this.toggle(this.cursor, false) && this.hasChildren(this.cursor)) this.host.onSpan(this.cursor + 1);
    } else if (this.collapsed.has(this.cursor) || !this.toggle(this.cursor, true)) {
      const parent = this.rows[this.cursor]?.[PARENT];
      if (parent >= 0) this.host.onSpan(parent);
    }
  }

  clicked(event) {
    const el = event.target.closest(".lm-span-row");
    if (!el) return;
    const index = Number(el.dataset.index);
    if (event.target.closest(".lm-caret")) this.toggle(index);
    this.host.onSpan(index);
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  draw() {
    const first = Math.max(0, Math.floor(this.el.scrollTop / SPAN_ROW) - 3);
    const last = Math.min(this.shown.length - 1, Math.ceil((this.el.scrollTop + this.el.clientHeight) / SPAN_ROW) + 3);
    while (this.pool.length < last - first + 1) this.pool.push(this.newRow());
    const size = this.pool.length,
      used = new Set();
    for (let place = first; place <= last; place++) {
      const row = this.pool[place % size];
      used.add(row);
      this.fill(row, this.shown[place], place);
    }
    for (const row of this.pool)
      if (!used.has(row)) {
        row.el.hidden = true;
        row.key = null;
      }
  }

  newRow() {
    const row = {
      caret: h("span.lm-caret"),
      icon: h("span.lm-kind"),
      name: h("span.lm-span-name"),
      bar: h("i"),
      used: h("span.lm-used"),
      time: h("span.lm-time"),
    };
    row.label = h("div.lm-label", {}, row.caret, row.icon, row.name);
    row.el = h("div.lm-span-row", { role: "treeitem" }, row.label, h("div.lm-lane", {}, row.bar), row.used, row.time);
    this.space.append(row.el);
    return row;
  }

  fill(row, index, place) {
    const isCursor = index === this.cursor,
      isFound = this.found.has(index);
    const isCollapsed = this.collapsed.has(index),
      isParent = this.hasChildren(index);
    const key = [index, place, isCursor, isFound, isCollapsed, isParent, this.duration].join("|");
    if (row.key === key) return;
    row.key = key;
    const data = this.rows[index],
      depth = this.depths[index],
      kind = data[KIND];
    row.el.hidden = false;
    row.el.id = `${this.host.view}-s${index}`;
    row.el.dataset.index = index;
    row.el.dataset.kind = kind;
    row.el.className = ["lm-span-row", isCursor && "lm-cursor", isFound && "lm-found", data[IS_ERROR] && "lm-failed"]
      .filter(Boolean)
      .join(" ");
    row.el.style.transform = `translateY(${place * SPAN_ROW}px)`;
    row.el.setAttribute("aria-level", depth + 1);
    row.el.setAttribute("aria-selected", isCursor);
    if (this.hasChildren(index)) row.el.setAttribute("aria-expanded", !this.collapsed.has(index));
    else row.el.removeAttribute("aria-expanded");
    row.label.style.paddingLeft = `${Math.min(depth, 14) * 12 + 4}px`;
    row.caret.replaceChildren(...(this.hasChildren(index) ? [icon(this.collapsed.has(index) ? "right" : "down")] : []));
    row.icon.replaceChildren(icon(data[IS_ERROR] ? "error" : kind));
    row.icon.title = data[IS_ERROR] ? `${kind}, failed` : kind;
    row.name.textContent = data[NAME];
    row.label.title = `${kind} · ${data[NAME]}${data[IS_ERROR] ? " · error" : ""}`;
    const left = Math.min(100, (100 * Math.max(0, data[START])) / this.duration);
    row.bar.style.left = `${Math.min(left, 99.4)}%`;
    row.bar.style.width = `${Math.max(0.6, Math.min(100 - left, (100 * data[DURATION]) / this.duration))}%`;
    const tokens = tokenPair(data[TOKENS_IN], data[TOKENS_OUT]);
    row.used.textContent = [tokens, dollars(data[COST])].filter(Boolean).join(" · ");
    const cost = data[COST] === null ? "" : `, ${dollars(data[COST])}`;
    row.used.title = tokens
      ? `${count(data[TOKENS_IN] ?? 0)} tokens in, ${count(data[TOKENS_OUT] ?? 0)} out${cost}`
      : "";
    row.time.textContent = duration(data[DURATION]);
  }

  close() {
    this.sizes.disconnect();
    if (this.frame) cancelAnimationFrame(this.frame);
  }
}
