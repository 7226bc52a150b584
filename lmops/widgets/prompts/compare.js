// The comparison of prompt versions: measures with intervals, then what each answered to the same inputs.

import { button, copy, count, exact, h, icon, isOurs, keyHelp, plural, swap } from "../kit/dom.js";
import { MoveForm } from "./moves.js";
import { measureTable } from "./measures.js";
import { View, renders } from "../kit/view.js";

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
export function compareCommand(event) {
  if (event.isComposing || !isOurs(event)) return undefined;
  const known = {
    n: "next",
    p: "previous",
    j: "next",
    k: "previous",
    d: "different",
    m: "mark",
    y: "copy",
    "?": "help",
    Escape: "escape",
    ArrowDown: "down",
    ArrowUp: "up",
    PageDown: "pageDown",
    PageUp: "pageUp",
    " ": "pageDown",
    Home: "first",
    End: "last",
  };
  return Object.hasOwn(known, event.key) ? known[event.key] : undefined;
}

export class PromptCompareView extends View {
  constructor(model, el) {
    super(model);
    this.pages = new Map();
    this.current = -1;
    this.isDifferent = false;
    this.moves = new MoveForm(this.host());
    this.build(el);
    this.watcher = new IntersectionObserver(
      (seen) => {
        for (const one of seen) if (one.isIntersecting) this.fill(one.target);
      },
      { root: this.scroll, rootMargin: "700px 0px" },
    );
    this.ask("hello");
  }

  build(el) {
    this.name = h("strong.lm-diff-name");
    this.scope = h("span.lm-note");
    this.rollback = button("", "roll back", () => this.moves.open("rollback"), { text: "Roll back…", cls: "lm-act" });
    this.help = keyHelp(COMPARE_KEYS);
    this.bar = h(
      "div.lm-bar-top",
      {},
      this.name,
      this.scope,
      h("span.lm-gap"),
      this.rollback,
      button("copy", "copy as text  y", () => this.copy(), { text: "" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    );
    this.heads = h("div.lm-compare-heads");
    this.caveats = h("div.lm-caveats");
    this.table = h("div");
    this.modes = ["all", "different only"].map((label, i) =>
      h("button.lm-range", { type: "button", role: "radio", onclick: () => this.different(Boolean(i)) }, label),
    );
    this.marks = button("", "mark", () => this.toggleMarks(), {
      text: "mark words",
      title: "mark words the first version did not say  m",
      cls: "lm-on",
    });
    this.place = h("span.lm-note");
    this.outputsHead = h(
      "div.lm-outputs-head",
      {},
      h("b", {}, "Same inputs"),
      h("div.lm-ranges", { role: "radiogroup", "aria-label": "answers" }, this.modes),
      this.marks,
      this.place,
    );
    this.list = h("div.lm-outputs");
    this.scroll = h(
      "div.lm-compare-scroll",
      { tabindex: -1, role: "region", "aria-label": "comparison" },
      this.heads,
      this.caveats,
      this.table,
      this.outputsHead,
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
        this.scroll,
        this.foot,
        this.help,
      ),
    );
    this.root.style.height = `${this.model.get("_height")}px`;
  }

  news(message) {
    const isFirst = !this.state;
    this.state = message;
    Object.assign(this.root.dataset, { state: "ready", total: 0, outputs: message.outputs });
    this.root.style.setProperty("--lm-count", message.versions.length);
    this.name.textContent = message.name;
    this.scope.textContent = message.scope;
    this.rollback.disabled = !message.can_undo.length;
    swap(this.heads, h("span"), ...message.versions.map((one) => this.head(one)));
    if (isFirst) {
      swap(this.table, measureTable(message));
      swap(this.caveats, ...message.caveats.map((text) => h("div.lm-caveat", {}, icon("warn"), h("span", {}, text))));
      this.caveats.hidden = !message.caveats.length;
      this.different(false);
    }
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
        ? h(
            "span",
            {},
            `${count(message.different.length)} of ${plural(message.outputs, "input")} answered differently`,
          )
        : h("span", {}, "no evaluation of all of them over one dataset"),
      h("span", {}, "intervals: 95 %"),
    );
    if (message.said) this.say(message.said, "done", true);
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
        button("", `promote v${one.version}`, () => this.moves.open("promote", one.version), { text: "Promote…" }),
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
    this.modes.forEach((one, i) => {
      one.setAttribute("aria-checked", Boolean(i) === isOn);
      one.classList.toggle("lm-on", Boolean(i) === isOn);
    });
    const { state } = this,
      places = isOn ? state.different : [...Array(state.outputs).keys()];
    this.outputsHead.hidden = this.list.hidden = !state.has_outputs;
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
    this.place.textContent = `${count(state.different.length)} of ${count(state.outputs)} differ`;
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
      h("div.lm-output-input", {}, h("div.lm-note.lm-mono", {}, example), h("div", {}, given)),
      ...outputs.map((parts) => {
        if (parts === null) return h("div.lm-output", {}, h("span.lm-note", {}, "no answer"));
        const hasWords = parts.some(([text, flags]) => !flags && text.trim());
        return h(
          "div.lm-output",
          {},
          parts.map(([text, flags]) => (flags && hasWords ? h("ins", {}, text) : text)),
        );
      }),
    );
  }

  step(by) {
    const places = this.state.different;
    if (!places.length) return;
    const at = places.indexOf(this.current),
      next = at < 0 ? (by > 0 ? 0 : places.length - 1) : at + by;
    if (next < 0 || next >= places.length) {
      this.say(by > 0 ? "this is the last one that differs" : "this is the first one that differs");
      return;
    }
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
    const isOff = this.list.classList.toggle("lm-unmarked");
    this.marks.classList.toggle("lm-on", !isOff);
    this.marks.setAttribute("aria-pressed", !isOff);
  }

  async copy() {
    this.focus();
    const answer = await this.ask("text");
    if (answer)
      this.say(
        (await copy(answer.text, this.root)) ? "comparison copied as text" : "this page may not copy; .text has it",
        "done",
      );
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  commandOf(key) {
    return compareCommand(key);
  }

  commands() {
    const el = this.scroll,
      by = (top) => {
        el.scrollBy({ top });
      };
    return {
      next: () => this.step(1),
      previous: () => this.step(-1),
      different: () => this.different(!this.isDifferent),
      mark: () => this.toggleMarks(),
      copy: () => {
        this.copy();
      },
      help: () => this.toggleHelp(),
      down: () => by(40),
      up: () => by(-40),
      pageDown: () => by(el.clientHeight - 60),
      pageUp: () => by(60 - el.clientHeight),
      first: () => {
        el.scrollTop = 0;
      },
      last: () => {
        el.scrollTop = el.scrollHeight;
      },
      escape: () => this.escape(),
    };
  }

  shut() {
    return this.moves.shut();
  }

  close() {
    this.watcher.disconnect();
    super.close();
  }
}

export default renders(PromptCompareView);
