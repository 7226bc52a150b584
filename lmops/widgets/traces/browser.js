// The trace browser: filter and range above, the table, the trace beside it.

import { ROW, button, copy, count, h, icon, plural, swap } from "../kit/dom.js";
import { canOpenBelow, openBelow, sayCall } from "../kit/below.js";
import { ListView } from "../kit/list_view.js";
import { Bar } from "./bar.js";
import { KEYS, commandFor } from "./keys.js";
import { OverTime } from "./over_time.js";
import { Headings } from "./summaries.js";
import { TracePane } from "./pane.js";
import { TraceTable } from "./table.js";
import { renders } from "../kit/view.js";

export class TraceBrowserView extends ListView {
  constructor(model, el) {
    super(model, el);
    this.started.then(() => this.watch());
  }

  get noun() {
    return this.state?.group ? "group" : "trace";
  }

  build(el) {
    this.area = "list";
    this.list = new TraceTable(this.listHost({ onColumns: (columns) => this.headings.keepUp(columns) }));
    this.headings = new Headings(
      this.host({
        onSort: (column) => this.sort(column),
        onFilter: (what) => this.ask("filter", what),
        onTimes: () => this.times(),
        widthOf: (i) => this.list.widths[i],
        onWidth: (column, width, isDone) => this.resize(column, width, isDone),
        setHead: (cells) => this.list.setHead(cells),
      }),
    );
    this.paneHost = this.host({
      onClose: () => this.closePane(),
      onMove: (by) => this.step(by),
      onPin: (id) => this.pin(id),
      onTrace: (id) => this.pending.add(this.goTo(id)),
      onAction: (name, id) => this.act(name, { ids: [id] }, "this trace"),
      action: (name) => this.state.actions.find((one) => one.name === name),
      onTry: (id, index) => this.tryCall(id, index),
    });
    this.pane = new TracePane(this.paneHost);
    this.pinned = null;
    this.active = this.pane;
    this.bar = new Bar(
      this.host({
        copySql: () => this.copySql(),
        link: () => this.link(),
        refresh: () => this.refresh(),
        help: () => this.toggleHelp(),
        onTyped: (asked) => this.pending.add(this.typed(asked)),
      }),
    );
    this.overTime = new OverTime(
      this.host({ onRange: (since, until) => this.ask("range", { since, until }).then(() => this.focus()) }),
    );
    this.back = button("left", "back", () => this.ask("back"), { cls: "lm-act", title: "to the groups  Esc" });
    this.back.hidden = true;
    this.peek = h("div.lm-peek", { hidden: true });
    this.fresh = button("up", "new traces", () => this.refresh({ toTop: true }), { cls: "lm-fresh", text: "" });
    this.fresh.hidden = true;
    this.foot.append(this.fresh);
    this.main = h("div.lm-main", {}, h("div.lm-list", {}, this.list.el, this.peek), this.split, this.pane.el);
    this.foot.prepend(this.back);
    this.frame(el, "trace-browser", KEYS, this.bar.el, ...this.bar.all, this.overTime.el, this.main);
    this.showPane(false);
  }

  // -- focus: the grid or a tree has it, so that assistive technology follows the active row ------------------------

  focus() {
    (this.isInTree ? this.side.focusable : this.list.el).focus({ preventScroll: true });
    // where there is no room for two beside each other, one is below the other
    if (this.pinned) this.main.scrollTop = this.side.el.offsetTop - this.main.offsetTop;
  }

  /** Whether keys mean the spans of a trace, not the list. */
  get isInTree() {
    return this.pane.isOpen && (this.area === "tree" || this.pinned !== null);
  }

  /** The one of two traces that keys mean. */
  get side() {
    return this.pinned && this.active === this.pinned ? this.pinned : this.pane;
  }

  focused(event) {
    super.focused(event);
    const { target } = event,
      pane = [this.pane, this.pinned].find((one) => one?.el.contains(target));
    if (pane) [this.area, this.active] = ["tree", pane];
    else if (this.list.el.contains(target)) this.area = "list";
  }

  pointed(event) {
    const { target } = event;
    if (!target.closest(".lm-menu, button, input, label")) this.bar.shut();
    if (this.list.el.contains(target)) this.area = "list";
    super.pointed(event);
  }

  // -- news from Python --------------------------------------------------------------------------------------------

  drawState() {
    this.root.dataset.where = this.state.where ?? "";
    this.bar.draw();
    this.drawEmpty();
    const { opened, group } = this.state;
    this.back.hidden = !opened;
    this.root.toggleAttribute("data-grouped", Boolean(group));
    if (opened) this.back.querySelector("span").textContent = `groups by ${opened}`;
    if (group && this.pane.isOpen) this.closePane();
  }

  selected(message) {
    if (message.cursor === this.cursorId) this.drawPeek(message.peek);
  }
  found() {
    this.showPeek();
  }

  /** Go on where the view before this one was. */
  takeOver() {
    const { left } = this;
    if (!left && this.state.is_opened && this.cursorId) {
      this.showPane(true);
      this.pane.open(this.cursorId);
      return;
    }
    if (!left?.traceId || left.traceId !== this.cursorId) return;
    this.tell(); // Python sends the texts below the list
    if (!left.isOpen) return;
    this.showPane(true);
    if (left.pinned) this.pin(left.pinned, { isQuiet: true });
    this.pane.open(left.traceId);
  }

  /** What is being read: the first row on screen and how far it is scrolled; no row when the list is at its top. */
  place() {
    const { pixels, pages } = this.list,
      isAtTop = pixels < 1 && !this.pane.isOpen && this.cursorId === null;
    return { pixels, id: this.state && !isAtTop ? pages.row(Math.floor(pixels / ROW))?.[0] : undefined };
  }

  /** What was read stays where it is on the screen, also when the reader scrolls until its place is known. */
  async newList({ pixels, id }, before) {
    const { list } = this,
      isKept = ["refresh", "columns"].includes(this.state.reason) && !this.toTop;
    this.toTop = false;
    this.fresh.hidden = true;
    this.headings.draw(list.columns);
    const placeOf = await this.locate(isKept ? id : undefined);
    if (!placeOf) return;
    const scrolled = list.pixels - pixels,
      row = isKept && id ? placeOf(id) : -1,
      start = before ? 0 : (this.left?.pixels ?? 0);
    list.cursor = this.cursorId ? placeOf(this.cursorId) : -1;
    list.reset(row >= 0 ? row * ROW + (pixels % ROW) + scrolled : isKept ? list.pixels : start);
    this.showPeek();
    this.pending.add(list.loaded).finally(() => this.overTime.draw());
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
          if (this.state.is_live && answer.is_stale) await this.channel.ask("refresh"); // keys do not wait for it
        }
      }
      if (!this.isClosed) this.timer = setTimeout(tick, wait);
    };
    this.timer = setTimeout(tick, 2_000);
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  drawEmpty() {
    const { state } = this,
      isStoreEmpty = !state.where && state.range.words === "no traces yet";
    swap(
      this.list.empty,
      h("strong", {}, isStoreEmpty ? "No traces yet" : "No trace matches"),
      h(
        "p",
        {},
        isStoreEmpty
          ? "ws.traces.ingest(...) brings some in"
          : [state.where, state.range.words].filter(Boolean).join("; "),
      ),
      ...[
        state.where && button("close", "clear the filter", () => this.ask("filter", { clear: true })),
        state.range.words !== "all times" &&
          !isStoreEmpty &&
          button("clock", "all times", () => this.ask("range", { last: null })),
      ].filter(Boolean),
    );
  }

  drawSummary() {
    const { state } = this,
      percent = state.traces ? (100 * state.errors) / state.traces : 0;
    this.summary.replaceChildren(
      h("b", {}, plural(state.total, this.noun)),
      state.group ? h("span", {}, `of ${plural(state.traces, "trace")}`) : "",
      state.errors
        ? h(
            "span.lm-s-error",
            {},
            icon("error"),
            h("span", {}, `${count(state.errors)} failed (${percent < 0.1 ? "<0.1" : percent.toFixed(1)}%)`),
          )
        : "",
      h("span", { title: state.range.words }, state.range.words),
      h(
        "span",
        { title: "query time" },
        `${state.query_ms < 1_000 ? Math.round(state.query_ms) + " ms" : (state.query_ms / 1e3).toFixed(2) + " s"}`,
      ),
    );
  }

  drawPeek(peek) {
    const line = (name, text, cls = "") =>
      text ? h(`div.lm-peek-line${cls}`, {}, h("span.lm-note", {}, name), h("span.lm-peek-text", {}, text)) : null;
    const lines = peek
      ? [
          line("error", [peek.error_type, peek.error_message].filter(Boolean).join(": "), ".lm-s-error"),
          line("input", peek.input),
          line("output", peek.output),
        ]
      : [];
    this.peek.replaceChildren(...lines.filter(Boolean));
    this.peekId = peek ? this.cursorId : null;
    this.showPeek();
  }

  /** The texts below the list belong to the row under the cursor: they go where it goes. */
  showPeek() {
    const isShown =
      !this.pane.isOpen && this.peek.childElementCount > 0 && this.list.cursor >= 0 && this.peekId === this.cursorId;
    if (this.peek.hidden === !isShown) return;
    this.peek.hidden = !isShown;
    this.list.layout();
    if (isShown) this.list.reveal(this.list.cursor);
  }

  // -- what the reader does ----------------------------------------------------------------------------------------

  sort(column) {
    const { sort, columns } = this.state,
      kind = columns.find((one) => one.name === column).kind;
    const isFirstDown = kind === "number" || kind === "time";
    this.ask("sort", { column, descending: sort.column === column ? !sort.descending : isFirstDown });
  }

  resize(column, width, isDone) {
    column.width = Math.round(width);
    this.list.layout();
    if (isDone) this.ask("columns", { widths: { [column.name]: column.width } });
  }

  times() {
    this.list.isExact = !this.list.isExact;
    this.list.layout();
  }

  /** A filter was typed: keys act in its list. When it cannot be read, what was typed after it meant another list. */
  async typed(asked) {
    this.focus();
    if (
      (await asked) ||
      this.root.dataset.state !== "ready" ||
      this.field ||
      !this.root.contains(document.activeElement)
    )
      return;
    this.keys.drop();
    this.bar.input.focus();
  }

  async open() {
    if (!this.cursorId) await this.moveTo(Math.max(0, this.list.cursor));
    if (!this.cursorId) return;
    if (this.state.group) {
      await this.ask("open_group", { rev: this.state.rev, trace_id: this.cursorId });
      return;
    }
    this.area = "tree";
    this.showPane(true);
    this.focus();
    this.openNow();
  }

  showPane(isShown) {
    this.pane.el.hidden = this.split.hidden = !isShown;
    this.root.classList.toggle("lm-with-pane", isShown);
    this.showPeek();
    this.list.layout();
    if (isShown && this.list.cursor >= 0) this.list.reveal(this.list.cursor);
  }

  /** Open a call in the playground below; where a page cannot, say what opens it in a cell. */
  async tryCall(id, index) {
    const answer = await this.ask("try", { trace_id: id, index, is_shown: canOpenBelow(this) });
    if (answer?.model) await openBelow(this, answer.model);
    else if (answer) await sayCall(this, answer.code);
  }

  closePane() {
    this.pin(null, { isQuiet: true });
    this.showPane(false);
    this.area = "list";
    this.focus();
  }

  async goTo(id) {
    const found = await this.ask("locate", { rev: this.state.rev, ids: [id] });
    if (!found) return;
    const place = found.places[0];
    if (place !== null && place !== undefined) {
      await this.moveTo(place);
      return;
    }
    this.cursorId = id;
    this.list.cursor = -1;
    this.list.schedule();
    this.tell();
    this.pane.open(id);
    this.say("this trace is not in the list as it is filtered");
  }

  pin(id, { isQuiet = false } = {}) {
    if (!id && !this.pinned) return;
    this.pinned?.close();
    this.pinned?.el.remove();
    this.pinned = this.pane.other = null;
    this.active = this.pane;
    this.pane.compare();
    if (id) {
      this.pinned = new TracePane(this.paneHost, { isPinned: true });
      this.main.insertBefore(this.pinned.el, this.pane.el);
      [this.pane.other, this.pinned.other] = [this.pinned, this.pane];
      this.pinned.open(id);
      if (!isQuiet) this.say("pinned; [ and ] change the trace beside it");
    }
    this.root.classList.toggle("lm-compare", Boolean(id));
    this.list.layout();
    if (!isQuiet) this.focus();
  }

  get readId() {
    return this.pane.isOpen ? this.side.traceId : this.cursorId;
  }

  async refresh({ toTop = false } = {}) {
    this.toTop = toTop;
    await this.ask("refresh");
  }

  /** The call that shows what is open, or the saved view. */
  link() {
    const found = this.pane.isOpen ? this.readId : this.state.link;
    return found ? `ws.traces.browse(view="${found}")` : null;
  }

  async copySql() {
    this.say((await copy(this.state.sql, this.root)) ? 'SQL copied: ws.sql("""...""")' : this.state.sql);
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  commandOf(key) {
    return commandFor(key, this.isInTree ? "tree" : "list");
  }

  /** In a trace keys need its tree; only [ and ] still mean the list. */
  needOf(command) {
    const need = super.needOf(command),
      isOfList = ["next", "previous", "help", "escape", "times", "other"].includes(command);
    return this.isInTree && !isOfList ? "open" : need;
  }

  neededOf(command) {
    const { side } = this;
    return side.busy.all ?? (command === "last" || command === "error" ? side.rest.all : undefined);
  }

  commands() {
    const { list, side, bar, pane } = this,
      page = this.pageRows,
      aside = (by) => {
        list.el.scrollBy({ left: by });
      };
    const commands = {
      ...super.commands(),
      right: () => aside(80),
      left: () => aside(-80),
      search: () => bar.input.focus(),
      columns: () => bar.open(bar.menu),
      groups: () => bar.open(bar.menus.groups),
      views: () => bar.open(bar.menus.views),
      exports: () => bar.open(bar.menus.exports),
      overTime: () => this.overTime.toggle(),
      times: () => this.times(),
      other: () => this.otherSide(),
      ...(pane.isOpen && {
        pin: () => this.pin(this.pinned ? null : side.traceId),
        session: () => side.session(),
        error: () => side.nextError(),
        raw: () => side.toggleRaw(),
        plain: () => side.togglePlain(),
        input: () => side.toggleInput(),
        graph: () => side.toggleGraph(),
        diff: () => {
          this.active = pane;
          return pane.diff();
        },
      }),
    };
    if (!this.isInTree) return commands;
    return Object.assign(commands, {
      down: () => side.move(1),
      up: () => side.move(-1),
      pageDown: () => side.move(page),
      pageUp: () => side.move(-page),
      first: () => side.move(-1e9),
      last: () => side.move(1e9),
      right: () => side.sideways(1),
      left: () => side.sideways(-1),
      fold: () => side.enter(),
      search: () => (side.find.isConnected ? side.find : bar.input).focus(),
    });
  }

  /** Escape in a field: forget what was typed, shut what it belongs to, go back to the rows. */
  leave(field) {
    if (field === this.bar.input) this.bar.reset();
    const pane = [this.pane, this.pinned].find((one) => one?.find === field);
    if (pane) {
      field.value = "";
      pane.search();
    }
    this.bar.shut();
    super.leave();
  }

  /** Go from the list to the trace and back, or from one of two traces to the other. */
  otherSide() {
    if (!this.pane.isOpen) return;
    if (this.pinned) this.active = this.active === this.pinned ? this.pane : this.pinned;
    else this.area = this.area === "tree" ? "list" : "tree";
    this.focus();
  }

  shut() {
    if (this.bar.isOpen || !this.form.el.hidden) {
      this.bar.shut();
      this.form.shut();
      this.focus();
    } else if (this.pinned) this.pin(null);
    else if (this.pane.isOpen) this.closePane();
    else if (this.state.opened) this.ask("back");
    else return false;
    return true;
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    super.close({ traceId: this.cursorId, pinned: this.pinned?.traceId }, this.pane, this.pinned);
  }
}

export default renders(TraceBrowserView);
