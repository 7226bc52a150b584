// The board of failure modes: notes as cards, modes as columns; cards and columns are moved by keys or by dragging.

import { button, copy, count, h, icon, keyHelp, plural, swap } from "../kit/dom.js";
import { CardDrag } from "./drag.js";
import { ModeForm } from "./mode_form.js";
import { View, renders } from "../kit/view.js";
import { commandIn } from "../kit/keys.js";

const THEME_KEYS = [
  ["← → h l", "column"],
  ["↑ ↓ j k", "note"],
  ["x Space", "mark the note"],
  ["1 – 9", "into that mode"],
  ["0", "out of its mode"],
  ["m", "into a mode by its name"],
  ["n", "new mode of the notes"],
  ["s", "split the notes off"],
  ["r", "rename the mode"],
  ["c", "criteria of the mode"],
  ["g", "merge the mode into another"],
  ["Del", "remove the mode"],
  ["f", "find groups of notes"],
  ["a", "accept the group"],
  ["z", "take back the last act"],
  ["Enter", "whole note"],
  ["y", "copy as text"],
  ["R", "read again"],
  ["?", "these keys"],
  ["Esc", "close, then back to the notebook"],
];
const KNOWN_KEYS = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  h: "left",
  l: "right",
  k: "up",
  j: "down",
  Home: "first",
  End: "last",
  x: "mark",
  " ": "mark",
  0: "off",
  m: "move",
  n: "make",
  s: "split",
  r: "rename",
  c: "describe",
  g: "merge",
  Delete: "remove",
  f: "suggest",
  a: "accept",
  z: "undo",
  Enter: "expand",
  y: "copy",
  R: "refresh",
  "?": "help",
  Escape: "escape",
};

/** What a key means; digits are the places of modes. undefined leaves it to the page. */
export const themeCommand = (event) =>
  commandIn(event, KNOWN_KEYS) ??
  (/^[1-9]$/.test(event.key) ? commandIn(event, { [event.key]: `to${event.key}` }) : undefined);

/** Where the cursor is after a change: in its column if that is there, at the same height, else in the first one. */
export function placed(columns, { key, at }) {
  const column = columns.find((one) => one.key === key) ?? columns[0];
  return { key: column.key, at: Math.max(0, Math.min(at, column.cards.length - 1)) };
}

/** The versions of prompts without their names, which stand in the tooltip: "answer@2, route@1" is "v2, v1". */
export const shortRefs = (refs) =>
  refs
    .split(", ")
    .map((ref) => ref.replace(/^.*@/, "v"))
    .join(", ");

/** A share with its limits, as it is said beside a mode. */
export function shareText({ values, of, n, is_rate: isRate }) {
  const [share, low, high] = values.map((one) => (one === null ? null : `${(100 * one).toFixed(1)} %`));
  if (share === null) return "";
  const limits = low === null || high === null ? "" : ` (${low} – ${high})`;
  return `${share}${limits} of ${isRate ? `${of}, n ${count(n)}` : plural(n, "chosen item")}`;
}

export class ThemesBoard extends View {
  constructor(model, el) {
    super(model);
    Object.assign(this, { cursor: { key: "open", at: 0 }, marked: new Set(), open: new Set() });
    this.form = new ModeForm(
      this.host({ wait: (promise) => this.pending.add(promise), refused: () => this.keys.drop() }),
    );
    this.build(el);
    this.drag = new CardDrag(this.board, {
      notesOf: (card) => this.notesOf(card.dataset.note),
      drop: (given, column) => this.drop(given, column),
    });
    this.ask("hello");
  }

  build(el) {
    this.name = h("strong.lm-theme-queue");
    this.counts = h("span.lm-note");
    this.find = button("search", "groups", () => this.suggest(), { title: "find groups of notes  f" });
    this.back = button("undo", "undo", () => this.act("undo"), { title: "take back the last act  z" });
    this.bar = h(
      "div.lm-theme-bar",
      {},
      this.name,
      this.counts,
      h("span.lm-gap"),
      this.find,
      button("right", "move", () => this.move(), { title: "move the notes into a mode  m" }),
      button("add", "new mode", () => this.make(), { title: "new mode of the marked notes  n" }),
      this.back,
      button("refresh", "read again", () => this.ask("refresh"), { text: "", title: "read again  R" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    );
    this.board = h("div.lm-theme-board", { role: "list", "aria-label": "failure modes" });
    this.help = keyHelp(THEME_KEYS);
    this.summary = h("span");
    this.chosen = h("span.lm-theme-chosen");
    this.foot = h("div.lm-foot", {}, this.summary, this.chosen, h("span.lm-gap"));
    const attrs = { tabindex: 0, "data-lm": "feedback-themes", "data-state": "loading", "aria-label": "failure modes" };
    this.mount(el, h("div.lm-root", attrs, this.bar, this.form.el, this.board, this.foot, this.help));
    this.root.style.height = `${this.model.get("_height")}px`;
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  news(message) {
    this.state = message;
    const there = new Set(message.columns.flatMap((column) => column.cards.map((card) => card.note)));
    this.marked = new Set([...this.marked].filter((note) => there.has(note)));
    this.cursor = placed(message.columns, this.cursor);
    Object.assign(this.root.dataset, { state: "ready", notes: message.notes, modes: this.modes.length });
    this.name.textContent = message.queue;
    const all = plural(message.notes, "note"),
      sorted = count(message.notes - message.open);
    this.counts.textContent = `${all}, ${count(message.open)} to sort, ${plural(message.items, "item")} looked at`;
    this.summary.textContent = `${plural(this.modes.length, "mode")}, ${sorted} of ${all} sorted`;
    this.find.classList.toggle("lm-on", Boolean(message.suggested));
    this.find.setAttribute("aria-pressed", Boolean(message.suggested));
    const tops = new Map(
      [...this.board.children].map((el) => [el.dataset.key, el.querySelector(".lm-theme-cards")?.scrollTop]),
    );
    swap(this.board, ...message.columns.map((column, i) => this.column(column, i)), this.lastColumn());
    for (const el of this.board.children) {
      const cards = el.querySelector(".lm-theme-cards");
      if (cards && tops.get(el.dataset.key)) cards.scrollTop = tops.get(el.dataset.key);
    }
    this.point();
    if (message.said) this.say(message.said, "done", message.reason === "suggest");
  }

  get modes() {
    return this.state.columns.filter((column) => column.mode !== null);
  }

  column(column) {
    const isMode = column.mode !== null,
      isGroup = column.suggestion !== null,
      place = isMode ? this.modes.indexOf(column) + 1 : 0,
      kind = isMode ? "lm-theme-mode" : isGroup ? "lm-theme-group" : "lm-theme-open";
    return h(
      `section.lm-theme-column.${kind}`,
      { "data-key": column.key, "data-mode": column.mode, role: "listitem", "aria-label": column.name },
      h(
        "header.lm-theme-head",
        { title: isMode ? "drag onto another mode to merge" : null },
        h(
          "div.lm-theme-title",
          {},
          isGroup ? icon("search") : place < 10 ? h("kbd", { "aria-hidden": "true" }, place) : null,
          h("b", { title: column.name }, column.name),
          h("span.lm-gap"),
          h("span.lm-theme-count", { title: plural(column.items, "item") }, count(column.notes)),
        ),
        isMode ? this.figures(column) : null,
        column.criteria ? h("div.lm-theme-criteria", { title: column.criteria }, column.criteria) : null,
        isMode ? this.tools(column) : isGroup ? this.accepting(column) : this.opening(column),
      ),
      h(
        "div.lm-theme-cards",
        {},
        column.cards.map((card) => this.card(card)),
        column.hidden
          ? button("down", `${count(column.hidden)} more`, () => this.ask("more", { column: column.key }))
          : null,
        column.cards.length ? null : h("p.lm-theme-empty", {}, this.emptiness(column)),
      ),
    );
  }

  emptiness(column) {
    if (column.mode !== null) return "No notes. Drag some here, or press its number.";
    return this.state.notes ? "Every note is sorted." : "Raters wrote no notes on what fails yet.";
  }

  figures({ share }) {
    if (!share || share.values[0] === null) return null;
    const [value, low, high] = share.values,
      at = (one) => `${100 * one}%`,
      whisker = h("i.lm-theme-whisker"),
      dot = h("i.lm-theme-dot");
    dot.style.left = at(value);
    whisker.style.left = at(low ?? value);
    whisker.style.right = at(1 - (high ?? value));
    return h(
      "div.lm-theme-share",
      { title: share.is_rate ? "share of the traffic" : "share of the items that were chosen: no rate of the traffic" },
      h("div.lm-theme-scale", { "aria-hidden": "true" }, whisker, dot),
      h("span.lm-note", {}, shareText(share)),
    );
  }

  tools(column) {
    const tool = (text, title, run) => button("", text, () => run(column), { title, cls: "lm-theme-tool" });
    return h(
      "div.lm-theme-tools",
      {},
      tool("rename", "rename  r", (one) => this.rename(one)),
      tool("criteria", "how it is told from others  c", (one) => this.describe(one)),
      tool("merge", "merge into another mode  g", (one) => this.merge(one)),
      tool("remove", "remove; its notes are to be sorted again  Del", (one) => this.act("remove", { mode: one.mode })),
    );
  }

  accepting(column) {
    const accept = button("ok", "make a mode", () => this.accept(column), {
      title: "make a mode of this group  a",
      cls: "lm-main-button",
    });
    return h("div.lm-theme-tools", {}, accept, h("span.lm-note", {}, "suggested"));
  }

  opening() {
    const { suggested } = this.state;
    if (!suggested) return null;
    const width = suggested.silhouette === null ? "" : `, silhouette ${suggested.silhouette.toFixed(2)}`;
    return h(
      "div.lm-note.lm-theme-by",
      {},
      `${plural(suggested.groups, "group")} by ${suggested.by}${width}; these are like no other`,
    );
  }

  card(card) {
    const facts = [
        [card.version && shortRefs(card.version), card.version],
        [card.model, card.model],
        [card.topic, card.topic],
      ].filter(([text]) => text),
      isFail = card.verdict === "fail",
      marks = (this.marked.has(card.note) ? ".lm-marked" : "") + (this.open.has(card.note) ? ".lm-whole" : "");
    return h(
      `article.lm-theme-card${marks}`,
      { "data-note": card.note, onclick: (event) => this.clicked(event, card.note) },
      h("div.lm-theme-words", {}, card.words),
      h(
        "div.lm-theme-facts",
        {},
        card.verdict ? h(`span.lm-theme-verdict${isFail ? ".lm-s-error" : ""}`, {}, card.verdict) : null,
        h("span", { title: `item ${card.position}${card.trace ? `, trace ${card.trace}` : ""}` }, `#${card.position}`),
        h("span.lm-theme-rater", { title: card.rater }, card.rater),
        facts.map(([text, title]) =>
          h(`span.lm-theme-fact${text.length < 5 ? ".lm-theme-short" : ""}`, { title }, text),
        ),
        h("span.lm-gap"),
        this.marker(card.note),
      ),
    );
  }

  /** What marks a note where there are no keys. */
  marker(note) {
    const isOn = this.marked.has(note),
      options = { text: "", title: "mark  x", cls: "lm-theme-marker" },
      el = button(isOn ? "marked" : "mark", "mark", () => this.toggleMark(note), options);
    el.setAttribute("aria-pressed", isOn);
    return el;
  }

  lastColumn() {
    const add = button("add", "new mode", () => this.make(), { title: "new mode of the marked notes  n" });
    return h(
      "section.lm-theme-column.lm-theme-new",
      { "data-key": "new" },
      add,
      h("span.lm-note", {}, "or drop notes here"),
    );
  }

  // -- where one is ------------------------------------------------------------------------------------------------

  get here() {
    return this.state.columns.find((column) => column.key === this.cursor.key);
  }

  get card_() {
    return this.here.cards[this.cursor.at];
  }

  /** The notes that an act is on: those marked, else the one at the cursor. */
  notesOf(note = this.card_?.note) {
    if (this.marked.size && (note === undefined || this.marked.has(note) || note === this.card_?.note))
      return [...this.marked];
    return note === undefined ? [] : [note];
  }

  point(isFar = false) {
    for (const el of this.board.querySelectorAll(".lm-cursor, .lm-here")) el.classList.remove("lm-cursor", "lm-here");
    const column = [...this.board.children].find((el) => el.dataset.key === this.cursor.key);
    column?.classList.add("lm-here");
    const card = column?.querySelectorAll(".lm-theme-card")[this.cursor.at];
    card?.classList.add("lm-cursor");
    if (isFar) (card ?? column)?.scrollIntoView({ block: "nearest", inline: "nearest" });
    Object.assign(this.root.dataset, {
      column: this.cursor.key,
      note: this.card_?.note ?? "",
      marked: this.marked.size,
    });
    this.chosen.textContent = this.marked.size ? `${count(this.marked.size)} marked` : "";
  }

  across(by) {
    const { columns } = this.state,
      next = columns[columns.indexOf(this.here) + by];
    if (next) this.go({ key: next.key, at: this.cursor.at });
  }

  along(by) {
    this.go({ key: this.cursor.key, at: this.cursor.at + by });
  }

  go(cursor) {
    this.cursor = placed(this.state.columns, cursor);
    this.point(true);
  }

  clicked(event, note) {
    if (this.drag.justDragged || event.target.closest("button")) return;
    const column = this.state.columns.find((one) => one.cards.some((card) => card.note === note));
    this.cursor = { key: column.key, at: column.cards.findIndex((card) => card.note === note) };
    if (event.ctrlKey || event.metaKey || event.shiftKey) this.mark();
    else this.point();
  }

  mark() {
    if (this.card_) this.toggleMark(this.card_.note);
  }

  toggleMark(note) {
    if (!this.marked.delete(note)) this.marked.add(note);
    this.showMarks();
  }

  unmark() {
    this.marked.clear();
    this.showMarks();
  }

  showMarks() {
    for (const el of this.board.querySelectorAll(".lm-theme-card")) {
      const isOn = this.marked.has(el.dataset.note);
      if (el.classList.toggle("lm-marked", isOn) !== (el.querySelector("[aria-pressed=true]") !== null))
        el.querySelector(".lm-theme-marker").replaceWith(this.marker(el.dataset.note));
    }
    this.point();
  }

  expand() {
    const note = this.card_?.note;
    if (note === undefined) return;
    if (!this.open.delete(note)) this.open.add(note);
    this.board.querySelector(".lm-cursor")?.classList.toggle("lm-whole", this.open.has(note));
  }

  // -- acts --------------------------------------------------------------------------------------------------------

  /** Do something with the modes; the marks are gone when it is done. */
  act(kind, params = {}) {
    return this.pending.add(this.acted(kind, params));
  }

  async acted(kind, params) {
    const answer = await this.ask(kind, params);
    if (answer && params.notes) this.unmark();
    return answer;
  }

  to(number, notes = this.notesOf()) {
    const mode = this.modes[number - 1];
    if (!notes.length || (number && !mode)) {
      this.say(notes.length ? `there is no mode ${number}` : "there is no note to move");
      return undefined;
    }
    return this.act("move", { notes, to: number ? mode.mode : null });
  }

  move() {
    const notes = this.notesOf();
    if (!notes.length) return;
    this.form.open({
      title: `Move ${plural(notes.length, "note")}`,
      label: "mode",
      go: "Move",
      names: this.names(),
      send: (to) => this.form.ask("move", { notes, to }),
      done: () => this.unmark(),
    });
  }

  make(notes = this.notesOf()) {
    const what = notes.length ? `of ${plural(notes.length, "note")}` : "without notes";
    this.form.open({
      title: `New mode ${what}`,
      label: "name",
      go: "Make",
      send: (name) => this.form.ask("make", { notes, name }),
      done: () => this.unmark(),
    });
  }

  split() {
    if (this.here.mode === null) this.say("these notes are in no mode: n makes one of them");
    else this.make();
  }

  names(but = null) {
    return this.modes.filter((mode) => mode.mode !== but).map((mode) => mode.name);
  }

  withMode(run) {
    if (this.here.mode === null) this.say("the cursor is in no mode");
    else run.call(this, this.here);
  }

  rename({ mode, name }) {
    this.form.open({
      title: "Rename the mode",
      label: "name",
      value: name,
      go: "Rename",
      send: (words) => this.form.ask("rename", { mode, name: words }),
    });
  }

  describe({ mode, name, criteria }) {
    this.form.open({
      title: `How “${name}” is told from others`,
      label: "criteria",
      value: criteria ?? "",
      go: "Keep",
      isArea: true,
      send: (words) => this.form.ask("describe", { mode, criteria: words }),
    });
  }

  merge({ mode, name }) {
    const names = this.names(mode);
    if (!names.length) this.say("there is no other mode");
    else
      this.form.open({
        title: `Merge “${name}” into`,
        label: "mode",
        go: "Merge",
        names,
        send: (into) => this.form.ask("merge", { mode, into }),
      });
  }

  suggest() {
    return this.act("suggest", { on: !this.state.suggested });
  }

  accept(column) {
    if (column.suggestion === null) this.say("the cursor is in no suggested group");
    else
      this.form.open({
        title: `Make a mode of ${plural(column.notes, "note")}`,
        label: "name",
        value: column.name,
        go: "Make",
        send: (name) => this.form.ask("accept", { place: column.suggestion, name }),
      });
  }

  /** What was dragged onto a column: notes, or a mode that becomes part of it. */
  drop({ notes, mode }, key) {
    const column = this.state.columns.find((one) => one.key === key);
    if (mode !== undefined) {
      if (column?.mode && column.mode !== mode) this.act("merge", { mode, into: column.mode });
    } else if (key === "new") this.make(notes);
    else if (column?.suggestion === null) this.act("move", { notes, to: column.mode });
  }

  async copyText() {
    this.focus();
    const answer = await this.ask("text");
    if (answer)
      this.say(
        (await copy(answer.text, this.root)) ? "copied as text" : "this page may not copy; .text has it",
        "done",
      );
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  commandOf(key) {
    return themeCommand(key);
  }

  /** Acts wait for those before them: what the cursor is on is known when the board is drawn anew. */
  needed() {
    return this.pending.all;
  }

  commands() {
    const places = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((place) => [`to${place}`, () => this.to(place)]));
    return {
      ...places,
      left: () => this.across(-1),
      right: () => this.across(1),
      up: () => this.along(-1),
      down: () => this.along(1),
      first: () => this.along(-Infinity),
      last: () => this.go({ key: this.cursor.key, at: this.here.cards.length }),
      mark: () => this.mark(),
      off: () => this.to(0),
      move: () => this.move(),
      make: () => this.make(),
      split: () => this.split(),
      rename: () => this.withMode(this.rename),
      describe: () => this.withMode(this.describe),
      merge: () => this.withMode(this.merge),
      remove: () => this.withMode(({ mode }) => this.act("remove", { mode })),
      suggest: () => this.suggest(),
      accept: () => this.accept(this.here),
      undo: () => this.act("undo"),
      expand: () => this.expand(),
      copy: () => this.copyText(),
      refresh: () => this.act("refresh"),
      help: () => this.toggleHelp(),
      escape: () => this.escape(),
    };
  }

  shut() {
    if (this.form.shut()) return true;
    if (!this.marked.size) return false;
    this.unmark();
    return true;
  }

  close() {
    super.close(this.drag);
  }
}

export default renders(ThemesBoard);
