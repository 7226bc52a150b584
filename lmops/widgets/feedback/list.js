// The items of a queue in a list: all, open, done, mine; marked ones are labelled at once.

import { h, icon, plural, swap } from "../kit/dom.js";

const WHICH = ["all", "open", "done", "mine"];

export class ItemList {
  /** `host`: {ask, open(position), onMarks(), statusOf(position), focus()} */
  constructor(host) {
    this.host = host;
    this.which = "all";
    this.items = [];
    this.marks = new Set();
    this.cursor = 0;
    this.ways = WHICH.map((name) =>
      h("button.lm-range", { type: "button", role: "radio", onclick: () => this.choose(name) }, name),
    );
    this.rows = h("div.lm-list-rows", {
      tabindex: 0,
      role: "listbox",
      "aria-label": "cases",
      "aria-multiselectable": "true",
    });
    this.rows.addEventListener("keydown", (event) => this.key(event));
    this.rows.addEventListener("scroll", () => this.more(), { passive: true });
    this.el = h(
      "section.lm-list",
      { hidden: true, "aria-label": "list of cases" },
      h("div.lm-ranges", { role: "radiogroup", "aria-label": "which cases" }, this.ways),
      this.rows,
    );
  }

  get isOpen() {
    return !this.el.hidden;
  }

  async toggle() {
    this.el.hidden = this.isOpen;
    if (!this.isOpen) {
      this.host.focus();
      return;
    }
    await this.choose(this.which);
    this.rows.focus({ preventScroll: true });
  }

  async choose(which) {
    this.which = which;
    this.ways.forEach((one, i) => {
      one.setAttribute("aria-checked", WHICH[i] === which);
      one.classList.toggle("lm-on", WHICH[i] === which);
    });
    const answer = await this.host.ask("filter", { which, after: 0 });
    if (!answer || this.which !== which) return;
    this.items = answer.items;
    this.hasMore = answer.more;
    this.cursor = 0;
    swap(this.rows, ...this.items.map((one) => this.row(one)));
    if (!this.items.length) swap(this.rows, h("p.lm-note.lm-wait", {}, "none"));
    this.rows.scrollTop = 0;
    this.draw();
  }

  async more() {
    const { rows, which } = this;
    if (!this.hasMore || this.isReading || rows.scrollTop + rows.clientHeight < rows.scrollHeight - 400) return;
    this.isReading = true;
    const answer = await this.host.ask("filter", { which, after: this.items.at(-1).position });
    this.isReading = false;
    if (!answer || this.which !== which) return;
    this.items.push(...answer.items);
    this.hasMore = answer.more;
    rows.append(...answer.items.map((one) => this.row(one)));
    this.draw();
  }

  row(one) {
    const el = h(
      "div.lm-list-row",
      { role: "option", "data-position": one.position },
      h("span.lm-tick", { title: "mark  Space" }, icon("mark")),
      h("span.lm-number", {}, one.position),
      h("span.lm-state"),
      h("span.lm-list-words", { title: one.words }, one.words),
    );
    el.addEventListener("click", (event) => {
      this.cursor = this.items.indexOf(one);
      if (event.target.closest(".lm-tick") || event.ctrlKey || event.metaKey) this.mark(one.position);
      else if (event.shiftKey) this.markTo(one.position);
      else this.host.open(one.position);
      this.draw();
    });
    return el;
  }

  mark(position) {
    if (!this.marks.delete(position)) this.marks.add(position);
    this.last = position;
    this.host.onMarks();
  }

  /** Mark all from the one that was marked last to this one. */
  markTo(position) {
    const [from, to] = [this.last ?? position, position].sort((a, b) => a - b);
    for (const one of this.items) if (one.position >= from && one.position <= to) this.marks.add(one.position);
    this.last = position;
    this.host.onMarks();
  }

  clear() {
    this.marks.clear();
    this.draw();
  }

  draw(current = this.current) {
    this.current = current;
    if (!this.isOpen) return;
    [...this.rows.children].forEach((el, i) => {
      const one = this.items[i];
      if (!one) return;
      const isMarked = this.marks.has(one.position),
        status = this.host.statusOf(one.position) ?? (one.is_done ? "done" : "open");
      el.classList.toggle("lm-cursor", i === this.cursor);
      el.classList.toggle("lm-on", one.position === current);
      el.setAttribute("aria-selected", isMarked);
      if (el.dataset.status !== status) {
        el.dataset.status = status;
        const sign = { done: icon("ok"), skipped: icon("right") }[status];
        swap(el.querySelector(".lm-state"), sign ?? "");
        el.querySelector(".lm-state").title = status;
      }
      if (el.dataset.marked !== String(isMarked)) {
        el.dataset.marked = isMarked;
        swap(el.querySelector(".lm-tick"), icon(isMarked ? "marked" : "mark"));
      }
    });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.press(event.key, event.shiftKey)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Do what a key means in the list; false when it means nothing here. */
  press(key, isShift = false) {
    const one = this.items[this.cursor];
    if (!one) return false;
    const page = Math.max(1, Math.floor(this.rows.clientHeight / 24) - 1);
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -1e9, End: 1e9 }[key];
    if (by !== undefined) {
      this.cursor = Math.max(0, Math.min(this.items.length - 1, this.cursor + by));
      if (isShift) this.markTo(this.items[this.cursor].position);
    } else if (key === " ") this.mark(one.position);
    else if (key === "Enter") this.host.open(one.position);
    else return false;
    this.draw();
    this.rows.children[this.cursor]?.scrollIntoView({ block: "nearest" });
    return true;
  }

  get words() {
    return plural(this.marks.size, "marked case");
  }
}
