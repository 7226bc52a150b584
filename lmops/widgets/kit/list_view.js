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
const CHANGES = new Set(["filter", "range", "sort", "columns", "refresh"]);
/** Keys that need nothing, and those that need the list alone; all others need its row, and what is open of it. */
const NEED_NOTHING = new Set(["help", "escape", "times", "other", "right", "left", "undo"]);
const NEED_LIST = new Set([
  "down",
  "up",
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
    this.marks = new Map();
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
      "aria-orientation": "vertical",
      "aria-label": "width of the list",
      title: "drag to resize",
      onpointerdown: (event) => this.drag(event),
    });
    this.build(el);
    this.started = this.ask("hello");
  }

  /** What a table of rows asks of the view. */
  listHost() {
    return this.host({
      isMarked: (id) => this.marks.has(id),
      isCompact: () => this.pane.isOpen,
      onOpen: () => this.open(),
      onMark: (index, isRange) => this.mark(index, isRange),
      onCursor: (index) => this.moveTo(index),
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
      if (!mine) this.take(message.cursor, message.marked);
      if (message.cursor && this.list.cursor < 0 && !mine) this.pending.add(this.find(message.cursor));
      this.selected(message);
      return;
    }
    const before = this.state,
      place = this.place();
    this.state = message;
    Object.assign(this.root.dataset, { state: "ready", rev: message.rev, total: message.total });
    this.drawState();
    this.drawSummary();
    this.drawMarked();
    if (before?.rev === message.rev) this.list.layout();
    else this.pending.add(this.newList(place, before));
    if (before) return;
    this.take(message.cursor, message.marked);
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

  /** What another view has under its cursor and marked. */
  take(cursor, marked) {
    const { list } = this;
    this.marks = new Map(marked.map((id) => [id, true]));
    if (cursor !== this.cursorId) {
      this.cursorId = cursor;
      this.root.dataset.selected = cursor ?? "";
      list.cursor = cursor ? list.pages.indexOf(cursor) : -1;
      if (cursor && this.pane.isOpen) this.pane.open(cursor);
    }
    this.drawMarks();
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
    list.cursor = target;
    list.reveal(target);
    list.el.setAttribute("aria-activedescendant", `${this.view}-r${target}`);
    const row = list.pages.row(target) ?? (await list.at(target));
    if (!row || rev !== this.state.rev || list.cursor !== target) return;
    this.cursorId = this.root.dataset.selected = row[0];
    this.tell();
    if (this.pane.isOpen) this.openSoon();
  }

  step(by) {
    this.moveTo(this.list.cursor < 0 ? 0 : this.list.cursor + by);
  }

  tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.ask("select", { cursor: this.cursorId, marked: [...this.marks.keys()] }), 60);
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

  async mark(index, isRange = false) {
    // What is open may not be in the list as it is filtered now.
    if (index < 0 && !this.pane.isOpen) {
      await this.moveTo(0);
      index = this.list.cursor;
    }
    const id = index < 0 ? this.cursorId : (this.list.pages.row(index) ?? (await this.list.at(index)))?.[0];
    if (!id) return;
    if (isRange && this.lastMark !== undefined) {
      const [from, to] = [Math.min(index, this.lastMark), Math.max(index, this.lastMark)];
      if (to - from >= MAX_RANGE) this.say(`only the first ${count(MAX_RANGE)} rows of the range are marked`, "error");
      for (let i = from; i <= to && i < from + MAX_RANGE; i++) {
        const row = await this.list.at(i);
        if (row) this.marks.set(row[0], true);
      }
    } else if (!this.marks.delete(id)) this.marks.set(id, true);
    this.lastMark = index;
    this.drawMarks();
    this.tell();
  }

  clearMarks() {
    this.marks.clear();
    this.drawMarks();
    this.tell();
    this.focus();
  }

  drawMarks() {
    this.list.schedule();
    this.drawMarked();
  }

  /** How many rows are marked, and what can be done with them. */
  drawMarked() {
    const n = this.marks.size,
      words = plural(n, `marked ${this.noun}`);
    this.marked.hidden = !n || !this.state;
    if (this.marked.hidden) return;
    const tool = ({ name, label, hint, is_there: isThere }) =>
      button(name === "dataset" ? "add" : "label", label, () => this.act(name, [...this.marks.keys()], words), {
        title: isThere ? `${label} the marked ${this.noun}s` : hint,
        disabled: !isThere,
      });
    swap(
      this.marked,
      h("b", {}, `${count(n)} marked`),
      ...this.state.actions.map(tool),
      button("close", "clear the marks", () => this.clearMarks(), { text: "" }),
    );
  }

  act(name, ids, words) {
    const action = this.state.actions.find((one) => one.name === name);
    if (!action.is_there) this.say(action.hint);
    else if (!ids[0]) this.say(`no ${this.noun} is chosen`);
    else this.form.start(action, ids, words);
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
    if (this.marks.size) this.act(name, [...this.marks.keys()], plural(this.marks.size, `marked ${this.noun}`));
    else this.act(name, [this.readId], `this ${this.noun}`);
  }

  async copyId() {
    const id = this.readId;
    if (!id) return;
    this.say((await copy(id, this.root)) ? `${this.noun} id copied` : `could not copy; the id is ${id}`);
  }

  drag(event) {
    event.preventDefault();
    const { left, width } = this.main.getBoundingClientRect();
    this.split.setPointerCapture(event.pointerId);
    const move = (to) => {
      this.root.style.setProperty("--lm-list", `${Math.min(80, Math.max(12, (100 * (to.clientX - left)) / width))}%`);
      this.list.layout();
    };
    this.split.addEventListener("pointermove", move);
    this.split.addEventListener("pointerup", () => this.split.removeEventListener("pointermove", move), { once: true });
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
        this.moveTo(0);
      },
      last: () => {
        this.moveTo(this.state.total - 1);
      },
      pageDown: () => this.step(this.pageRows),
      pageUp: () => this.step(-this.pageRows),
      open: () => this.open(),
      mark: () => this.mark(list.cursor),
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
