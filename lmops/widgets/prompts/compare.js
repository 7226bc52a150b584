// The comparison of prompt versions: measures with intervals, then what each answered to the same inputs.

import { button, count, exact, h, icon, keyHelp, plural, swap } from "../kit/dom.js";
import { MoveForm } from "./moves.js";
import { measureTable } from "./measures.js";
import { ReadingView, readingCommand } from "../kit/reading.js";
import { renders } from "../kit/view.js";

const COMPARE_KEYS = [
  ["n p", "next, previous input with different answers"],
  ["d", "only different answers, all"],
  ["m", "mark words the first version did not say"],
  ["↑ ↓", "scroll"],
  ["PgUp PgDn", "a page"],
  ["y", "copy as text"],
  ["?", "these keys"],
  ["Esc", "close, then back to the notebook"],
];
const BATCH = 20;

/** What a key means; undefined leaves it to the page. */
export const compareCommand = (event) => readingCommand(event, { d: "different", m: "mark" });

export class PromptCompareView extends ReadingView {
  constructor(model, el) {
    super(model);
    Object.assign(this, { noun: "comparison", overlap: 60, pages: new Map(), current: -1, isDifferent: false });
    this.moves = new MoveForm(this.host());
    this.build(el);
    this.watcher = new IntersectionObserver(
      (seen) => {
        for (const one of seen) if (one.isIntersecting) this.fill(one.target);
      },
      { root: this.reader, rootMargin: "700px 0px" },
    );
    this.ask("hello");
  }

  build(el) {
    this.name = h("strong.lm-diff-name");
    this.scope = h("span.lm-note");
    this.rollback = this.rollbackButton();
    this.help = keyHelp(COMPARE_KEYS);
    this.bar = h("div.lm-bar-top", {}, this.name, this.scope, h("span.lm-gap"), this.rollback, this.barEnd());
    this.heads = h("div.lm-compare-heads");
    this.caveats = h("div.lm-caveats");
    this.table = h("div");
    this.marks = button("", "mark", () => this.toggleMarks(), {
      text: "mark words",
      title: "mark words the first version did not say  m",
      cls: "lm-on",
    });
    this.place = h("span.lm-note");
    this.asked = h("div.lm-asked");
    this.outputsHead = h(
      "div.lm-outputs-head",
      {},
      h("b", {}, "Same inputs"),
      this.twoWays("answers", ["all", "different only"], (isDifferent) => this.different(isDifferent)),
      this.marks,
      this.place,
    );
    this.list = h("div.lm-outputs");
    this.reader = h(
      "div.lm-compare-scroll",
      { tabindex: -1, role: "region", "aria-label": "comparison" },
      this.heads,
      this.caveats,
      this.table,
      this.outputsHead,
      this.asked,
      this.list,
    );
    this.summary = h("span.lm-summary-line");
    this.foot = h("div.lm-foot", {}, this.summary, h("span.lm-gap"));
    this.mount(
      el,
      h(
        "div.lm-root.lm-compare-root",
        { tabindex: 0, "data-lm": "prompt-compare", "data-state": "loading", "aria-label": "prompt comparison" },
        this.bar,
        this.moves.el,
        this.reader,
        this.foot,
        this.help,
      ),
    );
    this.root.style.height = `${this.model.get("_height")}px`;
  }

  news(message, mine) {
    const isFirst = !this.state;
    this.state = message;
    Object.assign(this.root.dataset, { state: "ready", total: 0, outputs: message.outputs });
    this.root.style.setProperty("--lm-count", message.versions.length);
    this.name.textContent = message.name;
    this.scope.textContent = message.scope;
    this.drawRollback();
    swap(this.heads, h("span"), ...message.versions.map((one) => this.head(one)));
    if (isFirst) {
      swap(this.table, measureTable(message));
      swap(this.caveats, ...message.caveats.map((text) => h("div.lm-caveat", {}, icon("warn"), h("span", {}, text))));
      this.caveats.hidden = !message.caveats.length;
      swap(this.asked, h("span.lm-note", {}, message.dataset), ...message.asked.map((one, i) => this.askedOf(one, i)));
      this.different(false);
    }
    const answered = message.outputs - message.silent;
    swap(
      this.summary,
      h("b", {}, plural(message.versions.length, "version")),
      h(
        "span",
        {},
        plural(
          message.versions.reduce((sum, one) => sum + one.traces, 0),
          "trace",
        ),
      ),
      message.has_outputs
        ? h("span", {}, `${count(message.different.length)} of ${plural(answered, "input")} answered differently`)
        : h("span", {}, "no runs of all of them of one model and one setting"),
      message.silent ? h("span", {}, `${count(message.silent)} not answered by all`) : "",
      h("span", {}, "intervals: 95 %"),
    );
    this.told(message, mine);
  }

  /** Above the answers of a version: in which run it gave them, on which model, and how many it did not give. */
  askedOf([run, asked, silent], i) {
    return h(
      "div.lm-asked-of",
      {},
      h("b", {}, `v${this.state.versions[i].version} `),
      h("span.lm-note.lm-mono", {}, run),
      h("div.lm-note", { title: asked }, asked),
      silent ? h("div.lm-s-error", {}, icon("warn"), `${count(silent)} without an answer`) : "",
    );
  }

  head(one) {
    const days =
      one.first_ms === null
        ? "no traces"
        : [one.first_ms, one.last_ms]
            .map((ms) => exact(ms).slice(0, 10))
            .filter((day, i, all) => all.indexOf(day) === i)
            .join(" to ");
    return h(
      "div.lm-compare-head",
      { "data-version": one.version },
      h(
        "div.lm-compare-title",
        {},
        h("b", {}, `v${one.version}`),
        one.aliases.map((alias) => h("span.lm-alias", {}, icon("label"), alias)),
        h("span.lm-gap"),
        button("", `promote v${one.version}`, () => this.moves.open("promote", one.version), {
          text: "Promote…",
          title: this.state.refused || `promote v${one.version}`,
          disabled: Boolean(this.state.refused),
        }),
      ),
      h("div.lm-compare-note", { title: one.note ?? "" }, one.note ?? ""),
      h(
        "div.lm-note",
        {},
        `${plural(one.traces, "trace")}${one.sessions ? ` in ${plural(one.sessions, "session")}` : ""} · ${days}`,
      ),
    );
  }

  // -- outputs -----------------------------------------------------------------------------------------------------

  different(isOn) {
    this.isDifferent = isOn;
    this.current = -1;
    this.showWay(isOn);
    const { state } = this,
      places = isOn ? state.different : [...Array(state.outputs).keys()];
    this.outputsHead.hidden = this.asked.hidden = this.list.hidden = !state.has_outputs;
    this.watcher.disconnect();
    swap(
      this.list,
      ...places.map((place) => {
        const el = h("div.lm-output-row", { "data-place": place });
        this.watcher.observe(el);
        return el;
      }),
      ...(places.length ? [] : [h("p.lm-empty", {}, "Every input was answered alike.")]),
    );
    const answered = state.outputs - state.silent;
    this.place.textContent = `${count(state.different.length)} of ${count(answered)} differ${
      state.silent ? `, ${count(state.silent)} not answered by all` : ""
    }`;
  }

  /** As asked for by a key: what came of it is below the measures. */
  turn(isOn) {
    this.different(isOn);
    this.outputsHead.scrollIntoView({ block: "center" });
  }

  async page(place) {
    const start = Math.floor(place / BATCH) * BATCH;
    if (!this.pages.has(start)) this.pages.set(start, this.ask("outputs", { start, count: BATCH }));
    const answer = await this.pages.get(start);
    if (!answer) this.pages.delete(start);
    return answer?.rows[place - start];
  }

  async fill(el) {
    if (el.dataset.filled) return;
    const row = await this.page(+el.dataset.place);
    if (!row || el.dataset.filled) return;
    el.dataset.filled = "true";
    const [example, given, outputs] = row;
    swap(
      el,
      h(
        "div.lm-output-input",
        {},
        h("div.lm-note.lm-mono", {}, example),
        given.map((part, i) => h(i ? "div.lm-given" : "div", { title: i ? part : "" }, part)),
      ),
      ...outputs.map((parts, i) => {
        const of = { "data-version": `v${this.state.versions[i].version}` };
        if (parts === null)
          return h("div.lm-output.lm-silent", of, h("span.lm-s-error", {}, icon("warn"), "no answer"));
        const hasWords = parts.some(([text, flags]) => !flags && text.trim());
        return h(
          "div.lm-output",
          of,
          parts.map(([text, flags]) => (flags && hasWords ? h("ins", {}, text) : text)),
        );
      }),
    );
  }

  step(by) {
    const places = this.state.different;
    const last = "this is the last one that differs",
      next = this.stepped(places, this.current, by, last, "this is the first one that differs");
    if (next === undefined) return;
    this.current = places[next];
    this.root.dataset.current = this.current;
    for (const row of this.list.querySelectorAll(".lm-current")) row.classList.remove("lm-current");
    const row = this.list.querySelector(`[data-place="${this.current}"]`);
    row.classList.add("lm-current");
    this.place.textContent = `${next + 1} of ${count(places.length)} that differ`;
    row.scrollIntoView({ block: "center" });
    this.fill(row).then(() => {
      if (row.classList.contains("lm-current")) row.scrollIntoView({ block: "center" });
    });
  }

  toggleMarks() {
    this.showPressed(this.marks, !this.list.classList.toggle("lm-unmarked"));
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  commandOf(key) {
    return compareCommand(key);
  }

  commands() {
    return { ...super.commands(), different: () => this.turn(!this.isDifferent), mark: () => this.toggleMarks() };
  }

  close() {
    this.watcher.disconnect();
    super.close();
  }
}

export default renders(PromptCompareView);
