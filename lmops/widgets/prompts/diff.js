// The prompt diff: two versions side by side or inline, settings and variables above, aliases moved from here.

import { button, exact, h, icon, keyHelp, plural, swap } from "../kit/dom.js";
import { MoveForm } from "./moves.js";
import { KIND_SIGNS, KIND_WORDS, PromptRows } from "./rows.js";
import { ReadingView, readingCommand } from "../kit/reading.js";
import { renders } from "../kit/view.js";

const DIFF_KEYS = [
  ["n p", "next, previous difference"],
  ["s", "side by side, inline"],
  ["w", "wrap long lines"],
  ["u", "unfold what did not change"],
  ["x", "swap the versions"],
  ["↑ ↓", "scroll"],
  ["PgUp PgDn", "a page"],
  ["y", "copy the difference as text"],
  ["?", "these keys"],
  ["Esc", "close, then back to the notebook"],
];

/** What a key means; undefined leaves it to the page. */
export const diffCommand = (event) => readingCommand(event, { s: "side", w: "wrap", u: "unfold", x: "swap" });

/** The differences one jumps between: -1 is the settings, then each place in the text. */
export const stopsOf = (state) => [...(state.changes.length ? [-1] : []), ...state.hunks.keys()];

export class PromptDiffView extends ReadingView {
  constructor(model, el) {
    super(model);
    Object.assign(this, { noun: "difference", overlap: 40, stop: null });
    this.rows = new PromptRows(this.host());
    this.moves = new MoveForm(this.host());
    this.reader = this.rows.el;
    this.build(el);
    this.ask("hello");
  }

  build(el) {
    this.name = h("strong.lm-diff-name");
    this.pickers = ["left", "right"].map((side) =>
      h("select.lm-select", {
        "aria-label": side === "left" ? "old version" : "new version",
        onchange: () => this.pick(),
      }),
    );
    this.wrap = button("", "wrap long lines", () => this.toggleWrap(), {
      text: "wrap",
      title: "wrap long lines  w",
      cls: "lm-on",
    });
    this.place = h("span.lm-diff-place", { "aria-live": "polite" });
    this.promote = button("", "promote", () => this.moves.open("promote", this.state.right), {
      text: "Promote…",
      cls: "lm-act",
    });
    this.rollback = this.rollbackButton();
    this.help = keyHelp(DIFF_KEYS);
    this.bar = h(
      "div.lm-bar-top",
      {},
      this.name,
      this.pickers[0],
      icon("right"),
      this.pickers[1],
      this.twoWays("layout", ["side by side", "inline"], (isInline) => this.choose(isInline)),
      this.wrap,
      h("span.lm-gap"),
      h(
        "span.lm-diff-steps",
        {},
        button("up", "previous difference  p", () => this.step(-1), { text: "" }),
        this.place,
        button("down", "next difference  n", () => this.step(1), { text: "" }),
      ),
      this.promote,
      this.rollback,
      this.barEnd(),
    );
    this.heads = h("div.lm-diff-heads");
    this.settings = h("div.lm-diff-settings");
    this.variables = h("div.lm-diff-vars");
    this.empty = h("div.lm-empty", { hidden: true });
    this.rows.space.before(this.heads, this.settings, this.variables, this.empty);
    this.summary = h("span.lm-summary-line");
    this.foot = h("div.lm-foot", {}, this.summary, h("span.lm-gap"));
    this.mount(
      el,
      h(
        "div.lm-root.lm-diff.lm-wrapped",
        { tabindex: 0, "data-lm": "prompt-diff", "data-state": "loading", "aria-label": "prompt diff" },
        this.bar,
        this.moves.el,
        this.rows.el,
        this.foot,
        this.help,
      ),
    );
    // A short difference takes no more room than it needs; the form of a move has to fit.
    this.root.style.maxHeight = `${this.model.get("_height")}px`;
    this.root.style.minHeight = `${Math.min(320, this.model.get("_height"))}px`;
    this.mode(false);
    // Two columns need room; who chose otherwise is left alone.
    this.sizes = new ResizeObserver(([seen]) => {
      const isNarrow = seen.contentRect.width < 720;
      if (!this.isChosen && seen.contentRect.width && isNarrow !== this.rows.isInline) this.mode(isNarrow);
    });
    this.sizes.observe(this.root);
  }

  // -- news from Python --------------------------------------------------------------------------------------------

  news(message, mine) {
    const before = this.state;
    this.state = message;
    Object.assign(this.root.dataset, {
      state: "ready",
      rev: message.rev,
      hunks: message.hunks.length,
      left: message.left,
      right: message.right,
      total: 0,
    });
    this.drawBar();
    if (!before || before.rev !== message.rev) {
      this.rows.reset();
      this.stop = null;
      this.drawSettings();
      this.rows.draw();
      this.rows.el.scrollTop = 0;
    }
    this.drawPlace();
    this.told(message, mine);
  }

  drawBar() {
    const { state } = this,
      [left, right] = ["left", "right"].map((side) => state.versions.find((one) => one.version === state[side]));
    this.name.textContent = state.name;
    this.pickers.forEach((picker, i) => {
      const now = i ? state.right : state.left;
      swap(
        picker,
        ...state.versions.map((one) =>
          h(
            "option",
            { value: one.version, selected: one.version === now },
            [`v${one.version}`, ...one.aliases].join(" · "),
          ),
        ),
      );
      picker.value = now;
    });
    swap(
      this.heads,
      ...[left, right].map((one, i) =>
        h(
          "div.lm-diff-head",
          {},
          h("b", {}, `v${one.version}`),
          one.aliases.map((alias) => h("span.lm-alias", {}, icon("label"), alias)),
          h("span.lm-diff-note", { title: one.note ?? "" }, one.note ?? ""),
          h("span.lm-note", {}, `${one.author}, ${exact(one.created_ms).slice(0, 16)} UTC`),
          i ? null : "",
        ),
      ),
    );
    const { stats } = state,
      bits = [
        [stats.changed, "~", "changed"],
        [stats.added, "+", "added"],
        [stats.removed, "−", "removed"],
      ].filter(([n]) => n);
    swap(
      this.summary,
      h("b", {}, state.is_empty ? "no difference" : plural(this.stops().length, "difference")),
      ...bits.map(([n, sign, what]) => h(`span.lm-kind-${what}`, {}, `${sign} ${plural(n, "line")} ${what}`)),
      stats.settings ? h("span", {}, `${plural(stats.settings, "setting")} changed`) : "",
    );
    this.drawRollback();
    this.promote.disabled = Boolean(state.refused);
    this.promote.title = state.refused || `promote v${state.right}`;
  }

  drawSettings() {
    const { state } = this;
    swap(
      this.settings,
      ...state.changes.map(([kind, path, before, after]) =>
        h(
          "div.lm-setting",
          { "data-kind": KIND_WORDS[kind] },
          h(`span.lm-diff-sign.lm-kind-${KIND_WORDS[kind]}`, {}, KIND_SIGNS[kind]),
          h("span.lm-setting-path", {}, path),
          h(
            "span.lm-setting-values",
            {},
            before === null ? "" : h("del", {}, before),
            before !== null && after !== null ? icon("right") : "",
            after === null ? "" : h("ins", {}, after),
          ),
        ),
      ),
    );
    this.settings.hidden = !state.changes.length;
    swap(
      this.variables,
      h("span.lm-note", {}, "variables"),
      ...state.variables.map(([name, kind]) =>
        h(
          `span.lm-var.lm-kind-${KIND_WORDS[kind]}`,
          { title: kind ? KIND_WORDS[kind] : "in both versions" },
          `${KIND_SIGNS[kind]}${kind ? " " : ""}${name}`,
        ),
      ),
    );
    this.variables.hidden = !state.variables.length;
    swap(
      this.empty,
      h("strong", {}, "No difference"),
      h(
        "p",
        {},
        state.left === state.right
          ? "Both sides show the same version: choose another one above."
          : "Both versions have the same content.",
      ),
    );
    this.empty.hidden = !state.is_empty;
  }

  stops() {
    return stopsOf(this.state);
  }

  drawPlace() {
    const stops = this.stops(),
      at = stops.indexOf(this.stop);
    this.place.textContent = stops.length ? `${at < 0 ? "–" : at + 1} / ${stops.length}` : "";
    this.root.dataset.stop = at < 0 ? "" : at + 1;
    this.settings.classList.toggle("lm-current", this.stop === -1);
  }

  // -- what the reader does ----------------------------------------------------------------------------------------

  step(by) {
    const stops = this.stops(),
      next = this.stepped(stops, this.stop, by, "this is the last difference", "this is the first difference");
    if (next === undefined) return;
    this.stop = stops[next];
    this.drawPlace();
    if (this.stop === -1) {
      this.rows.current = -1;
      this.rows.mark(false);
      this.rows.el.scrollTop = 0;
    } else this.rows.jump(this.stop);
  }

  choose(isInline) {
    this.isChosen = true;
    this.mode(isInline);
  }

  mode(isInline) {
    this.rows.isInline = isInline;
    this.showWay(isInline);
    this.root.dataset.mode = isInline ? "inline" : "side";
    if (!this.state) return;
    this.rows.draw();
    if (this.rows.current >= 0) this.rows.jump(this.rows.current);
  }

  toggleWrap() {
    this.showPressed(this.wrap, this.root.classList.toggle("lm-wrapped"));
  }

  pick() {
    this.ask("versions", { left: +this.pickers[0].value, right: +this.pickers[1].value }).then((answer) => {
      if (!answer) this.drawBar();
    });
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  commandOf(key) {
    return diffCommand(key);
  }

  commands() {
    return {
      ...super.commands(),
      side: () => this.choose(!this.rows.isInline),
      wrap: () => this.toggleWrap(),
      unfold: () => {
        this.rows.unfold();
      },
      swap: () => this.ask("versions", { left: this.state.right, right: this.state.left }),
    };
  }

  close() {
    this.sizes.disconnect();
    super.close(this.rows);
  }
}

export default renders(PromptDiffView);
