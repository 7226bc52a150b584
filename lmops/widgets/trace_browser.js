// The trace browser: filter and range above, the table, the trace beside it. The browser owns cursor, marks and scroll;
// Python owns what is listed. Two views of one widget agree through the state messages that both receive.

import { Channel, ROW, StatusLine, button, copy, count, h, icon, keepKeys, keyHelp, plural, swap } from "./_dom.js";
import { KEYS, commandFor } from "./_trace_keys.js";
import { Headings } from "./_trace_summaries.js";
import { TracePane } from "./_trace_pane.js";
import { TraceTable } from "./_trace_table.js";

const RANGES = [["1h", "1h"], ["24h", "24h"], ["7d", "7d"], ["30d", "30d"], ["", "all"]];
const HINTS = { dataset: "datasets come with a later version of lmops", labeling: "labeling comes with a later version of lmops" };

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
    this.ask = (kind, params) => this.channel.ask(kind, params);
    this.build(el);
    this.undo = [keepKeys(this.root)];
    this.ask("hello").then(() => this.watch());
  }

  now() { return Date.now(); }

  build(el) {
    this.table = new TraceTable({
      ...this.shared(), get state() { return this.browser.state; }, browser: this,
      isMarked: (id) => this.marks.has(id), onCursor: (index, how) => this.moveTo(index, how), onOpen: () => this.open(),
      onMark: (index, isRange) => this.mark(index, isRange), onRows: () => this.rowsCame(),
    });
    this.headings = new Headings({
      ask: this.ask, get state() { return this.browser.state; }, browser: this, onSort: (column) => this.sort(column), onFilter: (what) => this.ask("filter", what),
      widthOf: (i) => this.table.widths[i], onWidth: (column, width, isDone) => this.resize(column, width, isDone),
    }, this.table.head);
    this.pane = new TracePane(this.paneHost());
    this.pinned = null;
    this.chips = h("div.lm-chips", { role: "list", "aria-label": "filters" });
    this.input = h("input.lm-search", { type: "text", placeholder: "filter: words, or SQL such as  latency_ms > 2000 and tool_name = 'lookup'", "aria-label": "filter", spellcheck: "false", autocomplete: "off" });
    this.input.addEventListener("keydown", (event) => this.inputKey(event));
    this.ranges = h("div.lm-ranges", { role: "radiogroup", "aria-label": "time range" });
    this.custom = h("form.lm-menu.lm-custom", { hidden: true }, h("label", {}, "from (UTC)", h("input", { name: "since", type: "datetime-local" })), h("label", {}, "until (UTC)", h("input", { name: "until", type: "datetime-local" })), h("button.lm-button", { type: "submit" }, "show"));
    this.custom.addEventListener("submit", (event) => this.customRange(event));
    this.menu = h("div.lm-menu.lm-columns", { hidden: true, role: "group", "aria-label": "columns" });
    this.help = keyHelp(KEYS);
    this.bar = h("div.lm-bar-top", {},
      h("label.lm-searchbox", {}, icon("search"), this.chips, this.input),
      this.ranges,
      button("code", "copy SQL", () => this.copySql(), { text: "SQL", title: "copy the list as SQL for ws.sql(...)" }),
      button("columns", "columns", () => this.toggleMenu(this.menu), { text: "" , title: "choose columns" }),
      this.liveButton = button("live", "live", () => this.ask("live", { is_live: !this.state.is_live }), { title: "take in new traces on their own" }),
      button("refresh", "refresh", () => this.refresh(), { text: "", title: "take in new traces" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }));
    this.peek = h("div.lm-peek", { hidden: true });
    this.fresh = button("up", "new traces", () => this.refresh({ toTop: true }), { cls: "lm-fresh", text: "" });
    this.fresh.hidden = true;
    this.summary = h("span.lm-summary-line");
    this.foot = h("div.lm-foot", {}, this.summary, h("span.lm-gap"), this.fresh);
    this.split = h("div.lm-split", { role: "separator", "aria-orientation": "vertical", title: "drag to resize", onpointerdown: (event) => this.drag(event) });
    this.main = h("div.lm-main", {}, h("div.lm-list", {}, this.table.el, this.peek), this.split, this.pane.el);
    this.root = h("div.lm-root", { tabindex: 0, "data-lm": "trace-browser", "data-state": "loading", "aria-label": "trace browser" }, this.bar, this.custom, this.menu, this.main, this.foot, this.help);
    this.status = new StatusLine(this.root);
    this.foot.append(this.status.el);
    this.root.style.height = `${this.model.get("_height")}px`;
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("focusin", (event) => { if (this.pane.el.contains(event.target)) this.area = "tree"; else if (this.table.el.contains(event.target)) this.area = "list"; });
    this.root.addEventListener("pointerdown", (event) => this.pointed(event));
    el.append(this.root);
    this.showPane(false);
  }

  shared() { return { ask: (kind, params) => this.ask(kind, params), view: this.channel.view, now: () => this.now() }; }

  paneHost() {
    return {
      ...this.shared(), get root() { return this.browser.root; }, browser: this, say: (text) => this.say(text), onClose: () => this.closePane(), onMove: (by) => this.step(by),
      onPin: (id) => this.pin(id), onTrace: (id) => this.goTo(id), onAction: (name) => this.act(name),
      action: (name, title) => (this.state.actions.includes(name) ? { title } : { title: HINTS[name], disabled: true }),
    };
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
    this.root.dataset.state = "ready";
    this.root.dataset.rev = message.rev;
    this.root.dataset.total = message.total;
    this.root.dataset.where = message.where ?? "";
    this.drawBar();
    if (!before || before.rev !== message.rev) this.newList(message.reason, anchor, !before);
    else this.table.layout();
    if (!before) this.take(message.cursor, message.marked);
    else if (message.reason === "columns") this.headings.draw(this.table.columns);
  }

  /** What is being read: the first row on screen and how far it is scrolled; nothing when the list is at its top. */
  anchor() {
    if (!this.state || (this.table.pixels < 1 && this.pane.el.hidden && this.cursorId === null)) return null;
    const index = Math.floor(this.table.pixels / ROW), row = this.table.pages.row(index);
    return row ? { id: row[0], offset: this.table.pixels - index * ROW } : null;
  }

  async newList(reason, anchor, isFirst) {
    const { rev } = this.state, isKept = reason === "refresh" || reason === "columns";
    this.fresh.hidden = true;
    this.headings.draw(this.table.columns);
    const ids = [...new Set([isKept && !this.toTop ? anchor?.id : null, this.cursorId].filter(Boolean))];
    const old = this.table.pixels;
    if (!isKept || isFirst || this.toTop) this.table.pixels = 0;
    if (!ids.length) this.table.cursor = -1;
    const found = ids.length ? await this.ask("locate", { rev, trace_ids: ids }) : { places: [] };
    if (!found || rev !== this.state.rev) return;
    const placeOf = (id) => found.places[ids.indexOf(id)] ?? -1;
    this.table.cursor = this.cursorId ? placeOf(this.cursorId) : -1;
    const kept = isKept && anchor && !this.toTop ? placeOf(anchor.id) : -1;
    this.toTop = false;
    this.table.reset();
    this.table.scrollToPixels(kept >= 0 ? kept * ROW + anchor.offset : isKept ? Math.min(old, this.table.pixels || old) : 0);
    this.table.direction = 1;
  }

  take(cursor, marked) {
    this.marks = new Map(marked.map((id) => [id, true]));
    if (cursor !== this.cursorId) {
      this.cursorId = cursor;
      this.root.dataset.selected = cursor ?? "";
      this.table.cursor = cursor ? this.table.pages.indexOf(cursor) : -1;
      if (cursor && this.table.cursor < 0) this.ask("locate", { rev: this.state.rev, trace_ids: [cursor] }).then((found) => {
        if (found && cursor === this.cursorId) { this.table.cursor = found.places[0] ?? -1; this.table.schedule(); }
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
      if (!document.hidden && this.root.isConnected && this.root.offsetParent !== null && !this.isPolling) {
        this.isPolling = true;
        const answer = await this.ask("poll");
        this.isPolling = false;
        if (answer) {
          wait = Math.max(wait, this.state.is_live ? 6 * answer.query_ms : 0);
          this.fresh.hidden = !(answer.new > 0);
          swap(this.fresh, icon("up"), h("span", {}, plural(answer.new, "new trace")));
          if (this.state.is_live && answer.is_stale) await this.refresh();
        }
      }
      if (!this.isClosed) this.timer = setTimeout(tick, wait);
    };
    this.timer = setTimeout(tick, 2_000);
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  drawBar() {
    const { state } = this;
    swap(this.chips, ...state.chips.map((chip, i) => h("span.lm-chip", { role: "listitem", title: chip },
      h("button.lm-chip-text", { type: "button", title: `${chip}\nclick to edit`, onclick: () => this.edit(i) }, chip),
      h("button.lm-chip-close", { type: "button", "aria-label": `remove ${chip}`, title: "remove", onclick: () => this.ask("filter", { remove: i }) }, icon("close")))));
    this.input.placeholder = state.chips.length ? "and …" : "filter: words, or SQL such as  latency_ms > 2000 and tool_name = 'lookup'";
    const { last, since, until } = state.range, isCustom = Boolean(since || until);
    swap(this.ranges, ...RANGES.map(([value, label]) => {
      const isOn = !isCustom && (last ?? "") === value;
      return h(`button.lm-range${isOn ? ".lm-on" : ""}`, { type: "button", role: "radio", "aria-checked": isOn, onclick: () => this.ask("range", { last: value || null }) }, label);
    }), h(`button.lm-range${isCustom ? ".lm-on" : ""}`, { type: "button", role: "radio", "aria-checked": isCustom, title: state.range.words, onclick: () => this.toggleMenu(this.custom) }, isCustom ? "custom ✓" : "custom"));
    this.liveButton.classList.toggle("lm-on", state.is_live);
    this.liveButton.setAttribute("aria-pressed", state.is_live);
    swap(this.table.empty, h("strong", {}, state.where || state.range.words !== "no traces yet" ? "No trace matches" : "No traces yet"),
      h("p", {}, state.where ? `${state.where}; ${state.range.words}` : "ws.traces.ingest(...) brings some in"), state.where ? button("close", "clear the filter", () => this.ask("filter", { clear: true })) : null);
    swap(this.menu, ...state.columns.map((column) => {
      const box = h("input", { type: "checkbox", "data-column": column.name });
      box.checked = state.shown.includes(column.name);
      box.addEventListener("change", () => this.ask("columns", { shown: state.columns.map((one) => one.name).filter((name) => (name === column.name ? box.checked : this.state.shown.includes(name))) }));
      return h("label", {}, box, column.label);
    }));
    this.drawSummary();
  }

  drawSummary() {
    const { state } = this;
    if (!state) return;
    const percent = state.total ? (100 * state.errors) / state.total : 0;
    this.summary.replaceChildren(h("b", {}, plural(state.total, "trace")), state.errors ? h("span.lm-s-error", {}, icon("error"), h("span", {}, `${count(state.errors)} failed (${percent < 0.1 ? "<0.1" : percent.toFixed(1)}%)`)) : "",
      h("span", { title: "time range" }, state.range.words), h("span", { title: "query time" }, `${state.query_ms < 1_000 ? Math.round(state.query_ms) + " ms" : (state.query_ms / 1e3).toFixed(2) + " s"}`), this.marks.size ? h("span.lm-marks", {}, `${count(this.marks.size)} marked`) : "");
  }

  drawPeek(peek) {
    if (!peek) { this.peek.hidden = true; return; }
    const line = (name, text, cls = "") => (text ? h(`div.lm-peek-line${cls}`, {}, h("span.lm-note", {}, name), h("span.lm-peek-text", {}, text)) : null);
    this.peek.replaceChildren(...[line("error", [peek.error_type, peek.error_message].filter(Boolean).join(": "), ".lm-s-error"), line("input", peek.input), line("output", peek.output)].filter(Boolean));
    this.peek.hidden = !this.pane.el.hidden;
    this.table.layout();
  }

  say(text, kind, isSticky) { this.status.say(text, kind, isSticky); }

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

  /** Put the cursor on a row; Python hears of it soon, not for every row that is passed. */
  async moveTo(index, { open = null } = {}) {
    const { total } = this.state;
    if (!total) return;
    const target = Math.min(total - 1, Math.max(0, index));
    this.table.cursor = target;
    this.table.reveal(target);
    this.table.el.setAttribute("aria-activedescendant", `${this.view}-r${target}`);
    const { rev } = this.state, row = this.table.pages.row(target) ?? (await this.table.at(target));
    if (!row || rev !== this.state.rev || this.table.cursor !== target) return;
    this.cursorId = row[0];
    this.root.dataset.selected = row[0];
    this.tell();
    if (open || !this.pane.el.hidden) this.openSoon(row[0]);
  }

  rowsCame() { this.root.dataset.rows = this.table.pages.map.size; }

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
      for (let i = from; i <= to && i < from + 2_000; i++) { const one = await this.table.at(i); if (one) this.marks.set(one[0], true); }
    } else if (this.marks.has(row[0])) this.marks.delete(row[0]);
    else this.marks.set(row[0], true);
    this.lastMark = index;
    this.table.schedule();
    this.drawSummary();
    this.tell();
  }

  open() {
    if (!this.cursorId) { this.moveTo(Math.max(0, this.table.cursor)).then(() => this.cursorId && this.open()); return; }
    this.showPane(true);
    this.area = "tree";
    this.root.focus({ preventScroll: true });
    this.pane.open(this.cursorId);
  }

  showPane(isShown) {
    this.pane.el.hidden = this.split.hidden = !isShown;
    this.peek.hidden = isShown || !this.peek.childElementCount || !this.cursorId;
    this.root.classList.toggle("lm-with-pane", isShown);
    this.table.layout();
    if (isShown && this.table.cursor >= 0) this.table.reveal(this.table.cursor);
  }

  closePane() {
    if (this.pinned) this.pin(null);
    this.showPane(false);
    this.area = "list";
    this.root.focus({ preventScroll: true });
  }

  step(by) {
    const was = this.area;
    this.moveTo(this.table.cursor + by, { open: !this.pane.el.hidden }).then(() => { this.area = was; });
  }

  async goTo(id) {
    const found = await this.ask("locate", { rev: this.state.rev, trace_ids: [id] });
    const place = found?.places[0];
    if (place !== null && place !== undefined) this.moveTo(place, { open: true });
    else { this.cursorId = id; this.table.cursor = -1; this.table.schedule(); this.tell(); this.pane.open(id); this.say("this trace is not in the list as it is filtered"); }
  }

  pin(id) {
    if (this.pinned) { this.pinned.close(); this.pinned.el.remove(); this.pinned = null; }
    if (id) {
      this.pinned = new TracePane(this.paneHost(), { isPinned: true });
      this.main.insertBefore(this.pinned.el, this.pane.el);
      this.pinned.open(id);
      this.say("pinned; [ and ] change the trace beside it");
    }
    this.root.classList.toggle("lm-compare", Boolean(id));
    this.table.layout();
  }

  async act(name) {
    const answer = await this.ask("action", { name });
    if (answer) this.say(answer.message);
  }

  async refresh({ toTop = false } = {}) {
    this.toTop = toTop;
    await this.ask("refresh");
  }

  async copySql() { this.say((await copy(this.state.sql, this.root)) ? "SQL copied: ws.sql(\"\"\"...\"\"\")" : this.state.sql); }

  edit(i) {
    this.input.value = this.state.chips[i];
    this.editing = i;
    this.input.focus();
  }

  async inputKey(event) {
    if (event.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      const text = this.input.value.trim(), isEdit = this.editing !== undefined;
      const answer = text || isEdit ? await this.ask("filter", { text, replace: this.editing ?? null }) : true;
      if (answer) { this.input.value = ""; this.editing = undefined; this.root.focus({ preventScroll: true }); this.area = "list"; }
    } else if (event.key === "Backspace" && !this.input.value && this.state.chips.length) this.ask("filter", { remove: this.state.chips.length - 1 });
  }

  customRange(event) {
    event.preventDefault();
    const form = new FormData(this.custom), utc = (text) => (text ? `${text}:00+00:00`.replace(/(:\d\d):00(:00)?\+/, "$1:00+") : null);
    this.custom.hidden = true;
    this.ask("range", { since: utc(form.get("since")), until: utc(form.get("until")) });
  }

  toggleMenu(menu) {
    for (const one of [this.menu, this.custom]) one.hidden = one !== menu || !one.hidden;
  }

  toggleHelp() { this.help.hidden = !this.help.hidden; }

  pointed(event) {
    if (!this.help.contains(event.target)) this.help.hidden ||= !event.target.closest("[aria-label=keys]");
    if (!event.target.closest(".lm-menu, button, input, label")) this.menu.hidden = this.custom.hidden = true;
    if (event.target.closest("input, textarea, select, label")) return;
    this.area = this.pane.el.contains(event.target) ? "tree" : "list";
    setTimeout(() => { if (!this.root.contains(document.activeElement)) this.root.focus({ preventScroll: true }); });
  }

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
    const inField = event.target.closest("input, textarea, select");
    if (inField) {
      event.stopPropagation();
      if (event.key === "Escape") { event.preventDefault(); this.editing = undefined; inField.value = ""; if (inField === this.pane.find) this.pane.search(); this.root.focus({ preventScroll: true }); }
      return;
    }
    if (event.target.closest("button, summary") && ["Enter", " "].includes(event.key)) return;
    const isPaneOpen = !this.pane.el.hidden, area = isPaneOpen ? this.area : "list";
    const command = commandFor(event, area);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    this.run(command, area, isPaneOpen);
  }

  run(command, area, isPaneOpen) {
    const { table, pane } = this, page = Math.max(1, Math.floor(table.viewport / ROW) - 1), { tree } = pane;
    const move = (by) => (area === "tree" ? tree.move(by) : this.moveTo(table.cursor < 0 ? 0 : table.cursor + by));
    const commands = {
      down: () => move(1), up: () => move(-1), pageDown: () => move(page), pageUp: () => move(-page),
      first: () => (area === "tree" ? tree.move(-1e9) : this.moveTo(0)), last: () => (area === "tree" ? tree.move(1e9) : this.moveTo(this.state.total - 1)),
      right: () => (area === "tree" ? tree.sideways(1) : table.el.scrollBy({ left: 80 })), left: () => (area === "tree" ? tree.sideways(-1) : table.el.scrollBy({ left: -80 })),
      open: () => this.open(), fold: () => tree.toggle(tree.cursor), next: () => this.step(1), previous: () => this.step(-1),
      search: () => (isPaneOpen && area === "tree" ? pane.find : this.input).focus(), mark: () => table.cursor >= 0 && this.mark(table.cursor),
      help: () => this.toggleHelp(), times: () => { table.isExact = !table.isExact; table.schedule(); },
      pin: () => isPaneOpen && this.pin(this.pinned ? null : pane.traceId), session: () => isPaneOpen && pane.session(), error: () => isPaneOpen && pane.nextError(),
      raw: () => isPaneOpen && pane.toggleRaw(), copy: () => this.copyCurrent(), escape: () => this.escape(isPaneOpen),
    };
    commands[command]();
  }

  async copyCurrent() {
    if (this.cursorId) this.say((await copy(this.cursorId, this.root)) ? "trace id copied" : this.cursorId);
  }

  escape(isPaneOpen) {
    if (!this.help.hidden || !this.menu.hidden || !this.custom.hidden) this.help.hidden = this.menu.hidden = this.custom.hidden = true;
    else if (this.pinned) this.pin(null);
    else if (isPaneOpen) this.closePane();
    else (this.root.closest(".jp-Cell") ?? this.root.parentElement)?.focus?.();
  }

  close() {
    this.isClosed = true;
    for (const timer of [this.timer, this.telling, this.opening]) clearTimeout(timer);
    for (const undo of this.undo) undo();
    this.status.close();
    this.table.close();
    this.pane.close();
    this.pinned?.close();
    this.channel.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const view = new TraceBrowserView(model, el);
    return () => view.close();
  },
};
