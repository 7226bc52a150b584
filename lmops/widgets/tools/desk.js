// The calls that wait for somebody's yes: a list, and beside it the one that is looked at, as it would be made.

import { button, duration, exact, h, keyHelp, plural, relative, swap } from "../kit/dom.js";
import { commandIn } from "../kit/keys.js";
import { View, renders } from "../kit/view.js";

const KEYS = [
  ["j k ↑ ↓", "next, previous call"],
  ["y", "yes, with a reason; Enter says it"],
  ["n", "no, with a reason; Enter says it"],
  ["w", "only those that wait, or all"],
  ["r", "look again"],
  ["?", "these keys"],
  ["Esc", "back to the cell"],
];
const COMMANDS = {
  j: "next",
  k: "previous",
  ArrowDown: "next",
  ArrowUp: "previous",
  Home: "first",
  End: "last",
  y: "yes",
  n: "no",
  w: "waiting",
  r: "refresh",
  "?": "help",
  Escape: "escape",
};
const SAID_BY = {
  user: "the user",
  system: "the system prompt",
  retrieved: "a retrieved document",
  tool_result: "the result of a tool",
  model: "the model itself",
};
/** New calls come from other processes: how often the page asks for them, in milliseconds. */
const EVERY = 4000;

export class ToolDesk extends View {
  constructor(model, el) {
    super(model);
    this.at = null;
    this.found = null;
    this.isAll = false;
    this.deciding = null;
    this.title = h("b.lm-desk-title");
    this.all = h("input", { type: "checkbox", onchange: () => this.showAll(this.all.checked) });
    this.bar = h(
      "header.lm-bar",
      {},
      this.title,
      h("span.lm-gap"),
      h("label.lm-desk-all", {}, this.all, "those that were decided too"),
      button("refresh", "look again", () => this.refresh(), { text: "", title: "look again  r" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    );
    this.list = h("ol.lm-desk-list", { "aria-label": "calls" });
    this.detail = h("section.lm-desk-one", { "aria-label": "the call", "aria-live": "polite" });
    this.yes = button(null, "yes", () => this.begin("approved"), {
      title: "yes, this call, once  y",
      cls: "lm-desk-yes",
    });
    this.no = button(null, "no", () => this.begin("denied"), { title: "no  n", cls: "lm-desk-no" });
    this.reason = h("input", {
      type: "text",
      "aria-label": "reason",
      maxlength: 2000,
      onkeydown: (event) => event.key === "Enter" && !event.isComposing && this.settle(),
    });
    this.sure = button(null, "say it", () => this.settle(), { title: "say it  Enter" });
    this.form = h("div.lm-desk-form", { hidden: true }, this.reason, this.sure);
    this.answer = h("div.lm-desk-answer", {}, this.yes, this.no, this.form);
    this.main = h("div.lm-main", { tabindex: -1 }, h("div.lm-desk-parts", {}, this.list, this.detail));
    this.help = keyHelp(KEYS);
    this.count = h("span.lm-note");
    this.foot = h("footer.lm-foot", {}, this.count);
    const root = {
      tabindex: 0,
      "data-lm": "tool-desk",
      "data-state": "loading",
      "aria-label": "calls that wait for a yes",
    };
    this.mount(el, h("div.lm-root", root, this.bar, this.main, this.help, this.foot));
    this.root.style.height = `${this.model.get("_height")}px`;
    const timer = setInterval(() => this.look(), EVERY);
    this.undo.push(() => clearInterval(timer));
    this.ask("hello");
  }

  news(state) {
    this.state = state;
    this.root.dataset.state = "ready";
    const waiting = state.asks.filter((one) => one.status === "waiting").length;
    this.title.textContent = waiting
      ? `${plural(waiting, "call")} ${waiting === 1 ? "waits" : "wait"} for a yes`
      : "nothing waits for a yes";
    this.drawList();
    if (state.said) this.say(state.said, "done");
  }

  get shown() {
    return this.state.asks.filter((one) => this.isAll || one.status === "waiting" || one.ask === this.kept);
  }

  drawList() {
    const shown = this.shown;
    if (!shown.some((one) => one.ask === this.at)) this.at = shown[0]?.ask ?? null;
    swap(this.list, ...(shown.length ? shown.map((one) => this.row(one)) : [h("li.lm-note", {}, "no call waits")]));
    this.count.textContent = `${plural(shown.length, "call")}${this.isAll ? "" : " shown"}`;
    this.open();
  }

  row(one) {
    const left = one.expires_ms - Date.now();
    const until = one.status === "waiting" ? `${duration(Math.max(0, left))} left` : one.status;
    return h(
      `li.lm-desk-row${one.ask === this.at ? ".lm-cursor" : ""}`,
      { "data-ask": one.ask, "data-status": one.status, onclick: () => this.go(one.ask) },
      h("span.lm-desk-tool", {}, one.tool),
      h("span.lm-desk-until", {}, until),
      h("span.lm-desk-call", { title: one.call }, one.call),
      h(
        "span.lm-note",
        {},
        [one.role, relative(one.asked_ms, Date.now())].filter(Boolean).join(" · "),
        one.is_foreign ? h("span.lm-desk-foreign", {}, "holds foreign text") : "",
      ),
    );
  }

  /** Fetch the call that is looked at; what comes late and is not looked at any more is not drawn. */
  async open() {
    const number = this.at;
    if (number === null) {
      this.found = null;
      swap(
        this.detail,
        h("p.lm-note", {}, "A policy that asks puts calls here. Nothing is called before somebody says yes."),
      );
      return;
    }
    const answer = await this.pending.add(this.ask("open", { ask: number }));
    if (answer?.ask && this.at === number) this.drawOne(answer.ask);
  }

  drawOne(one) {
    const isOther = this.found?.ask !== one.ask || this.found?.status !== one.status;
    this.found = one;
    const rows = one.arguments.map(([name, pieces]) =>
      h("div.lm-desk-arg", {}, h("dt", {}, name), h("dd", {}, ...pieces.map(([text, who]) => this.piece(text, who)))),
    );
    const fact = (name, said) => (said ? h("div", {}, h("dt", {}, name), h("dd", {}, said)) : "");
    const isOpen = one.status === "waiting" || one.status === "approved";
    if (isOther) this.shutForm();
    this.yes.hidden = one.status !== "waiting";
    for (const el of [this.yes, this.no]) {
      el.disabled = Boolean(this.state.refused);
      if (this.state.refused) el.title = this.state.refused;
    }
    this.no.lastChild.textContent = one.status === "approved" ? "take the yes back" : "no";
    swap(
      this.detail,
      h("h3.lm-desk-head", {}, one.tool, h("span.lm-note", {}, ` version ${one.version} · number ${one.ask}`)),
      h("p.lm-desk-why", {}, one.why),
      h(
        "dl.lm-desk-args",
        { "aria-label": "arguments" },
        ...(rows.length ? rows : [h("div.lm-note", {}, "no arguments")]),
      ),
      this.origins(one),
      isOpen ? this.answer : "",
      h(
        "dl.lm-desk-facts",
        {},
        fact("status", one.status),
        fact("policy", one.rule ? `${one.policy}, ${one.rule}` : `${one.policy}, by default`),
        fact("who calls", one.role),
        fact("asked", exact(one.asked_ms)),
        fact("until", exact(one.expires_ms)),
        fact("trace", one.trace_id),
        fact("run", one.run_id),
        one.status === "waiting"
          ? ""
          : fact("last step", `${one.actor}, ${exact(one.moved_ms)}${one.reason ? `: ${one.reason}` : ""}`),
      ),
    );
    this.root.dataset.ask = one.ask;
  }

  piece(text, who) {
    return who ? h("mark.lm-desk-mark", { "data-who": who, title: `said by ${SAID_BY[who] ?? who}` }, text) : text;
  }

  /** Who said what stands in the arguments, in words: a colour alone tells nobody. */
  origins(one) {
    const said = one.origins.map(([who, some]) =>
      h(
        "li",
        { "data-who": who },
        h("b", {}, SAID_BY[who] ?? who),
        some.length ? h("span", {}, some.map((text) => `“${text}”`).join(", ")) : "",
      ),
    );
    return h("div.lm-desk-origins", {}, h("span.lm-note", {}, "what stands in it was said by"), h("ul", {}, ...said));
  }

  begin(to) {
    if (!this.found || this.isRefused()) return;
    if (
      !["waiting", "approved"].includes(this.found.status) ||
      (to === "approved" && this.found.status !== "waiting")
    ) {
      this.say(`number ${this.found.ask} is ${this.found.status}`, "error");
      return;
    }
    this.deciding = to;
    this.form.hidden = false;
    this.form.dataset.to = to;
    this.reason.placeholder = to === "approved" ? "yes, because ..." : "no, because ... (the agent reads it)";
    this.reason.focus();
  }

  async settle() {
    if (!this.deciding || !this.found) return;
    const { ask, digest } = this.found;
    this.kept = ask;
    const given = { ask, seen: digest, to: this.deciding, reason: this.reason.value };
    const answer = await this.pending.add(this.ask("settle", given));
    if (!answer) return;
    this.shutForm();
    this.kept = null;
    const next = this.state.asks.find((one) => one.status === "waiting");
    if (next && !this.isAll) this.go(next.ask);
    this.focus();
  }

  shutForm() {
    this.deciding = null;
    this.form.hidden = true;
    this.reason.value = "";
  }

  isRefused() {
    if (this.state.refused) this.say(this.state.refused, "error");
    return Boolean(this.state.refused);
  }

  look() {
    if (this.root.dataset.state === "ready" && !document.hidden) this.ask("look", { stand: this.state.stand });
  }

  refresh() {
    return this.ask("hello");
  }

  showAll(isAll) {
    this.isAll = isAll;
    this.all.checked = isAll;
    this.drawList();
  }

  go(number) {
    if (number === this.at) return;
    this.at = number;
    this.drawList();
    this.list.querySelector(".lm-cursor")?.scrollIntoView({ block: "nearest" });
  }

  step(by) {
    const numbers = this.shown.map((one) => one.ask),
      here = numbers.indexOf(this.at);
    if (numbers.length) this.go(numbers[Math.min(numbers.length - 1, Math.max(0, here + by))]);
  }

  commandOf(key) {
    return commandIn(key, COMMANDS);
  }

  /** A yes is to what is shown: it waits until that has come. */
  needed(command) {
    return ["yes", "no"].includes(command) ? this.pending.all : undefined;
  }

  commands() {
    return {
      next: () => this.step(1),
      previous: () => this.step(-1),
      first: () => this.step(-1e9),
      last: () => this.step(1e9),
      yes: () => this.begin("approved"),
      no: () => this.begin("denied"),
      waiting: () => this.showAll(!this.isAll),
      refresh: () => this.refresh(),
      help: () => this.toggleHelp(),
      escape: () => this.escape(),
    };
  }

  shut() {
    const wasOpen = !this.form.hidden;
    this.shutForm();
    return wasOpen;
  }
}

export default renders(ToolDesk);
