// The eval explorer: runs by cases, what all of them say beside it, or one case in full.

import { ROW, button, count, h, icon, plural, swap } from "../kit/dom.js";
import { CasePane } from "./case.js";
import { CaseGrid, scoreText } from "./grid.js";
import { Overview, aloneOf } from "./panels.js";
import { commandIn } from "../kit/keys.js";
import { ListView } from "../kit/list_view.js";
import { renders } from "../kit/view.js";

const EVAL_KEYS = [
  ["j k ↓ ↑", "next, previous case"],
  ["Enter", "open the case"],
  ["Esc", "close, leave the explorer"],
  ["[ ]", "previous, next case"],
  ["r", "only regressions, all"],
  ["f", "only flips, all"],
  ["1 … 9", "choose the scorer"],
  ["d", "mark the words that differ"],
  ["t", "trace of the case"],
  ["p", "steps of the case: its calls of tools"],
  [", .", "previous, next repeat"],
  ["space A", "mark the case, all of the list"],
  ["h", "to the headings"],
  ["a", "add the marked ones, or all, to a dataset"],
  ["l", "send them to labeling"],
  ["u", "take that back"],
  ["/", "find in answers and reasons, or in ids and inputs"],
  ["c", "clear the filters"],
  ["y", "copy the case id"],
  ["g G", "first, last case"],
  ["PgUp PgDn", "a page of the list or the case"],
  ["?", "these keys"],
];

/** What a key means; undefined leaves it to the page. */
export const exploreCommand = (event) =>
  commandIn(event, {
    ...Object.fromEntries([..."123456789"].map((digit) => [digit, `scorer:${digit}`])),
    j: "down",
    ArrowDown: "down",
    k: "up",
    ArrowUp: "up",
    "]": "next",
    "[": "previous",
    Enter: "open",
    Escape: "escape",
    f: "flips",
    r: "regressions",
    " ": "mark",
    A: "all",
    h: "heads",
    "Shift+ArrowDown": "markDown",
    "Shift+ArrowUp": "markUp",
    d: "diff",
    t: "trace",
    p: "steps",
    a: "dataset",
    l: "labeling",
    u: "undo",
    "/": "search",
    c: "clear",
    y: "copy",
    g: "first",
    G: "last",
    Home: "first",
    End: "last",
    PageDown: "pageDown",
    PageUp: "pageUp",
    ",": "repeatBack",
    ".": "repeatOn",
    "?": "help",
  });

export class EvalExplorerView extends ListView {
  get noun() {
    return "case";
  }

  filter(change) {
    return this.ask("filter", change);
  }

  build(el) {
    this.list = new CaseGrid(this.listHost());
    this.pane = new CasePane(
      this.host({
        onClose: () => this.closePane(),
        onMove: (by) => this.step(by),
        onMark: () => this.mark(this.list.cursor),
        isMarked: (id) => this.isMarked(id),
        onAction: (name) => this.act(name, { ids: [this.pane.caseId] }, "this case"),
      }),
    );
    this.overview = new Overview(this.host({ filter: (change) => this.filter(change) }));
    this.tabs = h("div.lm-tabs", { role: "radiogroup", "aria-label": "scorer" });
    this.pair = h("div.lm-pair");
    this.regressions = button("down", "only regressions", () => this.toggle("regressions"), {
      title: "only cases that became worse  r",
    });
    this.flips = button("refresh", "only flips", () => this.toggle("flips"), {
      title: "only cases that pass in one of both runs  f",
    });
    this.passAt = h("input.lm-pass-at", {
      type: "number",
      step: "any",
      "aria-label": "pass at",
      onchange: () => this.filter({ pass_at: this.passAt.value === "" ? null : Number(this.passAt.value) }),
    });
    this.passLabel = h(
      "label.lm-pass",
      { title: "from which score on a case passes (up to which, where less is better)" },
      h("span"),
      this.passAt,
    );
    this.search = h("input.lm-search", {
      type: "text",
      maxlength: 1_000,
      "aria-label": "find",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.searchSoon(),
      onblur: () => this.settle(),
    });
    this.scope = h(
      "select.lm-scope",
      { "aria-label": "where to find it", title: "where the words are looked for", onchange: () => this.moved() },
      h("option", { value: "said" }, "answers"),
      h("option", { value: "text" }, "inputs"),
    );
    this.moved();
    this.chips = h("div.lm-chips");
    this.bar = h(
      "div.lm-bar-top",
      {},
      this.tabs,
      h("span.lm-gap"),
      this.pair,
      button("refresh", "refresh", () => this.ask("refresh"), { text: "", title: "read the runs again" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    );
    this.tools = h(
      "div.lm-bar-top.lm-bar-tools",
      {},
      this.regressions,
      this.flips,
      this.passLabel,
      h("span.lm-searchbox", {}, icon("search"), this.search, this.scope),
      this.chips,
    );
    this.main = h(
      "div.lm-main",
      {},
      h("div.lm-list", {}, this.list.el),
      this.split,
      h("div.lm-side", {}, this.overview.el, this.pane.el),
    );
    this.frame(el, "eval-explorer", EVAL_KEYS, this.bar, this.tools, this.main);
  }

  // -- news from Python --------------------------------------------------------------------------------------------

  drawState() {
    this.root.dataset.scorer = this.state.scorer;
    this.drawBars();
    swap(
      this.list.empty,
      h("strong", {}, this.state.all ? "No case matches" : "No case yet"),
      this.state.all
        ? h(
            "div.lm-empty-ways",
            {},
            this.state.said && !this.state.text
              ? button("search", `find “${this.state.said}” in ids and inputs`, () =>
                  this.filter({ said: "", text: this.state.said }),
                )
              : null,
            button("close", "clear the filters", () => this.clear()),
          )
        : h("p", {}, "the run has no finished case"),
    );
  }

  /** The case under the cursor stays in sight, and what is open is read again: its runs may be others. */
  async newList(_place, before) {
    const { list, pane } = this;
    list.drawHead();
    const placeOf = await this.locate();
    if (!placeOf) return;
    list.cursor = this.cursorId ? placeOf(this.cursorId) : -1;
    list.reset(
      !before ? (this.left?.pixels ?? 0) : list.cursor < 0 ? 0 : Math.max(0, list.cursor * ROW - list.viewport / 3),
    );
    if (!pane.isOpen || !this.cursorId) this.overview.draw();
    else if (before) pane.open(this.cursorId, pane.caseId === this.cursorId ? pane.repeat : 0);
  }

  drawMarks() {
    super.drawMarks();
    this.pane.drawMark();
  }

  takeOver() {
    if (this.left?.isOpen && this.cursorId) this.open();
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  drawBars() {
    const { state } = this,
      isPair = state.b !== null;
    swap(
      this.tabs,
      ...state.scorers.map((one, i) => {
        const isOn = one.name === state.scorer,
          a = one.means[state.a],
          b = isPair ? one.means[state.b] : null,
          isWorse = isPair && a !== null && b !== null && (one.higher_is_better ? a < b : a > b);
        return h(
          `button.lm-tab${isOn ? ".lm-on" : ""}`,
          {
            type: "button",
            role: "radio",
            "aria-checked": isOn,
            "data-scorer": one.name,
            title: isPair
              ? [`${one.name}  ${i < 9 ? i + 1 : ""}`, `means of ${plural(one.n[state.a], "pair")}`, aloneOf(one)]
                  .filter(Boolean)
                  .join("\n")
              : `${one.name}  ${i < 9 ? i + 1 : ""}`,
            onclick: () => this.filter({ scorer: one.name }),
          },
          h("span", {}, one.name),
          h(
            `span.lm-tab-mean${isWorse ? ".lm-worse" : ""}`,
            {},
            isPair ? `${scoreText(b)} → ${scoreText(a)}` : scoreText(a),
          ),
          isPair && aloneOf(one)
            ? h("span.lm-tab-alone", {}, icon("warn"), `+${count(one.alone[0] + one.alone[2])}`)
            : null,
        );
      }),
      ...(state.scorers.length ? [] : [h("span.lm-note", {}, "these runs have no scorer")]),
    );
    this.drawPair();
    const alone = state.worse - state.lower;
    for (const [el, name, text] of [
      [this.regressions, "regressions", `${count(state.lower)} worse${alone ? `, ${count(alone)} one-sided` : ""}`],
      [this.flips, "flips", state.pass_at === null ? "" : `${count(state.lost)} lost, ${count(state.gained)} gained`],
    ]) {
      el.hidden = !isPair;
      el.classList.toggle("lm-on", state[name]);
      el.setAttribute("aria-pressed", state[name]);
      el.disabled = name === "flips" && state.pass_at === null;
      swap(
        el,
        el.querySelector("svg"),
        h("span", {}, name === "flips" ? "only flips" : "only regressions"),
        h("span.lm-note", {}, text),
      );
    }
    const scorer = state.scorers.find((one) => one.name === state.scorer);
    this.passLabel.hidden = !scorer;
    this.passLabel.firstChild.textContent = scorer?.higher_is_better === false ? "pass ≤" : "pass ≥";
    if (document.activeElement !== this.passAt) this.passAt.value = state.pass_at ?? "";
    const chip = (text, change) =>
      h(
        "span.lm-chip",
        {},
        h("span", { title: text }, text),
        h(
          "button.lm-chip-close",
          { type: "button", "aria-label": `remove ${text}`, onclick: () => this.filter(change) },
          icon("close"),
        ),
      );
    const { cell, slice } = state,
      nameOf = (side) => (side === "runs" ? names[0] : side.replace(/^label:/, "")),
      names = isPair ? [state.runs[state.b].short, state.runs[state.a].short] : ["", state.runs[state.a].short];
    swap(
      this.chips,
      ...[
        cell &&
          chip(
            cell[0] === "run" ? `${names[1]} ${cell[2]}` : `${nameOf(cell[0])} ${cell[1]} · ${names[1]} ${cell[2]}`,
            { cell: null },
          ),
        slice && chip(`${slice[0]} = ${slice[1]}`, { slice: null }),
        state.said && chip(`“${state.said}” in answers`, { said: "" }),
        state.text && chip(`“${state.text}” in inputs`, { text: "" }),
      ].filter(Boolean),
    );
  }

  /** Which run is judged and which is the baseline; with two runs there is nothing to choose but the direction. */
  drawPair() {
    const { state } = this,
      run = (i) => state.runs[i];
    const choose = (name, title) => {
      const select = h(
        "select.lm-select",
        {
          "aria-label": title,
          title,
          onchange: () => {
            const to = Number(select.value),
              other = name === "a" ? "b" : "a";
            this.filter(to === state[other] ? { [name]: to, [other]: state[name] } : { [name]: to });
          },
        },
        state.runs.map((one, i) => h("option", { value: i }, one.short)),
      );
      select.value = String(state[name]);
      return select;
    };
    if (state.b === null) swap(this.pair, h("b", {}, run(state.a).label), h("span.lm-note", {}, run(state.a).dataset));
    else if (state.runs.length === 2)
      swap(
        this.pair,
        h("span", { title: `baseline: ${run(state.b).label}` }, run(state.b).label),
        button("right", "turn around", () => this.filter({ a: state.b, b: state.a }), {
          text: "",
          title: "judge the other run",
        }),
        h("b", { title: "judged" }, run(state.a).label),
        h("span.lm-note", {}, run(state.a).dataset),
      );
    else
      swap(
        this.pair,
        choose("b", "baseline"),
        icon("right"),
        choose("a", "judged"),
        h("span.lm-note", {}, run(state.a).dataset),
      );
  }

  drawSummary() {
    const { state } = this;
    const shown =
        state.total === state.all ? plural(state.all, "case") : `${count(state.total)} of ${plural(state.all, "case")}`,
      running = state.runs.filter((one) => one.cases < one.planned),
      failed = state.runs.reduce((sum, one) => sum + one.errors, 0);
    swap(
      this.summary,
      ...[
        h("b", {}, shown),
        h("span", {}, plural(state.runs.length, "run")),
        failed ? h("span.lm-s-error", {}, icon("error"), `${count(failed)} failed`) : null,
        running.length
          ? h(
              "span",
              { title: running.map((one) => `${one.label}: ${count(one.cases)} of ${count(one.planned)}`).join("\n") },
              `${plural(running.length, "run")} not complete`,
            )
          : null,
      ].filter(Boolean),
    );
  }

  // -- what the reader does ----------------------------------------------------------------------------------------

  sort(name) {
    const { state } = this,
      scorer = state.scorers.find((one) => one.name === state.scorer);
    const isFirstDown = name.startsWith("run:") && scorer?.higher_is_better === false;
    this.filter({ sort: name, descending: state.sort === name ? !state.descending : isFirstDown });
  }

  toggle(name) {
    const { state } = this;
    if (state.b === null) this.say("there is one run only: ws.evals.explore(run, baseline) shows two");
    else if (name === "flips" && state.pass_at === null)
      this.say(`say from which score on a case passes: “pass ≥” is empty for ${state.scorer}`);
    else this.filter({ [name]: !state[name] });
  }

  searchSoon() {
    clearTimeout(this.searching);
    this.searching = setTimeout(() => this.searchNow(), 160);
  }

  /** Show what the words in the field find, unless that was asked for. */
  searchNow() {
    if (!this.searching) return;
    this.searching = clearTimeout(this.searching);
    this.filter({ [this.scope.value]: this.search.value });
  }

  /** The field is about another part of the filter: it shows the words of that one, and what it may be asked. */
  moved() {
    const isSaid = this.scope.value === "said";
    this.search.placeholder = isSaid ? "find in answers and reasons  /" : "find in ids and inputs  /";
    if (document.activeElement === this.scope) this.find();
  }

  find() {
    this.search.value = this.state[this.scope.value];
    this.search.focus();
    this.search.select();
  }

  /** What was typed is a chip now: the field is empty for other words. */
  settle() {
    this.searchNow();
    this.search.value = "";
  }

  clear() {
    this.searching = clearTimeout(this.searching);
    this.search.value = "";
    this.filter({ clear: true });
  }

  choose(number) {
    const scorer = this.state.scorers[number - 1];
    if (scorer) this.filter({ scorer: scorer.name });
    else
      this.say(
        `there ${this.state.scorers.length === 1 ? "is one scorer" : `are ${this.state.scorers.length} scorers`}`,
      );
  }

  async open() {
    if (!this.cursorId || this.list.cursor < 0) await this.moveTo(Math.max(0, this.list.cursor));
    if (!this.cursorId) return;
    this.showPane(true);
    this.pane.open(this.cursorId);
  }

  showPane(isShown) {
    this.pane.el.hidden = !isShown;
    this.overview.el.hidden = isShown;
    this.root.classList.toggle("lm-with-case", isShown);
    this.list.layout();
    if (this.list.cursor >= 0) this.list.reveal(this.list.cursor);
    if (!isShown) this.overview.draw();
  }

  closePane() {
    this.showPane(false);
    this.focus();
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  fieldKey(event, field) {
    if (event.key === "Enter" && !event.isComposing && field === this.search) this.leave();
    super.fieldKey(event, field);
  }

  /** Enter and Escape in a field go back to the rows; those of the words in it. */
  leave() {
    this.searchNow();
    super.leave();
  }

  commandOf(key) {
    return exploreCommand(key);
  }

  needOf(command) {
    return this.pane.isOpen && command.startsWith("page") ? "open" : super.needOf(command);
  }

  commands() {
    const { pane } = this,
      withCase = (what) => (pane.isOpen && pane.answer ? what() : this.open()),
      scroll = (by) => pane.el.scrollBy({ top: by * (pane.el.clientHeight - 60) });
    const scorers = Object.fromEntries(
      [..."123456789"].map((digit) => [`scorer:${digit}`, () => this.choose(Number(digit))]),
    );
    return {
      ...super.commands(),
      ...scorers,
      ...(pane.isOpen && {
        pageDown: () => {
          scroll(1);
        },
        pageUp: () => {
          scroll(-1);
        },
      }),
      flips: () => this.toggle("flips"),
      regressions: () => this.toggle("regressions"),
      clear: () => this.clear(),
      search: () => this.find(),
      diff: () => withCase(() => pane.toggleDiff()),
      trace: () => this.trace(),
      steps: () => withCase(() => pane.toggleSteps()),
      repeatBack: () => withCase(() => pane.again(-1)),
      repeatOn: () => withCase(() => pane.again(1)),
    };
  }

  async trace() {
    if (!this.pane.isOpen) await this.open();
    await this.pane.busy.all;
    if (this.pane.isOpen && this.pane.caseId === this.cursorId) await this.pane.toggleTrace();
  }

  shut() {
    if (!this.form.el.hidden) this.form.shut();
    else if (this.pane.isOpen) this.closePane();
    else return false;
    return true;
  }

  close() {
    clearTimeout(this.searching);
    super.close({});
  }
}

export default renders(EvalExplorerView);
