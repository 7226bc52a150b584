// What every list with something open beside it does: cursor, marks, actions, width, its place in a list that is new.
// The browser owns cursor, marks and scroll; Python owns what is listed. Two views of one widget agree through the
// state messages that both receive.

import { ROW, button, copy, count, h, keyHelp, plural, swap } from "./dom.js";
import { ActionForm } from "./action_form.js";
import { View } from "./view.js";

/** What a view leaves to the next one of its model: JupyterLab takes views away that are scrolled out of sight. */
const LEFT = new WeakMap();
const MAX_RANGE = 2_000;
/** Messages that are answered by another list, or by what it says. */
const CHANGES = new Set(["filter", "range", "sort", "columns", "refresh", "group", "open_group", "back", "view"]);
/** Keys that need nothing, and those that need the list alone; all others need its row, and what is open of it. */
const NEED_NOTHING = new Set(["help", "escape", "times", "other", "right", "left", "undo"]);
const NEED_LIST = new Set([
  "down",
  "up",
  "markDown",
  "markUp",
  "all",
  "heads",
  "first",
  "last",
  "pageDown",
  "pageUp",
  "next",
  "previous",
  "search",
  "flips",
  "regressions",
  "clear",
  "scorer",
]);

export class ListView extends View {
  /** Subclasses have `noun`, `list` (a RowTable), `pane` ({isOpen, open(id), busy}), and what is not here. */
  constructor(model, el) {
    super(model);
    //: the ids of the rows that are marked; where all are, of those that are not
    this.marks = new Set();
    this.isAll = false;
    this.cursorId = null;
    this.left = LEFT.get(model);
    LEFT.delete(model);
    this.form = new ActionForm(
      this.host({
        offer: (text, undo) => this.status.offer(text, "undo", () => this.takeBack(undo)),
        plural: (n) => plural(n, this.noun),
      }),
    );
    this.summary = h("span.lm-summary-line");
    this.marked = h("span.lm-marks", { hidden: true });
    this.foot = h("div.lm-foot", {}, this.summary, this.marked, h("span.lm-gap"));
    this.split = h("div.lm-split", {
      role: "separator",
      tabindex: 0,
      "aria-label": "size of the list",
      title: "drag to resize, or use the arrow keys",
      onpointerdown: (event) => this.drag(event),
      onkeydown: (event) => this.resizeBy(event),
    });
    this.build(el);
    this.started = this.ask("hello");
  }

  /** What a table of rows asks of the view. */
  listHost(more) {
    return this.host({
      ...more,
      isMarked: (id) => this.isMarked(id),
      isCompact: () => this.pane.isOpen,
      onOpen: () => this.open(),
      onMark: (index, isRange) => this.mark(index, isRange),
      onMarkAll: () => this.markAll(),
      onCursor: (index, isRange) => this.clickedAt(index, isRange),
      onSort: (name) => this.sort(name),
      onRows: () => {
        this.root.dataset.rows = this.list.pages.map.size;
      },
    });
  }

  /** Put the parts on the page, from top to bottom. */
  frame(el, name, keys, ...parts) {
    const words = name.replace("-", " ");
    this.help = keyHelp(keys);
    this.mount(
      el,
      h(
        "div.lm-root",
        { tabindex: -1, "data-lm": name, "data-state": "loading", role: "region", "aria-label": words },
        ...parts,
        this.foot,
        this.form.el,
        this.help,
      ),
    );
    this.root.style.height = `${this.model.get("_height")}px`;
    if (this.left?.share) this.root.style.setProperty("--lm-list", this.left.share);
    this.root.addEventListener("focusin", (event) => this.focused(event));
    this.list.empty.append(h("p", {}, "loading …"));
    this.list.empty.hidden = false;
  }

  focus() {
    this.list.el.focus({ preventScroll: true });
  }
  focused({ target }) {
    if (target === this.root) this.focus();
  }

  /** Ask Python; what went wrong before is history when the reader's next wish is granted. */
  async ask(kind, params) {
    const asked = this.channel.ask(kind, params);
    if (CHANGES.has(kind)) this.pending.add(asked);
    const answer = await asked;
    if (answer && (kind === "action" || kind === "undo" || CHANGES.has(kind))) this.status.wentWell();
    return answer;
  }

  // -- news from Python --------------------------------------------------------------------------------------------

  news(message, mine) {
    if (message.kind === "selection") {
      if (!mine) this.take(message);
      if (message.cursor && this.list.cursor < 0 && !mine) this.pending.add(this.find(message.cursor));
      this.selected(message);
      return;
    }
    const before = this.state,
      place = this.place();
    this.state = message;
    Object.assign(this.root.dataset, { state: "ready", rev: message.rev, total: message.total });
    if (before?.rev !== message.rev) this.anchor = undefined; // it is a place in the list
    this.drawState();
    this.drawSummary();
    // Another filter finds other rows: they are not those that were all marked.
    if (this.isAll && !message.is_all) this.takeMarks(message);
    else this.drawMarked();
    if (before?.rev === message.rev) this.list.layout();
    else this.pending.add(this.newList(place, before));
    if (before) return;
    this.take(message);
    this.takeOver();
  }

  selected() {}
  place() {}

  /** Where rows are in a new list: a function of ids, that of the cursor and another one; undefined when not shown. */
  async locate(other) {
    const { rev } = this.state;
    for (;;) {
      const id = this.cursorId ?? this.state.cursor,
        ids = [...new Set([id, other].filter(Boolean))];
      const found = ids.length ? await this.ask("locate", { rev, ids }) : { places: [] };
      if (!found || rev !== this.state.rev) return undefined;
      // Who went on meanwhile did so in the rows that are still on screen.
      if ((this.cursorId ?? this.state.cursor) === id) return (one) => found.places[ids.indexOf(one)] ?? -1;
    }
  }

  takeMarks({ marked, is_all: isAll }) {
    this.marks = new Set(marked);
    this.isAll = isAll;
    this.drawMarks();
  }

  /** What another view has under its cursor and marked. */
  take(message) {
    const { list } = this,
      { cursor } = message;
    this.takeMarks(message);
    if (cursor !== this.cursorId) {
      this.cursorId = cursor;
      this.root.dataset.selected = cursor ?? "";
      list.cursor = cursor ? list.pages.indexOf(cursor) : -1;
      if (cursor && this.pane.isOpen) this.pane.open(cursor);
    }
  }

  /** Put the cursor on a row that is not loaded. */
  async find(id) {
    const placeOf = await this.locate();
    if (!placeOf || id !== this.cursorId) return;
    this.list.cursor = placeOf(id);
    this.list.schedule();
    this.found();
  }

  found() {}

  // -- what the reader does ----------------------------------------------------------------------------------------

  /** Put the cursor on a row; Python hears of it soon, not for every row that is passed. */
  async moveTo(index) {
    const { total, rev } = this.state,
      { list } = this;
    if (!total) return;
    const target = Math.min(total - 1, Math.max(0, index));
    if (list.head.contains(document.activeElement)) this.focus();
    list.cursor = target;
    list.reveal(target);
    list.el.setAttribute("aria-activedescendant", `${this.view}-r${target}`);
    const row = list.pages.row(target) ?? (await list.at(target));
    if (!row || rev !== this.state.rev || list.cursor !== target) return;
    this.cursorId = this.root.dataset.selected = row[0];
    this.tell();
    if (this.pane.isOpen) this.openSoon();
  }

  /** A click puts the cursor; ranges reach from the last one that was none. */
  clickedAt(index, isRange) {
    this.anchor = isRange ? (this.anchor ?? (this.list.cursor < 0 ? index : this.list.cursor)) : index;
    this.moveTo(index);
  }

  step(by) {
    this.anchor = undefined;
    const { cursor } = this.list;
    this.moveTo(cursor < 0 && Number.isFinite(by) ? 0 : cursor + by);
  }

  /** Go a row on and mark what is passed; back over it the mark goes again. */
  async extend(by) {
    const { list } = this,
      from = Math.max(0, list.cursor),
      to = Math.min(this.state.total - 1, Math.max(0, from + by));
    this.anchor ??= from;
    const isBack = Math.abs(to - this.anchor) < Math.abs(from - this.anchor);
    const ids = await Promise.all([from, to].map((index) => this.idAt(index)));
    if (!ids[0] || !ids[1]) return;
    this.setMark(ids[0], !isBack);
    this.setMark(ids[1], true);
    this.marksChanged();
    await this.moveTo(to);
  }

  tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(
      () =>
        this.ask("select", {
          cursor: this.cursorId,
          marked: [...this.marks],
          ...(this.isAll && { is_all: true, rev: this.state.rev }),
        }),
      60,
    );
  }

  /** What is passed is not opened; a key that needs it does not wait for that. */
  openSoon() {
    clearTimeout(this.opening);
    this.opening = setTimeout(() => this.openNow(), 50);
  }

  openNow() {
    clearTimeout(this.opening);
    this.opening = undefined;
    this.pane.open(this.cursorId);
  }

  isMarked(id) {
    return this.isAll !== this.marks.has(id);
  }

  setMark(id, isOn) {
    if (this.isAll === isOn) this.marks.delete(id);
    else this.marks.add(id);
  }

  /** How many rows are marked. */
  get markCount() {
    return this.isAll ? this.state.total - this.marks.size : this.marks.size;
  }

  async idAt(index) {
    return (this.list.pages.row(index) ?? (await this.list.at(index)))?.[0];
  }

  /** Mark a row, or no more; a range reaches from where the cursor was put last. */
  async mark(index, isRange = false) {
    // What is open may not be in the list as it is filtered now.
    if (index < 0 && !this.pane.isOpen) {
      await this.moveTo(0);
      index = this.list.cursor;
    }
    const id = index < 0 ? this.cursorId : await this.idAt(index);
    if (!id) return;
    if (isRange) await this.markRange(this.anchor ?? index, index);
    else {
      this.setMark(id, !this.isMarked(id));
      this.anchor = index;
    }
    this.marksChanged();
  }

  async markRange(one, other) {
    const [from, to] = [Math.min(one, other), Math.max(one, other)];
    if (to - from >= MAX_RANGE) this.say(`only the first ${count(MAX_RANGE)} rows of the range are marked`, "error");
    for (let i = from; i <= to && i < from + MAX_RANGE; i++) {
      const id = await this.idAt(i);
      if (id) this.setMark(id, true);
    }
  }

  /** Mark all that the filter finds, loaded or not; none where all are marked. */
  markAll() {
    this.isAll = this.markCount < this.state.total;
    this.marks.clear();
    this.marksChanged();
  }

  clearMarks() {
    this.isAll = false;
    this.marks.clear();
    this.marksChanged();
    this.focus();
  }

  marksChanged() {
    this.drawMarks();
    this.tell();
  }

  drawMarks() {
    this.list.schedule();
    this.drawMarked();
  }

  /** How many rows are marked, and what can be done with them. */
  drawMarked() {
    const n = this.state ? this.markCount : 0;
    this.marked.hidden = !n;
    if (!this.state) return;
    const all = plural(this.state.total, this.noun);
    this.list.drawMarkAll(n, `mark all ${all}`);
    if (!n) return;
    const tool = ({ name, label, hint, is_there: isThere }) =>
      button(name === "dataset" ? "add" : "label", label, () => this.actOnMarked(name), {
        title: isThere ? `${label} the marked ${this.noun}s` : hint,
        disabled: !isThere,
      });
    swap(
      this.marked,
      h("b", {}, n === this.state.total ? `all ${count(n)} marked` : `${count(n)} marked`),
      ...(n < this.state.total
        ? [
            button(null, `mark all ${all}`, () => this.markAll(), {
              text: `all ${count(this.state.total)}`,
              title: "A",
            }),
          ]
        : []),
      ...this.state.actions.filter((one) => one.is_there || one.hint).map(tool),
      button("close", "clear the marks", () => this.clearMarks(), { text: "" }),
    );
  }

  /** Do something with `rows`: {ids}, or {all: true, but: ids} for all that the filter finds. */
  act(name, rows, words) {
    const action = this.state.actions.find((one) => one.name === name);
    if (!action.is_there) this.say(action.hint);
    else if (!this.state.total) this.say(`no ${this.noun} is there`);
    else this.form.start(action, rows, words);
  }

  actOnMarked(name) {
    const n = this.markCount,
      words = plural(n, `marked ${this.noun}`);
    this.act(name, this.isAll ? { all: true, but: [...this.marks] } : { ids: [...this.marks] }, words);
  }

  /** Take back what an action did. */
  async takeBack(undo) {
    const answer = await this.ask("undo", { undo });
    if (answer) this.say(answer.message, "done");
    this.focus();
  }

  /** What is being read: keys that do something with one row do it with this one. */
  get readId() {
    return this.cursorId;
  }

  actOnChosen(name) {
    if (this.markCount) this.actOnMarked(name);
    else if (this.readId) this.act(name, { ids: [this.readId] }, `this ${this.noun}`);
    else this.act(name, { all: true, but: [] }, `all ${plural(this.state.total, this.noun)}`);
  }

  async copyId() {
    const id = this.readId;
    if (!id) return;
    this.say((await copy(id, this.root)) ? `${this.noun} id copied` : `could not copy; the id is ${id}`);
  }

  drag(event) {
    event.preventDefault();
    const { left, top, width, height } = this.main.getBoundingClientRect(),
      isStacked = getComputedStyle(this.main).flexDirection === "column";
    this.split.setPointerCapture(event.pointerId);
    const move = (to) => this.resizeTo(isStacked ? (to.clientY - top) / height : (to.clientX - left) / width);
    this.split.addEventListener("pointermove", move);
    this.split.addEventListener("pointerup", () => this.split.removeEventListener("pointermove", move), { once: true });
  }

  /** Give the list a share of the room, from 0 to 1. */
  resizeTo(share) {
    const percent = Math.round(Math.min(80, Math.max(12, 100 * share)));
    this.root.style.setProperty("--lm-list", `${percent}%`);
    this.split.setAttribute("aria-valuenow", percent);
    this.list.layout();
  }

  resizeBy(event) {
    const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const all = this.main.getBoundingClientRect(),
      { width, height } = this.list.el.parentElement.getBoundingClientRect(),
      isStacked = getComputedStyle(this.main).flexDirection === "column";
    this.resizeTo((isStacked ? height / all.height : width / all.width) + 0.04 * by);
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  /** A move in the list waits for no row: held down, it stops when it is let go. */
  needed(command) {
    const need = this.needOf(command);
    if (need === "nothing") return undefined;
    const { list, pending, pane } = this,
      { all } = pending;
    if (all || need === "list") return all;
    const row = list.missing(Math.max(0, list.cursor));
    if (row || !pane.isOpen) return row;
    if (this.opening) this.openNow();
    return this.neededOf(command);
  }

  needOf(command) {
    return NEED_NOTHING.has(command) ? "nothing" : NEED_LIST.has(command.split(":")[0]) ? "list" : "open";
  }
  neededOf() {
    return this.pane.busy.all;
  }

  get pageRows() {
    return Math.max(1, Math.floor(this.list.viewport / ROW) - 1);
  }

  /** What keys do in the list; those that return a promise are waited for. */
  commands() {
    const { list } = this;
    return {
      down: () => this.step(1),
      up: () => this.step(-1),
      next: () => this.step(1),
      previous: () => this.step(-1),
      first: () => {
        this.step(-Infinity);
      },
      last: () => {
        this.step(Infinity);
      },
      pageDown: () => this.step(this.pageRows),
      pageUp: () => this.step(-this.pageRows),
      open: () => this.open(),
      mark: () => this.mark(list.cursor),
      markDown: () => this.extend(1),
      markUp: () => this.extend(-1),
      all: () => this.markAll(),
      heads: () => list.focusHead(),
      copy: () => {
        this.copyId();
      },
      dataset: () => this.actOnChosen("dataset"),
      labeling: () => this.actOnChosen("labeling"),
      undo: () => this.status.takeBack?.(),
      help: () => this.toggleHelp(),
      escape: () => this.escape(),
    };
  }

  /** Escape in a field: shut what it belongs to, go back to the rows. */
  leave() {
    this.form.shut();
    this.focus();
  }

  close(left, ...parts) {
    LEFT.set(this.model, {
      isOpen: this.pane.isOpen,
      pixels: this.list.pixels,
      share: this.root.style.getPropertyValue("--lm-list"),
      ...left,
    });
    for (const timer of [this.telling, this.opening]) clearTimeout(timer);
    super.close(this.list, ...parts);
  }
}
