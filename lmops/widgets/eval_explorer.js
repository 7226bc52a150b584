// The eval explorer: runs by cases, what all of them say beside it, or one case in full. The browser owns cursor, marks
// and scroll; Python owns what is listed. Two views agree through the state messages that both receive.

import { Channel, ROW, StatusLine, button, copy, count, h, icon, isOurs, keepKeys, keyHelp, plural, swap } from "./_dom.js";
import { CasePane } from "./_eval_case.js";
import { CaseGrid, scoreText } from "./_eval_grid.js";
import { Overview } from "./_eval_panels.js";
import { ActionForm } from "./_trace_action.js";

const EVAL_KEYS = [["j k ↓ ↑", "next, previous case"], ["Enter", "open the case"], ["Esc", "close, leave the explorer"], ["[ ]", "previous, next case"], ["r", "only regressions, all"], ["f", "only flips, all"], ["1 … 9", "choose the scorer"], ["d", "mark the words that differ"], ["t", "trace of the case"], [", .", "previous, next repeat"], ["space", "mark the case"], ["a", "add the marked ones to a dataset"], ["l", "send them to labeling"], ["/", "find in id and input"], ["c", "clear the filters"], ["y", "copy the case id"], ["g G", "first, last case"], ["PgUp PgDn", "a page of the list or the case"], ["?", "these keys"]];

/** What a view leaves to the next one of its model: JupyterLab takes views away that are scrolled out of sight. */
const EVAL_LEFT = new WeakMap();

/** What a key means; undefined leaves it to the page. */
export function exploreCommand(event) {
  if (event.isComposing || !isOurs(event)) return undefined;
  if (/^[1-9]$/.test(event.key)) return `scorer:${event.key}`;
  const known = { j: "down", ArrowDown: "down", k: "up", ArrowUp: "up", "]": "next", "[": "previous", Enter: "open", Escape: "escape", f: "flips", r: "regressions", " ": "mark", d: "diff", t: "trace", a: "dataset", l: "labeling", "/": "search", c: "clear", y: "copy", g: "first", G: "last", Home: "first", End: "last", PageDown: "pageDown", PageUp: "pageUp", ",": "repeatBack", ".": "repeatOn", "?": "help" };
  return Object.hasOwn(known, event.key) ? known[event.key] : undefined;
}

export class EvalExplorerView {
  constructor(model, el) {
    this.model = model;
    this.state = null;
    this.seq = 0;
    this.marks = new Map();
    this.cursorId = null;
    this.keys = Promise.resolve();
    this.channel = new Channel(model, { onNews: (message, mine) => this.news(message, mine), onError: (message) => this.say(message, "error"), onSilence: (why) => this.status.silence(why) });
    this.view = this.channel.view;
    this.left = EVAL_LEFT.get(model);
    EVAL_LEFT.delete(model);
    this.build(el);
    this.undo = [keepKeys(this.root)];
    this.channel.ask("hello");
  }

  async ask(kind, params) {
    // The form that traces and cases share names what it adds by one word.
    const answer = await this.channel.ask(kind, kind === "action" ? { name: params.name, value: params.value, case_ids: params.trace_ids } : params);
    if (answer && ["filter", "action", "refresh"].includes(kind)) this.status.wentWell();
    return answer;
  }

  say(text, kind, isSticky) { this.status.say(text, kind, isSticky); }
  filter(change) { return this.ask("filter", change); }

  build(el) {
    const self = this, shared = { ask: (kind, params) => this.ask(kind, params), view: this.view, now: () => 0, say: (text, kind) => this.say(text, kind), focus: () => this.focus(), filter: (change) => this.filter(change), get state() { return self.state; }, get root() { return self.root; } };
    const make = (more) => Object.defineProperties(more, Object.getOwnPropertyDescriptors(shared));
    this.grid = new CaseGrid(make({ isMarked: (id) => this.marks.has(id), isCompact: () => this.pane.isOpen, onCursor: (index) => this.moveTo(index), onOpen: () => this.open(), onMark: (index, isRange) => this.mark(index, isRange), onSort: (name) => this.sort(name), onRows: () => { this.root.dataset.rows = this.grid.pages.map.size; } }));
    this.pane = new CasePane(make({ onClose: () => this.closePane(), onMove: (by) => this.step(by), onMark: () => this.mark(this.grid.cursor), isMarked: (id) => this.marks.has(id), onAction: (name) => this.act(name, [this.pane.caseId], "this case") }));
    this.overview = new Overview(make({}));
    this.form = new ActionForm(make({}));
    this.help = keyHelp(EVAL_KEYS);
    this.tabs = h("div.lm-tabs", { role: "radiogroup", "aria-label": "scorer" });
    this.pair = h("div.lm-pair");
    this.regressions = button("down", "only regressions", () => this.toggle("regressions"), { title: "only cases that became worse  r" });
    this.flips = button("refresh", "only flips", () => this.toggle("flips"), { title: "only cases that pass in one of both runs  f" });
    this.passAt = h("input.lm-pass-at", { type: "number", step: "any", "aria-label": "pass at", onchange: () => this.filter({ pass_at: this.passAt.value === "" ? null : Number(this.passAt.value) }) });
    this.passLabel = h("label.lm-pass", { title: "from which score on a case passes (up to which, where less is better)" }, h("span"), this.passAt);
    this.search = h("input.lm-search", { type: "text", maxlength: 1_000, placeholder: "find in id and input  /", "aria-label": "find", autocomplete: "off", spellcheck: "false", oninput: () => this.searchSoon() });
    this.chips = h("div.lm-chips");
    this.bar = h("div.lm-bar-top", {}, this.tabs, h("span.lm-gap"), this.pair, button("refresh", "refresh", () => this.ask("refresh"), { text: "", title: "read the runs again" }), button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }));
    this.tools = h("div.lm-bar-top.lm-bar-tools", {}, this.regressions, this.flips, this.passLabel, h("span.lm-searchbox", {}, icon("search"), this.search), this.chips);
    this.summary = h("span.lm-summary-line");
    this.marked = h("span.lm-marks", { hidden: true });
    this.foot = h("div.lm-foot", {}, this.summary, this.marked, h("span.lm-gap"));
    this.split = h("div.lm-split", { role: "separator", "aria-orientation": "vertical", "aria-label": "width of the list", title: "drag to resize", onpointerdown: (event) => this.drag(event) });
    this.main = h("div.lm-main", {}, h("div.lm-list", {}, this.grid.el), this.split, h("div.lm-side", {}, this.overview.el, this.pane.el));
    this.root = h("div.lm-root", { tabindex: -1, "data-lm": "eval-explorer", "data-state": "loading", role: "region", "aria-label": "eval explorer" }, this.bar, this.tools, this.main, this.foot, this.form.el, this.help);
    this.status = new StatusLine(this.root);
    this.foot.append(this.status.el);
    this.root.style.height = `${this.model.get("_height")}px`;
    if (this.left?.share) this.root.style.setProperty("--lm-list", this.left.share);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("focusin", (event) => { if (event.target === this.root) this.focus(); });
    this.root.addEventListener("pointerdown", (event) => this.pointed(event));
    el.append(this.root);
    this.grid.empty.append(h("p", {}, "loading …"));
    this.grid.empty.hidden = false;
  }

  focus() { this.grid.el.focus({ preventScroll: true }); }

  pointed({ target }) {
    if (!this.help.contains(target)) this.help.hidden ||= !target.closest("[aria-label=keys]");
    if (target.closest("input, select, label, textarea")) return;
    setTimeout(() => { if (!this.root.contains(document.activeElement)) this.focus(); });
  }

  // -- news from Python --------------------------------------------------------------------------------------------

  news(message, mine) {
    if (message.seq <= this.seq) return;
    this.seq = message.seq;
    if (message.kind === "selection") {
      if (!mine) this.take(message.cursor, message.marked);
      return;
    }
    const before = this.state;
    this.state = message;
    Object.assign(this.root.dataset, { state: "ready", rev: message.rev, total: message.total, scorer: message.scorer });
    this.drawBars();
    this.drawSummary();
    if (before?.rev === message.rev) return;
    this.newList(!before, before && (before.a !== message.a || before.b !== message.b || message.reason === "refresh"));
    if (!before) this.takeOver();
  }

  async newList(isFirst, isOther) {
    const { rev } = this.state, { grid } = this, id = this.cursorId ?? this.state.cursor;
    grid.drawHead();
    swap(grid.empty, h("strong", {}, this.state.all ? "No case matches" : "No case yet"), this.state.all ? button("close", "clear the filters", () => this.clear()) : h("p", {}, "the run has no finished case"));
    const found = id ? await this.ask("locate", { rev, case_ids: [id] }) : { places: [] };
    if (!found || rev !== this.state.rev) return;
    // The reader went on meanwhile, in the rows that are still on screen.
    if ((this.cursorId ?? this.state.cursor) !== id) { this.newList(isFirst, isOther); return; }
    grid.cursor = found.places[0] ?? -1;
    grid.pixels = isFirst ? this.left?.pixels ?? 0 : 0;
    grid.reset();
    grid.scrollToPixels(grid.cursor >= 0 && !isFirst ? Math.max(0, grid.cursor * ROW - grid.viewport / 3) : grid.pixels);
    this.grid.direction = 1;
    if (this.pane.isOpen && this.cursorId) { if (isOther || this.pane.answer) this.pane.open(this.cursorId, this.pane.repeat); }
    else this.overview.draw();
  }

  take(cursor, marked) {
    this.marks = new Map(marked.map((id) => [id, true]));
    if (cursor !== this.cursorId) {
      this.cursorId = cursor;
      this.root.dataset.selected = cursor ?? "";
      this.grid.cursor = cursor ? this.grid.pages.indexOf(cursor) : -1;
      if (cursor && this.pane.isOpen) this.pane.open(cursor);
    }
    this.grid.schedule();
    this.pane.drawMark();
    this.drawSummary();
  }

  takeOver() {
    this.take(this.state.cursor, this.state.marked);
    if (this.left?.isOpen && this.cursorId) this.open();
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  drawBars() {
    const { state } = this, isPair = state.b !== null;
    swap(this.tabs, ...state.scorers.map((one, i) => {
      const isOn = one.name === state.scorer, a = one.means[state.a], b = isPair ? one.means[state.b] : null, isWorse = isPair && a !== null && b !== null && (one.higher_is_better ? a < b : a > b);
      return h(`button.lm-tab${isOn ? ".lm-on" : ""}`, { type: "button", role: "radio", "aria-checked": isOn, "data-scorer": one.name, title: `${one.name}  ${i < 9 ? i + 1 : ""}`, onclick: () => this.filter({ scorer: one.name }) }, h("span", {}, one.name), h(`span.lm-tab-mean${isWorse ? ".lm-worse" : ""}`, {}, isPair ? `${scoreText(b)} → ${scoreText(a)}` : scoreText(a)));
    }), ...(state.scorers.length ? [] : [h("span.lm-note", {}, "these runs have no scorer")]));
    this.drawPair();
    for (const [el, name, text] of [[this.regressions, "regressions", `${count(state.worse)} worse`], [this.flips, "flips", state.pass_at === null ? "" : `${count(state.lost)} lost, ${count(state.gained)} gained`]]) {
      el.hidden = !isPair;
      el.classList.toggle("lm-on", state[name]);
      el.setAttribute("aria-pressed", state[name]);
      el.disabled = name === "flips" && state.pass_at === null;
      swap(el, el.querySelector("svg"), h("span", {}, name === "flips" ? "only flips" : "only regressions"), h("span.lm-note", {}, text));
    }
    const scorer = state.scorers.find((one) => one.name === state.scorer);
    this.passLabel.hidden = !scorer;
    this.passLabel.firstChild.textContent = scorer?.higher_is_better === false ? "pass ≤" : "pass ≥";
    if (document.activeElement !== this.passAt) this.passAt.value = state.pass_at ?? "";
    if (document.activeElement !== this.search) this.search.value = state.text;
    const chip = (text, change) => h("span.lm-chip", {}, h("span", { title: text }, text), h("button.lm-chip-close", { type: "button", "aria-label": `remove ${text}`, onclick: () => this.filter(change) }, icon("close")));
    const { cell, slice } = state, names = isPair ? [state.runs[state.b].short, state.runs[state.a].short] : ["", state.runs[state.a].short];
    swap(this.chips, ...[cell && chip(cell[0] === "run" ? `${names[1]} ${cell[2]}` : `${cell[0] === "runs" ? names[0] : cell[0].replace(/^label:/, "")} ${cell[1]} · ${names[1]} ${cell[2]}`, { cell: null }), slice && chip(`${slice[0]} = ${slice[1]}`, { slice: null })].filter(Boolean));
  }

  /** Which run is judged and which is the baseline; with two runs there is nothing to choose but the direction. */
  drawPair() {
    const { state } = this, run = (i) => state.runs[i];
    const choose = (name, title) => {
      const select = h("select.lm-select", { "aria-label": title, title, onchange: () => { const to = Number(select.value), other = name === "a" ? "b" : "a"; this.filter(to === state[other] ? { [name]: to, [other]: state[name] } : { [name]: to }); } }, state.runs.map((one, i) => h("option", { value: i }, one.short)));
      select.value = String(state[name]);
      return select;
    };
    if (state.b === null) swap(this.pair, h("b", {}, run(state.a).label), h("span.lm-note", {}, run(state.a).dataset));
    else if (state.runs.length === 2) swap(this.pair, h("span", { title: `baseline: ${run(state.b).label}` }, run(state.b).label), button("right", "turn around", () => this.filter({ a: state.b, b: state.a }), { text: "", title: "judge the other run" }), h("b", { title: "judged" }, run(state.a).label), h("span.lm-note", {}, run(state.a).dataset));
    else swap(this.pair, choose("b", "baseline"), icon("right"), choose("a", "judged"), h("span.lm-note", {}, run(state.a).dataset));
  }

  drawSummary() {
    const { state } = this, n = this.marks.size;
    if (!state) return;
    const shown = state.total === state.all ? plural(state.all, "case") : `${count(state.total)} of ${plural(state.all, "case")}`, running = state.runs.filter((one) => one.cases < one.planned), failed = state.runs.reduce((sum, one) => sum + one.errors, 0);
    swap(this.summary, ...[h("b", {}, shown), h("span", {}, plural(state.runs.length, "run")), failed ? h("span.lm-s-error", {}, icon("error"), `${count(failed)} failed`) : null, running.length ? h("span", { title: running.map((one) => `${one.label}: ${count(one.cases)} of ${count(one.planned)}`).join("\n") }, `${plural(running.length, "run")} not complete`) : null].filter(Boolean));
    this.marked.hidden = !n;
    if (!n) return;
    const tool = ({ name, label, hint, is_there: isThere }) => button(name === "dataset" ? "add" : "label", label, () => this.act(name, [...this.marks.keys()], plural(n, "marked case")), { title: isThere ? `${label} the marked cases` : hint, disabled: !isThere });
    swap(this.marked, h("b", {}, `${count(n)} marked`), ...state.actions.map(tool), button("close", "clear the marks", () => { this.marks.clear(); this.marksChanged(); this.focus(); }, { text: "" }));
  }

  // -- what the reader does ----------------------------------------------------------------------------------------

  sort(name) {
    const { state } = this, scorer = state.scorers.find((one) => one.name === state.scorer);
    const isFirstDown = name.startsWith("run:") && scorer?.higher_is_better === false;
    this.filter({ sort: name, descending: state.sort === name ? !state.descending : isFirstDown });
  }

  toggle(name) {
    const { state } = this;
    if (state.b === null) this.say("there is one run only: ws.evals.explore(run, baseline) shows two");
    else if (name === "flips" && state.pass_at === null) this.say(`say from which score on a case passes: “pass ≥” is empty for ${state.scorer}`);
    else this.filter({ [name]: !state[name] });
  }

  searchSoon() {
    clearTimeout(this.searching);
    this.searching = setTimeout(() => this.filter({ text: this.search.value }), 160);
  }

  clear() {
    this.search.value = "";
    this.filter({ clear: true });
  }

  choose(number) {
    const scorer = this.state.scorers[number - 1];
    if (scorer) this.filter({ scorer: scorer.name });
    else this.say(`there ${this.state.scorers.length === 1 ? "is one scorer" : `are ${this.state.scorers.length} scorers`}`);
  }

  /** Put the cursor on a row; Python hears of it soon, not for every row that is passed. */
  async moveTo(index) {
    const { total, rev } = this.state, { grid } = this;
    if (!total) return;
    const target = Math.min(total - 1, Math.max(0, index));
    grid.cursor = target;
    grid.reveal(target);
    grid.el.setAttribute("aria-activedescendant", `${this.view}-r${target}`);
    const row = grid.pages.row(target) ?? (await grid.at(target));
    if (!row || rev !== this.state.rev || grid.cursor !== target) return;
    this.cursorId = this.root.dataset.selected = row[0];
    this.tell();
    if (this.pane.isOpen) this.openSoon(row[0]);
  }

  tell() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.ask("select", { cursor: this.cursorId, marked: [...this.marks.keys()] }), 60);
  }

  openSoon(id) {
    clearTimeout(this.opening);
    this.opening = setTimeout(() => { if (this.cursorId === id) this.pane.open(id); }, 40);
  }

  async mark(index, isRange = false) {
    // A case that is open may not be in the list as it is filtered now.
    if (index < 0 && !this.pane.isOpen) { await this.moveTo(0); index = this.grid.cursor; }
    const row = index < 0 ? [this.cursorId] : await this.grid.at(index);
    if (!row?.[0]) return;
    if (isRange && this.lastMark !== undefined) {
      const [from, to] = [Math.min(index, this.lastMark), Math.max(index, this.lastMark)];
      if (to - from >= 2_000) this.say("only the first 2,000 rows of the range are marked", "error");
      for (let i = from; i <= to && i < from + 2_000; i++) { const one = await this.grid.at(i); if (one) this.marks.set(one[0], true); }
    } else if (this.marks.has(row[0])) this.marks.delete(row[0]);
    else this.marks.set(row[0], true);
    this.lastMark = index;
    this.marksChanged();
  }

  marksChanged() {
    this.grid.schedule();
    this.pane.drawMark();
    this.drawSummary();
    this.tell();
  }

  async open() {
    if (!this.cursorId || this.grid.cursor < 0) await this.moveTo(Math.max(0, this.grid.cursor));
    if (!this.cursorId) return;
    this.showPane(true);
    this.pane.open(this.cursorId);
  }

  showPane(isShown) {
    this.pane.el.hidden = !isShown;
    this.overview.el.hidden = isShown;
    this.root.classList.toggle("lm-with-case", isShown);
    this.grid.layout();
    if (this.grid.cursor >= 0) this.grid.reveal(this.grid.cursor);
    if (!isShown) this.overview.draw();
  }

  closePane() {
    this.showPane(false);
    this.focus();
  }

  step(by) { return this.moveTo(this.grid.cursor + by); }

  act(name, ids, words) {
    const action = this.state.actions.find((one) => one.name === name);
    if (!action.is_there) this.say(action.hint);
    else if (!ids[0]) this.say("no case is chosen");
    else this.form.start(action, ids, words);
  }

  actOnChosen(name) {
    if (this.marks.size) this.act(name, [...this.marks.keys()], plural(this.marks.size, "marked case"));
    else this.act(name, [this.cursorId], "this case");
  }

  async copyId() {
    if (this.cursorId) this.say((await copy(this.cursorId, this.root)) ? "case id copied" : this.cursorId);
    this.focus();
  }

  toggleHelp() { this.help.hidden = !this.help.hidden; }

  drag(event) {
    event.preventDefault();
    const { left, width } = this.main.getBoundingClientRect();
    this.split.setPointerCapture(event.pointerId);
    const move = (to) => { this.root.style.setProperty("--lm-list", `${Math.min(80, Math.max(15, (100 * (to.clientX - left)) / width))}%`); this.grid.layout(); };
    this.split.addEventListener("pointermove", move);
    this.split.addEventListener("pointerup", () => this.split.removeEventListener("pointermove", move), { once: true });
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  key(event) {
    if (!this.state) return;
    if (event.target.closest("input, textarea, select")) {
      if (event.key === "Escape" && !event.isComposing) { event.preventDefault(); this.form.shut(); this.focus(); }
      if (event.key === "Enter" && event.target === this.search) this.focus();
      if (isOurs(event)) event.stopPropagation();
      return;
    }
    if (event.target.closest("button, summary") && ["Enter", " "].includes(event.key)) return;
    const command = exploreCommand(event);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    // Keys act in their order, also where a move waits for its rows: Escape after Enter closes what Enter opens.
    const run = () => (command.startsWith("scorer:") ? this.choose(Number(command.slice(7))) : this.commands()[command]());
    if (this.root.dataset.state === "ready") this.keys = this.keys.then(run).catch((error) => this.say(String(error), "error"));
    else run();
  }

  /** What the keys do; what takes time is returned, but for filters, which the next key need not wait for. */
  commands() {
    const { grid, pane } = this, rows = Math.max(1, Math.floor(grid.viewport / ROW) - 1), needsCase = (what) => (pane.isOpen && pane.answer ? what() : this.open());
    const page = (by) => (pane.isOpen ? pane.el.scrollBy({ top: by * (pane.el.clientHeight - 60) }) : this.moveTo(grid.cursor + by * rows));
    return {
      down: () => this.step(1), up: () => this.step(-1), next: () => this.step(1), previous: () => this.step(-1), first: () => this.moveTo(0), last: () => this.moveTo(this.state.total - 1), pageDown: () => page(1), pageUp: () => page(-1),
      open: () => this.open(), escape: () => this.escape(), flips: () => this.toggle("flips"), regressions: () => this.toggle("regressions"), mark: () => this.mark(grid.cursor), diff: () => needsCase(() => pane.toggleDiff()), trace: () => this.trace(),
      dataset: () => { this.actOnChosen("dataset"); }, labeling: () => { this.actOnChosen("labeling"); }, search: () => { this.search.focus(); this.search.select(); }, clear: () => this.clear(), copy: () => { this.copyId(); }, repeatBack: () => { needsCase(() => pane.again(-1)); }, repeatOn: () => { needsCase(() => pane.again(1)); }, help: () => this.toggleHelp(),
    };
  }

  async trace() {
    if (!this.pane.isOpen) {
      await this.moveTo(Math.max(0, this.grid.cursor));
      if (!this.cursorId) return;
      this.showPane(true);
    }
    if (this.pane.caseId !== this.cursorId) {
      clearTimeout(this.opening);
      await this.pane.open(this.cursorId);
    }
    if (this.pane.answer) this.pane.toggleTrace();
  }

  escape() {
    if (!this.help.hidden) this.help.hidden = true;
    else if (!this.form.el.hidden) this.form.shut();
    else if (this.pane.isOpen) this.closePane();
    else (this.root.closest(".jp-Cell") ?? this.root.parentElement)?.focus?.();
  }

  close() {
    EVAL_LEFT.set(this.model, { isOpen: this.pane.isOpen, pixels: this.grid.pixels, share: this.root.style.getPropertyValue("--lm-list") });
    for (const timer of [this.telling, this.opening, this.searching]) clearTimeout(timer);
    for (const undo of this.undo) undo();
    for (const part of [this.grid, this.status, this.channel]) part.close();
    this.root.remove();
  }
}

export default {
  render({ model, el }) {
    const view = new EvalExplorerView(model, el);
    return () => view.close();
  },
};
