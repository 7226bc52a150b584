// A table of any number of rows: they come by windows and are drawn where they are visible only.

import { MAX_HEIGHT, ROW, h, icon, isOurs, swap } from "./dom.js";

export const PAGE = 100;
const PAGES_KEPT = 60;

/** How a list of `total` rows maps to a scrollbar: `top` is the first visible row, a fraction included. */
export function scrollMap(total, viewport) {
  const full = total * ROW;
  const height = Math.min(full, MAX_HEIGHT);
  const lastTop = Math.max(0, full - viewport);
  const track = Math.max(0, height - viewport);
  const scale = track > 0 ? lastTop / track : 1;
  return {
    height,
    isScaled: full > MAX_HEIGHT,
    toPixels: (scrollTop) => Math.min(lastTop, Math.max(0, scrollTop * scale)),
    toScroll: (pixels) => Math.min(track, Math.max(0, pixels) / scale),
  };
}

/** The pages that rows [first, last] need, and one more where the scrolling goes. */
export function pagesFor(first, last, total, direction) {
  if (total <= 0) return [];
  const end = Math.floor((total - 1) / PAGE);
  const from = Math.max(0, Math.floor(first / PAGE)),
    to = Math.min(end, Math.floor(last / PAGE));
  const pages = [];
  for (let page = from; page <= to; page++) pages.push(page);
  const ahead = direction < 0 ? from - 1 : to + 1;
  if (ahead >= 0 && ahead <= end) pages.push(ahead);
  return pages;
}

/** Rows by page, the oldest ones forgotten. */
export class Pages {
  constructor() {
    this.map = new Map();
  }
  get(page) {
    const rows = this.map.get(page);
    if (rows) {
      this.map.delete(page);
      this.map.set(page, rows);
    }
    return rows;
  }
  put(page, rows) {
    this.map.set(page, rows);
    while (this.map.size > PAGES_KEPT) this.map.delete(this.map.keys().next().value);
  }
  row(index) {
    return this.map.get(Math.floor(index / PAGE))?.[index % PAGE];
  }
  indexOf(id) {
    for (const [page, rows] of this.map) {
      const at = rows.findIndex((row) => row[0] === id);
      if (at >= 0) return page * PAGE + at;
    }
    return -1;
  }
}

/** Where a key leads from one heading: `at` is [heading, thing in it], of which the first sorts; `heads` says of each
 *  heading how many things it has, and whether the others lie side by side. "rows" leads back to them, undefined is no
 *  key of headings. */
export function nextHead([head, thing], key, heads) {
  const { things, isRow } = heads[head],
    by = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (by && thing && isRow) return [head, Math.min(things - 1, Math.max(1, thing + by))];
  if (by) return [Math.min(heads.length - 1, Math.max(0, head + by)), 0];
  if (key === "ArrowDown") return thing + 1 < things && !(thing && isRow) ? [head, thing + 1] : "rows";
  if (key === "ArrowUp") return [head, isRow ? 0 : Math.max(0, thing - 1)];
  if (key === "Home" || key === "End") return [key === "Home" ? 0 : heads.length - 1, 0];
  if (key === "Escape") return thing ? [head, 0] : "rows";
  return undefined;
}

/** How wide the boxes are that mark rows. */
const MARKS = 26;

/** Give the room that is left to the texts. Where there is room for some of the columns only, these fill it: without
 *  scrolling each column is seen whole or not at all. */
export function widen(widths, columns, room) {
  let used = 0,
    whole = 0;
  while (whole < widths.length && used + widths[whole] <= room) used += widths[whole++];
  const texts = columns.slice(0, whole).flatMap((column, i) => (column.kind === "text" ? [i] : []));
  for (const i of texts) widths[i] += Math.floor((room - used) / texts.length);
}

/** Its subclass says `label` (what its rows are), `columns`, and `fillCell(cell, column, value, minute)`. */
export class RowTable {
  /** `host`: {ask, view, now, state, isMarked, isCompact, onCursor, onOpen, onMark, onRows} */
  constructor(host) {
    this.host = host;
    this.pages = new Pages();
    this.asked = new Map();
    this.pool = [];
    this.cursor = -1; // index of the row that has the cursor
    this.pixels = 0; // what is scrolled away, in unscaled pixels
    this.direction = 1;
    this.isExact = false;
    this.head = h("div.lm-head", { role: "rowgroup", onkeydown: (event) => this.headKey(event) });
    this.all = h("button.lm-mark-all", {
      type: "button",
      role: "checkbox",
      tabindex: -1,
      onclick: () => this.host.onMarkAll(),
    });
    this.space = h("div.lm-space", { role: "rowgroup" });
    this.empty = h("div.lm-empty", { hidden: true });
    this.el = h(
      "div.lm-scroll",
      { role: "grid", tabindex: 0, "aria-label": this.label, "aria-multiselectable": "true" },
      this.head,
      this.space,
      this.empty,
    );
    this.el.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.el.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.space.addEventListener("click", (event) => this.clicked(event));
    this.space.addEventListener("dblclick", () => this.host.onOpen());
    this.sizes = new ResizeObserver(() => this.layout());
    this.sizes.observe(this.el);
  }

  // -- headings: they are no stop of their own for Tab, a key leads to them, arrows from one to the other -----------

  /** Put headings in the place of others, after that of the marks; the one that has the focus keeps it. */
  setHead(cells) {
    const at = this.headAt();
    const marks = h("div.lm-th.lm-mark-cell", { role: "columnheader" }, this.all);
    swap(this.head, h("div.lm-head-row", { role: "row", "aria-rowindex": 1 }, marks, cells));
    if (at) this.focusHead(at);
  }

  /** All that can have the focus, by heading. */
  get heads() {
    const ths = [...this.head.querySelectorAll(".lm-th")];
    return ths.map((th) => [...th.querySelectorAll("button")]).filter((things) => things.length);
  }

  /** Which heading has the focus, as [heading, thing in it]; undefined where none has. */
  headAt() {
    const { heads } = this,
      head = heads.findIndex((things) => things.includes(document.activeElement));
    return head < 0 ? undefined : [head, heads[head].indexOf(document.activeElement)];
  }

  /** Go to a heading; without one to that by which the rows are sorted. */
  focusHead(at) {
    const { heads } = this,
      sorted = heads.findIndex(([first]) => /ing$/.test(first.closest("[aria-sort]")?.getAttribute("aria-sort")));
    const [head, thing] = at ?? [Math.max(1, sorted), 0];
    (heads[head]?.[thing] ?? heads[head]?.[0] ?? this.el).focus();
  }

  headKey(event) {
    const at = this.headAt();
    if (!at || !isOurs(event)) return;
    const heads = this.heads.map((things) => ({
      things: things.length,
      isRow: things.some((one) => one.classList.contains("lm-bar")),
    }));
    const to = nextHead(at, event.key, heads);
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    if (to === "rows") this.el.focus({ preventScroll: true });
    else this.focusHead(to);
  }

  /** How many rows are marked, on the box that marks all. */
  drawMarkAll(n, label) {
    const isAll = n > 0 && n === this.total;
    this.all.replaceChildren(icon(isAll ? "marked" : n ? "partly" : "mark"));
    this.all.setAttribute("aria-checked", isAll || (n > 0 && "mixed"));
    this.all.setAttribute("aria-label", label);
    this.all.title = `${label}  A`;
  }

  get total() {
    return this.host.state?.total ?? 0;
  }
  get viewport() {
    return Math.max(ROW, this.el.clientHeight - this.head.offsetHeight);
  }
  /** Take a new list, scrolled to where the reader is in it: forget the rows. */
  reset(pixels) {
    this.pages = new Pages();
    this.asked.clear();
    this.pixels = pixels;
    this.layout();
    this.scrollToPixels(pixels);
    this.direction = 1;
  }

  layout() {
    if (!this.host.state) return;
    this.map = scrollMap(this.total, this.viewport);
    this.space.style.height = `${this.map.height}px`;
    this.empty.hidden = this.total > 0;
    const columns = this.columns;
    this.widths = columns.map((column) =>
      column.kind === "time" && this.isExact ? Math.max(column.width, 150) : column.width,
    );
    widen(this.widths, columns, this.el.clientWidth - MARKS);
    const grid = `${MARKS}px ${this.widths.map((width) => `${width}px`).join(" ")}`;
    this.el.style.setProperty("--lm-columns", grid);
    this.el.style.setProperty("--lm-width", `${this.widths.reduce((sum, width) => sum + width, MARKS)}px`);
    this.el.setAttribute("aria-rowcount", this.total + 1);
    this.el.setAttribute("aria-colcount", columns.length + 1);
    // An element that was taken out of the page and put back has lost where it was scrolled to.
    const scroll = this.map.toScroll(this.pixels);
    if (this.el.clientHeight && Math.abs(this.el.scrollTop - scroll) >= 1) this.el.scrollTop = scroll;
    this.draw();
  }

  scrolled() {
    if (!this.map || !this.el.clientHeight) return;
    const expected = this.map.toScroll(this.pixels);
    if (Math.abs(this.el.scrollTop - expected) >= 1) {
      // A scaled scrollbar that stands at its end means the last row, whatever the rounding of its pixels.
      const atEnd = this.el.scrollTop >= this.el.scrollHeight - this.el.clientHeight - 1;
      const pixels = atEnd ? Math.max(0, this.total * ROW - this.viewport) : this.map.toPixels(this.el.scrollTop);
      this.direction = pixels < this.pixels ? -1 : 1;
      const isJump = Math.abs(pixels - this.pixels) > this.viewport;
      this.pixels = pixels;
      if (isJump) this.draw(); // a frame earlier than the next one: the kernel is asked at once
    }
    this.schedule();
  }

  /** With a scaled scrollbar one pixel is many rows: the wheel moves by rows itself. */
  wheel(event) {
    if (!this.map?.isScaled || event.ctrlKey || !event.deltaY || Math.abs(event.deltaX) > Math.abs(event.deltaY))
      return;
    event.preventDefault();
    const unit = event.deltaMode === 1 ? ROW : event.deltaMode === 2 ? this.viewport : 1;
    this.scrollToPixels(this.pixels + event.deltaY * unit);
  }

  scrollToPixels(pixels) {
    const last = Math.max(0, this.total * ROW - this.viewport);
    const target = Math.min(last, Math.max(0, pixels));
    this.direction = target < this.pixels ? -1 : 1;
    this.pixels = target;
    this.el.scrollTop = this.map.toScroll(target);
    this.schedule();
  }

  reveal(index) {
    const top = index * ROW;
    if (top < this.pixels) this.scrollToPixels(top);
    else if (top + ROW > this.pixels + this.viewport) this.scrollToPixels(top + ROW - this.viewport);
    else this.schedule();
  }

  schedule() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.draw();
    });
  }

  draw() {
    if (!this.map || !this.host.state) return;
    const first = Math.floor(this.pixels / ROW),
      last = Math.min(this.total - 1, Math.ceil((this.pixels + this.viewport) / ROW));
    const from = Math.max(0, first - 4),
      to = Math.min(this.total - 1, last + 4);
    const needed = Math.max(0, to - from + 1);
    while (this.pool.length < needed) this.pool.push(this.newRow());
    this.shown = this.columns;
    this.shownKey = this.shown.map((column) => column.at).join();
    // The row of an index always uses the same element: neighbours stay as they are while scrolling.
    const size = this.pool.length,
      offset = this.el.scrollTop - this.pixels;
    const used = new Set();
    for (let index = from; index <= to; index++) {
      const row = this.pool[index % size];
      used.add(row);
      this.fill(row, index);
      const y = `translateY(${Math.round(index * ROW + offset)}px)`;
      if (row.y !== y) row.el.style.transform = row.y = y;
    }
    for (const row of this.pool)
      if (!used.has(row)) {
        row.el.hidden = true;
        row.key = null;
      }
    this.want(from, Math.max(0, to));
  }

  newRow() {
    const row = { el: h("div.lm-row", { role: "row" }), cells: [], key: null, y: "" };
    this.space.append(row.el);
    return row;
  }

  fill(row, index) {
    const { state } = this.host,
      data = this.pages.row(index),
      columns = this.shown;
    const isCursor = index === this.cursor,
      isMarked = data ? this.host.isMarked(data[0]) : false;
    const minute = Math.floor(this.host.now() / 15_000);
    const key = data
      ? `${state.rev}|${index}|${data[0]}|${isCursor}|${isMarked}|${minute}|${this.isExact}|${this.shownKey}`
      : `-${index}|${columns.length}`;
    if (row.key === key) return;
    row.key = key;
    row.el.hidden = false;
    row.el.id = `${this.host.view}-r${index}`;
    row.el.dataset.index = index;
    row.el.setAttribute("aria-rowindex", index + 2);
    row.el.setAttribute("aria-selected", isMarked || isCursor);
    row.el.setAttribute("aria-busy", !data);
    row.el.className = ["lm-row", isCursor && "lm-cursor", isMarked && "lm-marked", !data && "lm-loading"]
      .filter(Boolean)
      .join(" ");
    row.el.dataset.rowId = data ? data[0] : "";
    row.el.setAttribute("aria-label", data ? this.rowName(data) : "loading");
    while (row.cells.length < columns.length + 1) {
      const cell = h("div.lm-cell", { role: "gridcell" });
      row.cells.push(cell);
      row.el.append(cell);
    }
    if (!data) return; // what the cells hold is not shown until they are filled
    row.cells.forEach((cell, i) => {
      cell.hidden = i > columns.length;
    });
    this.fillMark(row.cells[0], isMarked);
    columns.forEach((column, i) => this.fillCell(row.cells[i + 1], column, data[column.at], minute));
  }

  /** What a row is called, in few words. */
  rowName(data) {
    return data
      .slice(0, 2)
      .filter((one) => typeof one === "string")
      .join(", ")
      .slice(0, 80);
  }

  fillMark(cell, isMarked) {
    if (cell.key === isMarked) return;
    cell.key = isMarked;
    cell.className = "lm-cell lm-mark-cell";
    cell.replaceChildren(icon(isMarked ? "marked" : "mark"));
    cell.setAttribute("aria-label", isMarked ? "marked" : "not marked");
  }

  /** Ask for what is missing, at most two windows at a time, what is on screen first and in one. */
  want(first, last) {
    for (const page of pagesFor(first, last, this.total, this.direction)) {
      if (this.asked.size >= 2) return;
      if (this.isThere(page)) continue;
      let count = 1;
      while (count < 3 && (page + count) * PAGE <= last && !this.isThere(page + count)) count += 1;
      this.load(page, count);
    }
  }

  /** What is on its way. */
  get loaded() {
    return Promise.all(this.asked.values());
  }

  isThere(page) {
    return this.pages.get(page) || this.asked.has(page);
  }

  load(page, count = 1) {
    const wanted = Array.from({ length: count }, (_, i) => page + i),
      asked = this.fetch(wanted);
    for (const one of wanted) this.asked.set(one, asked);
    return asked;
  }

  async fetch(wanted) {
    const { rev } = this.host.state,
      { pages } = this;
    const answer = await this.host.ask("window", { rev, start: wanted[0] * PAGE, count: wanted.length * PAGE });
    if (rev !== this.host.state.rev || pages !== this.pages) return;
    for (const one of wanted) this.asked.delete(one);
    if (!answer) {
      setTimeout(() => this.schedule(), 1_000);
      return;
    }
    wanted.forEach((one, i) => this.pages.put(one, answer.rows.slice(i * PAGE, (i + 1) * PAGE)));
    this.draw();
    this.host.onRows();
  }

  /** Return the row of an index, loading it when needed. */
  async at(index) {
    await this.missing(index);
    return this.pages.row(index);
  }

  /** A promise that a row is there; undefined when it is, and when there is no such row. */
  missing(index) {
    if (index < 0 || index >= this.total || this.pages.row(index)) return undefined;
    const page = Math.floor(index / PAGE);
    return this.asked.get(page) ?? this.load(page);
  }

  clicked(event) {
    const el = event.target.closest(".lm-row");
    if (!el || !el.dataset.rowId) return;
    const index = Number(el.dataset.index);
    this.host.onCursor(index, event.shiftKey);
    if (event.target.closest(".lm-mark-cell") || event.shiftKey || event.ctrlKey || event.metaKey)
      this.host.onMark(index, event.shiftKey);
  }

  close() {
    this.sizes.disconnect();
    if (this.frame) cancelAnimationFrame(this.frame);
  }
}
