// The trace browser: filter and range above, the table, the trace beside it. The browser owns cursor, marks and scroll;
// Python owns what is listed. Two views of one widget agree through the state messages that both receive.

import { Channel, ROW, StatusLine, button, copy, count, h, icon, keepKeys, keyHelp, plural, swap } from "./_dom.js";
import { ActionForm } from "./_trace_action.js";
import { Bar } from "./_trace_bar.js";
import { KEYS, commandFor } from "./_trace_keys.js";
import { Headings } from "./_trace_summaries.js";
import { TracePane } from "./_trace_pane.js";
import { TraceTable } from "./_trace_table.js";

/** What a view leaves to the next one of its model: JupyterLab takes views away that are scrolled out of sight. */
const LEFT = new WeakMap();

export class TraceBrowserView {
  constructor(model, el) {
    this.model = model;
    this.state = null;
    this.seq = 0;
    this.marks = new Map();
    this.cursorId = null;
    this.area = "list";
    this.channel = new Channel(model, {
      onNews: (message, mine) => this.news(message, mine),
      onError: (message) => this.say(message, "error"),
      onSilence: (why) => this.status.silence(why),
    });
    this.view = this.channel.view;
    this.left = LEFT.get(model);
    LEFT.delete(model);
    this.build(el);
    this.undo = [keepKeys(this.root)];
    this.channel.ask("hello").then(() => this.watch());
  }

  /** Ask Python; what went wrong before is history when the reader's next wish is granted. */
  async ask(kind, params) {
    const answer = await this.channel.ask(kind, params);
    if (answer && ["filter", "range", "sort", "columns", "action", "refresh"].includes(kind)) this.status.wentWell();
    return answer;
  }

  now() { return Date.now(); }

  say(text, kind, isSticky) { this.status.say(text, kind, isSticky); }

  build(el) {
    const browser = this, shared = { ask: (kind, params) => this.ask(kind, params), view: this.view, now: () => this.now(), get state() { return browser.state; }, focus: () => this.focus(), say: (text, kind) => this.say(text, kind) };
    const make = (more) => Object.defineProperties(more, Object.getOwnPropertyDescriptors(shared));
    this.table = new TraceTable(make({
      isMarked: (id) => this.marks.has(id), onCursor: (index) => this.moveTo(index), onOpen: () => this.open(), onMark: (index, isRange) => this.mark(index, isRange),
      onRows: () => { this.root.dataset.rows = this.table.pages.map.size; }, isCompact: () => !this.pane.el.hidden,
    }));
    this.headings = new Headings(make({
      onSort: (column) => this.sort(column), onFilter: (what) => this.ask("filter", what), onTimes: () => this.times(),
      widthOf: (i) => this.table.widths[i], onWidth: (column, width, isDone) => this.resize(column, width, isDone),
    }), this.table.head);
    this.paneHost = make({
      get root() { return browser.root; }, onClose: () => this.closePane(), onMove: (by) => this.step(by), onPin: (id) => this.pin(id), onTrace: (id) => this.goTo(id),
      onAction: (name, id) => this.act(name, [id], "this trace"), action: (name) => this.state.actions.find((one) => one.name === name),
    });
    this.pane = new TracePane(this.paneHost);
    this.pinned = null;
    this.active = this.pane;
    this.bar = new Bar(make({ copySql: () => this.copySql(), refresh: () => this.refresh(), help: () => this.toggleHelp() }));
    this.form = new ActionForm(make({}));
    this.help = keyHelp(KEYS);
    this.peek = h("div.lm-peek", { hidden: true });
    this.fresh = button("up", "new traces", () => this.refresh({ toTop: true }), { cls: "lm-fresh", text: "" });
    this.fresh.hidden = true;
    this.summary = h("span.lm-summary-line");
    this.marked = h("span.lm-marks", { hidden: true });
    this.foot = h("div.lm-foot", {}, this.summary, this.marked, h("span.lm-gap"), this.fresh);
    this.split = h("div.lm-split", { role: "separator", "aria-orientation": "vertical", "aria-label": "width of the list", title: "drag to resize", onpointerdown: (event) => this.drag(event) });
    this.main = h("div.lm-main", {}, h("div.lm-list", {}, this.table.el, this.peek), this.split, this.pane.el);
    this.root = h("div.lm-root", { tabindex: -1, "data-lm": "trace-browser", "data-state": "loading", role: "region", "aria-label": "trace browser" },
      this.bar.el, this.bar.custom, this.bar.menu, this.main, this.foot, this.form.el, this.help);
    this.status = new StatusLine(this.root);
    this.foot.append(this.status.el);
    this.root.style.height = `${this.model.get("_height")}px`;
    if (this.left?.share) this.root.style.setProperty("--lm-list", this.left.share);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("focusin", (event) => this.focused(event));
    this.root.addEventListener("pointerdown", (event) => this.pointed(event));
    el.append(this.root);
    this.table.empty.hidden = false;
    this.table.empty.append(h("p", {}, "loading …"));
    this.showPane(false);
  }

  // -- focus: the grid or a tree has it, so that assistive technology follows the active row ------------------------

  focus() {
    const pane = this.active.el.isConnected && !this.active.el.hidden ? this.active : this.pane;
    const isTree = !this.pane.el.hidden && (this.area === "tree" || this.pinned);
    (isTree ? pane.focusable : this.table.el).focus({ preventScroll: true });
  }

  focused({ target }) {
    if (target === this.root) { this.focus(); return; }
    const pane = [this.pane, this.pinned].find((one) => one?.el.contains(target));
    if (pane) [this.area, this.active] = ["tree", pane];
    else if (this.table.el.contains(target)) this.area = "list";
  }

  pointed(event) {
    const { target } = event;
    if (!this.help.contains(target)) this.help.hidden ||= !target.closest("[aria-label=keys]");
    if (!target.closest(".lm-menu, button, input, label")) this.bar.shut();
    if (target.closest("input, textarea, select, label")) return;
    if (this.table.el.contains(target)) this.area = "list";
    setTimeout(() => { if (!this.root.contains(document.activeElement)) this.focus(); });
  }

  // -- news from Python --------------------------------------------------------------------------------------------

  news(message, mine) {
    if (message.seq <= this.seq) return;
    this.seq = message.seq;
    if (message.kind === "selection") {
      if (!mine) this.take(message.cursor, message.marked);
      if (message.cursor === this.cursorId) this.drawPeek(message.peek);
      return;
    }
    const before = this.state, anchor = this.anchor();
    this.state = message;
    const { dataset } = this.root;
    [dataset.state, dataset.rev, dataset.total, dataset.where] = ["ready", message.rev, message.total, message.where ?? ""];
    this.bar.draw();
    this.drawEmpty();
    this.drawSummary();
    if (!before || before.rev !== message.rev) this.newList(message.reason, anchor, !before);
    else this.table.layout();
    if (!before) { this.take(message.cursor, message.marked); this.takeOver(); }
    else if (message.reason === "columns") this.headings.draw(this.table.columns);
  }

  /** Go on where the view before this one was. */
  takeOver() {
    const { left } = this;
    if (!left?.traceId || left.traceId !== this.cursorId) return;
    this.tell(); // Python sends the texts below the list
    if (!left.isOpen) return;
    this.showPane(true);
    if (left.pinned) this.pin(left.pinned, { isQuiet: true });
    this.pane.open(left.traceId);
  }

  /** What is being read: the first row on screen and how far it is scrolled; nothing when the list is at its top. */
  anchor() {
    if (!this.state || (this.table.pixels < 1 && this.pane.el.hidden && this.cursorId === null)) return null;
    const index = Math.floor(this.table.pixels / ROW), row = this.table.pages.row(index);
    return row ? { id: row[0], offset: this.table.pixels - index * ROW } : null;
  }

  async newList(reason, anchor, isFirst) {
    const { rev } = this.state, { table } = this, isKept = reason === "refresh" || reason === "columns", isToTop = this.toTop;
    this.toTop = false;
    this.fresh.hidden = true;
    this.headings.draw(table.columns);
    const ids = [...new Set([isKept && !isToTop ? anchor?.id : null, this.cursorId ?? this.state.cursor].filter(Boolean))];
    const old = isFirst ? this.left?.pixels ?? 0 : isKept && !isToTop ? table.pixels : 0;
    if (!ids.length) table.cursor = -1;
    const found = ids.length ? await this.ask("locate", { rev, trace_ids: ids }) : { places: [] };
    if (!found || rev !== this.state.rev) return;
    const placeOf = (id) => found.places[ids.indexOf(id)] ?? -1;
    table.cursor = this.cursorId ? placeOf(this.cursorId) : -1;
    const kept = isKept && anchor && !isToTop ? placeOf(anchor.id) : -1;
    table.pixels = kept >= 0 ? kept * ROW + anchor.offset : old;
    table.reset();
    table.scrollToPixels(table.pixels);
    table.direction = 1;
    this.showPeek();
  }

  take(cursor, marked) {
    this.marks = new Map(marked.map((id) => [id, true]));
    if (cursor !== this.cursorId) {
      this.cursorId = cursor;
      this.root.dataset.selected = cursor ?? "";
      this.table.cursor = cursor ? this.table.pages.indexOf(cursor) : -1;
      if (cursor && this.table.cursor < 0) this.ask("locate", { rev: this.state.rev, trace_ids: [cursor] }).then((found) => {
        if (found && cursor === this.cursorId) { this.table.cursor = found.places[0] ?? -1; this.table.schedule(); this.showPeek(); }
      });
      if (cursor && !this.pane.el.hidden) this.pane.open(cursor);
    }
    this.table.schedule();
    this.drawSummary();
  }

  /** Look for new traces while the view is on screen; live views take them in. */
  watch() {
    const tick = async () => {
      if (this.isClosed) return;
      let wait = this.state?.is_live ? 2_000 : 10_000;
      if (this.root.dataset.state === "slow") wait = 60_000; // what is asked of a busy kernel piles up
      if (!document.hidden && this.root.isConnected && this.root.offsetParent !== null && !this.isPolling) {
        this.isPolling = true;
        const answer = await this.ask("poll");
        this.isPolling = false;
        if (answer) {
          wait = Math.max(wait, this.state.is_live ? 6 * answer.query_ms : 0);
          this.fresh.hidden = !(answer.new > 0) || this.state.is_live;
          swap(this.fresh, icon("up"), h("span", {}, plural(answer.new, "new trace")));
          if (this.state.is_live && answer.is_stale) await this.refresh();
        }
      }
      if (!this.isClosed) this.timer = setTimeout(tick, wait);
    };
    this.timer = setTimeout(tick, 2_000);
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  drawEmpty() {
    const { state } = this, isStoreEmpty = !state.where && state.range.words === "no traces yet";
    swap(this.table.empty, h("strong", {}, isStoreEmpty ? "No traces yet" : "No trace matches"), h("p", {}, isStoreEmpty ? "ws.traces.ingest(...) brings some in" : [state.where, state.range.words].filter(Boolean).join("; ")),
      ...[state.where && button("close", "clear the filter", () => this.ask("filter", { clear: true })), state.range.words !== "all times" && !isStoreEmpty && button("clock", "all times", () => this.ask("range", { last: null }))].filter(Boolean));
  }

  drawSummary() {
    const { state } = this, n = this.marks.size;
    if (!state) return;
    const percent = state.total ? (100 * state.errors) / state.total : 0;
    this.summary.replaceChildren(h("b", {}, plural(state.total, "trace")), state.errors ? h("span.lm-s-error", {}, icon("error"), h("span", {}, `${count(state.errors)} failed (${percent < 0.1 ? "<0.1" : percent.toFixed(1)}%)`)) : "",
      h("span", { title: "time range" }, state.range.words), h("span", { title: "query time" }, `${state.query_ms < 1_000 ? Math.round(state.query_ms) + " ms" : (state.query_ms / 1e3).toFixed(2) + " s"}`));
    this.marked.hidden = !n;
    if (!n) return;
    const tool = ({ name, label, hint, is_there: isThere }) => button(name === "dataset" ? "add" : "label", label, () => this.act(name, [...this.marks.keys()], plural(n, "marked trace")), { title: isThere ? `${label} the marked traces` : hint, disabled: !isThere });
    swap(this.marked, h("b", {}, `${count(n)} marked`), ...state.actions.map(tool), button("close", "clear the marks", () => this.clearMarks(), { text: "" }));
  }

  drawPeek(peek) {
    const line = (name, text, cls = "") => (text ? h(`div.lm-peek-line${cls}`, {}, h("span.lm-note", {}, name), h("span.lm-peek-text", {}, text)) : null);
    const lines = peek ? [line("error", [peek.error_type, peek.error_message].filter(Boolean).join(": "), ".lm-s-error"), line("input", peek.input), line("output", peek.output)] : [];
    this.peek.replaceChildren(...lines.filter(Boolean));
    this.peekId = peek ? this.cursorId : null;
    this.showPeek();
  }

  /** The texts below the list belong to the row under the cursor: they go where it goes. */
  showPeek() {
    const isShown = this.pane.el.hidden && this.peek.childElementCount > 0 && this.table.cursor >= 0 && this.peekId === this.cursorId;
    if (this.peek.hidden === !isShown) return;
    this.peek.hidden = !isShown;
    this.table.layout();
    if (isShown) this.table.reveal(this.table.cursor);
  }

  // -- what the reader does ----------------------------------------------------------------------------------------

  sort(column) {
    const { sort, columns } = this.state, kind = columns.find((one) => one.name === column).kind;
    const isFirstDown = kind === "number" || kind === "time";
    this.ask("sort", { column, descending: sort.column === column ? !sort.descending : isFirstDown });
  }

  resize(column, width, isDone) {
    column.width = Math.round(width);
    this.table.layout();
    if (isDone) this.ask("columns", { widths: { [column.name]: column.width } });
  }

  times() {
    this.table.isExact = !this.table.isExact;
    this.table.layout();
  }

  /** Put the cursor on a row; Python hears of it soon, not for every row that is passed. */
  async moveTo(index, { open = false } = {}) {
    const { total, rev } = this.state, { table } = this;
    if (!total) return;
    const target = Math.min(total - 1, Math.max(0, index));
    table.cursor = target;
    table.reveal(target);
    table.el.setAttribute("aria-activedescendant", `${this.view}-r${target}`);
    const row = table.pages.row(target) ?? (await table.at(target));
    if (!row || rev !== this.state.rev || table.cursor !== target) return;
    this.cursorId = row[0];
    this.root.dataset.selected = row[0];
    this.tell();
    if (open || !this.pane.el.hidden) this.openSoon(row[0]);
  }

  tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.ask("select", { cursor: this.cursorId, marked: [...this.marks.keys()] }), 60);
  }

  openSoon(id) {
    clearTimeout(this.opening);
    this.opening = setTimeout(() => { if (this.cursorId === id) this.pane.open(id); }, this.pane.traceId ? 60 : 0);
  }

  async mark(index, isRange = false) {
    const row = await this.table.at(index);
    if (!row) return;
    if (isRange && this.lastMark !== undefined) {
      const [from, to] = [Math.min(index, this.lastMark), Math.max(index, this.lastMark)];
      if (to - from >= 2_000) this.say("only the first 2,000 rows of the range are marked", "error");
      for (let i = from; i <= to && i < from + 2_000; i++) { const one = await this.table.at(i); if (one) this.marks.set(one[0], true); }
    } else if (this.marks.has(row[0])) this.marks.delete(row[0]);
    else this.marks.set(row[0], true);
    this.lastMark = index;
    this.table.schedule();
    this.drawSummary();
    this.tell();
  }

  clearMarks() {
    this.marks.clear();
    this.table.schedule();
    this.drawSummary();
    this.tell();
    this.focus();
  }

  async open() {
    if (!this.cursorId) await this.moveTo(Math.max(0, this.table.cursor));
    if (!this.cursorId) return;
    this.area = "tree";
    this.showPane(true);
    this.focus();
    this.pane.open(this.cursorId);
  }

  showPane(isShown) {
    const wasShown = !this.pane.el.hidden;
    this.pane.el.hidden = this.split.hidden = !isShown;
    this.root.classList.toggle("lm-with-pane", isShown);
    this.showPeek();
    if (this.state && wasShown !== isShown) this.headings.draw(this.table.columns);
    this.table.layout();
    if (isShown && this.table.cursor >= 0) this.table.reveal(this.table.cursor);
  }

  closePane() {
    this.pin(null, { isQuiet: true });
    this.showPane(false);
    this.area = "list";
    this.focus();
  }

  step(by) { this.moveTo(this.table.cursor + by, { open: !this.pane.el.hidden }); }

  async goTo(id) {
    const found = await this.ask("locate", { rev: this.state.rev, trace_ids: [id] });
    if (!found) return;
    const place = found.places[0];
    if (place !== null && place !== undefined) { this.moveTo(place, { open: true }); return; }
    this.cursorId = id;
    this.table.cursor = -1;
    this.table.schedule();
    this.tell();
    this.pane.open(id);
    this.say("this trace is not in the list as it is filtered");
  }

  pin(id, { isQuiet = false } = {}) {
    if (!id && !this.pinned) return;
    this.pinned?.close();
    this.pinned?.el.remove();
    this.pinned = null;
    this.active = this.pane;
    if (id) {
      this.pinned = new TracePane(this.paneHost, { isPinned: true });
      this.main.insertBefore(this.pinned.el, this.pane.el);
      this.pinned.open(id);
      if (!isQuiet) this.say("pinned; [ and ] change the trace beside it");
    }
    this.root.classList.toggle("lm-compare", Boolean(id));
    this.table.layout();
    if (!isQuiet) this.focus();
  }

  act(name, ids, words) {
    const action = this.state.actions.find((one) => one.name === name);
    if (!action.is_there) this.say(action.hint);
    else if (!ids[0]) this.say("no trace is chosen");
    else this.form.start(action, ids, words);
  }

  async refresh({ toTop = false } = {}) {
    this.toTop = toTop;
    await this.ask("refresh");
  }

  async copySql() { this.say((await copy(this.state.sql, this.root)) ? "SQL copied: ws.sql(\"\"\"...\"\"\")" : this.state.sql); }

  async copyId() {
    const id = this.pane.el.hidden ? this.cursorId : this.active.traceId;
    if (id) this.say((await copy(id, this.root)) ? "trace id copied" : `could not copy; the id is ${id}`);
  }

  toggleHelp() { this.help.hidden = !this.help.hidden; }

  drag(event) {
    event.preventDefault();
    const { left, width } = this.main.getBoundingClientRect();
    this.split.setPointerCapture(event.pointerId);
    const move = (to) => { this.root.style.setProperty("--lm-list", `${Math.min(80, Math.max(12, (100 * (to.clientX - left)) / width))}%`); this.table.layout(); };
    this.split.addEventListener("pointermove", move);
    this.split.addEventListener("pointerup", () => this.split.removeEventListener("pointermove", move), { once: true });
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  key(event) {
    if (!this.state) return;
    const field = event.target.closest("input, textarea, select");
    if (field) {
      event.stopPropagation();
      if (event.key === "Escape" && !event.isComposing) { event.preventDefault(); this.leave(field); }
      return;
    }
    if (event.target.closest("button, summary") && ["Enter", " "].includes(event.key)) return;
    const isPaneOpen = !this.pane.el.hidden, area = isPaneOpen && (this.area === "tree" || this.pinned) ? "tree" : "list";
    const command = commandFor(event, area);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    this.run(command, area, isPaneOpen);
  }

  /** Escape in a field: forget what was typed, shut what it belongs to, go back to the rows. */
  leave(field) {
    if (field === this.bar.input) this.bar.reset();
    const pane = [this.pane, this.pinned].find((one) => one?.find === field);
    if (pane) { field.value = ""; pane.search(); }
    this.bar.shut();
    if (this.form.el.contains(field)) this.form.shut();
    this.focus();
  }

  run(command, area, isPaneOpen) {
    const { table } = this, page = Math.max(1, Math.floor(table.viewport / ROW) - 1), pane = this.pinned && this.active === this.pinned ? this.pinned : this.pane, isTree = area === "tree";
    const move = (by) => (isTree ? pane.move(by) : this.moveTo(table.cursor < 0 ? 0 : table.cursor + by));
    const ids = () => (this.marks.size ? [[...this.marks.keys()], plural(this.marks.size, "marked trace")] : [[isPaneOpen ? pane.traceId : this.cursorId], "this trace"]);
    const commands = {
      down: () => move(1), up: () => move(-1), pageDown: () => move(page), pageUp: () => move(-page),
      first: () => (isTree ? pane.move(-1e9) : this.moveTo(0)), last: () => (isTree ? pane.move(1e9) : this.moveTo(this.state.total - 1)),
      right: () => (isTree ? pane.sideways(1) : table.el.scrollBy({ left: 80 })), left: () => (isTree ? pane.sideways(-1) : table.el.scrollBy({ left: -80 })),
      open: () => this.open(), fold: () => pane.enter(), next: () => this.step(1), previous: () => this.step(-1),
      search: () => (isTree ? pane.find : this.bar.input).focus(), mark: () => table.cursor >= 0 && this.mark(table.cursor),
      help: () => this.toggleHelp(), times: () => this.times(), other: () => this.otherSide(),
      pin: () => isPaneOpen && this.pin(this.pinned ? null : pane.traceId), session: () => isPaneOpen && pane.session(), error: () => isPaneOpen && pane.nextError(),
      raw: () => isPaneOpen && pane.toggleRaw(), copy: () => this.copyId(), escape: () => this.escape(isPaneOpen),
      dataset: () => this.act("dataset", ...ids()), labeling: () => this.act("labeling", ...ids()),
    };
    commands[command]();
  }

  /** Go from the list to the trace and back, or from one of two traces to the other. */
  otherSide() {
    if (this.pane.el.hidden) return;
    if (this.pinned) this.active = this.active === this.pinned ? this.pane : this.pinned;
    else this.area = this.area === "tree" ? "list" : "tree";
    this.focus();
  }

  escape(isPaneOpen) {
    if (!this.help.hidden || this.bar.isOpen || !this.form.el.hidden) { this.help.hidden = true; this.bar.shut(); this.form.shut(); }
    else if (this.pinned) this.pin(null);
    else if (isPaneOpen) this.closePane();
    else (this.root.closest(".jp-Cell") ?? this.root.parentElement)?.focus?.();
  }

  close() {
    LEFT.set(this.model, {
      pixels: this.table.pixels, traceId: this.cursorId, isOpen: !this.pane.el.hidden, pinned: this.pinned?.traceId,
      share: this.root.style.getPropertyValue("--lm-list"),
    });
    this.isClosed = true;
    for (const timer of [this.timer, this.telling, this.opening]) clearTimeout(timer);
    for (const undo of this.undo) undo();
    for (const part of [this.status, this.table, this.pane, this.pinned, this.channel]) part?.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const view = new TraceBrowserView(model, el);
    return () => view.close();
  },
};
