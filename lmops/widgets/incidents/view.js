// An incident on one page: its metric with the moments on it, the timeline, what was done and what would be.

import { button, duration, exact, h, icon, keyHelp, plural, swap } from "../kit/dom.js";
import { commandIn } from "../kit/keys.js";
import { View, renders } from "../kit/view.js";
import { BOX, alone, extent, heightOf, line } from "../monitors/spark.js";
import { numberOf, shareOf } from "./figure.js";

const KEYS = [
  ["j k ↑ ↓", "next, previous moment"],
  ["/", "only some moments"],
  ["a", "what an action would do"],
  ["n", "a note"],
  ["o", "take it on"],
  ["v", "test on traffic whether it is over"],
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
  "/": "search",
  a: "action",
  n: "note",
  o: "own",
  v: "verify",
  r: "refresh",
  "?": "help",
  Escape: "escape",
};
const SVG = "http://www.w3.org/2000/svg";

/** Make an element of a drawing. */
function draw(tag, attrs, ...children) {
  const el = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attrs)) el.setAttribute(key, String(value));
  el.append(...children);
  return el;
}

export class IncidentView extends View {
  constructor(model, el) {
    super(model);
    this.at = null;
    this.plan = null;
    this.status_ = h("b.lm-inc-status");
    this.title = h("span.lm-inc-title");
    this.take = button(null, "take it on", () => this.own(), { title: "take it on  o" });
    this.check = button(null, "is it over?", () => this.verify(), { title: "test on traffic whether it is over  v" });
    this.bar = h(
      "header.lm-bar",
      {},
      this.status_,
      this.title,
      h("span.lm-gap"),
      this.take,
      this.check,
      button("refresh", "look again", () => this.refresh(), { text: "", title: "look again  r" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    );
    this.facts = h("dl.lm-inc-facts");
    this.said = h("div.lm-inc-said");
    this.chart = h("div.lm-inc-chart");
    this.search = h("input.lm-search", {
      type: "search",
      placeholder: "only some moments  /",
      "aria-label": "only some moments",
      maxlength: 100,
      oninput: () => this.drawMoments(),
    });
    this.noted = h("input.lm-inc-note", {
      type: "text",
      placeholder: "a note  n",
      "aria-label": "a note",
      maxlength: 4000,
      onkeydown: (event) => event.key === "Enter" && this.note(),
    });
    this.moments = h("ol.lm-inc-moments", { "aria-label": "what happened" });
    this.acts = h("div.lm-inc-acts");
    this.form = this.makeForm();
    this.main = h(
      "div.lm-main",
      { tabindex: -1 },
      this.facts,
      this.said,
      this.chart,
      h(
        "div.lm-inc-parts",
        {},
        h(
          "section",
          { "aria-label": "timeline" },
          h("div.lm-inc-head", {}, h("h3", {}, "What happened"), h("span.lm-gap"), this.search),
          this.moments,
          this.noted,
        ),
        h(
          "section",
          { "aria-label": "actions" },
          h("div.lm-inc-head", {}, h("h3", {}, "What can be done")),
          this.form,
          h("div.lm-inc-head", {}, h("h3", {}, "What was done")),
          this.acts,
        ),
      ),
    );
    this.help = keyHelp(KEYS);
    this.count = h("span.lm-note");
    this.foot = h("footer.lm-foot", {}, this.count);
    const root = { tabindex: 0, "data-lm": "incident-view", "data-state": "loading", "aria-label": "incident" };
    this.mount(el, h("div.lm-root", root, this.bar, this.main, this.help, this.foot));
    this.root.style.maxHeight = `${this.model.get("_height")}px`;
    this.ask("hello");
  }

  makeForm() {
    this.action = h("select", { "aria-label": "action", onchange: () => this.drawPlan(null) });
    this.params = h("input", {
      type: "text",
      placeholder: "prompt=support-answer",
      "aria-label": "arguments",
      maxlength: 4000,
      oninput: () => this.drawPlan(null),
      onkeydown: (event) => event.key === "Enter" && this.dryRun(),
    });
    this.reason = h("input", { type: "text", placeholder: "why", "aria-label": "reason", maxlength: 2000 });
    this.does = h("p.lm-note");
    this.planned = h("div.lm-inc-plan", { "aria-live": "polite" });
    this.doIt = button(null, "do it", () => this.act(), { title: "do it, once" });
    this.dry = button(null, "dry run", () => this.dryRun(), { title: "say what it would do  Enter" });
    this.carry = h("div.lm-inc-row", { hidden: true }, this.reason, this.doIt);
    const asked = h("div.lm-inc-row", {}, this.action, this.params, this.dry);
    return h("div.lm-inc-form", {}, asked, this.does, this.planned, this.carry);
  }

  news(state) {
    this.state = state;
    this.root.dataset.state = "ready";
    this.drawHead();
    this.drawChart();
    this.drawMoments();
    this.drawActs();
    if (state.said) this.say(state.said, "done");
  }

  drawHead() {
    const { incident, title, status, severity, facts, affected, explained, check, actions, refused } = this.state;
    this.root.dataset.status = status;
    this.status_.textContent = `${incident} · ${status} · severity ${severity}`;
    this.title.textContent = title;
    this.title.title = title;
    swap(this.facts, ...facts.map(([name, said]) => h("div", {}, h("dt", {}, name), h("dd", {}, said))));
    const state = check && { recovered: "ok", "not recovered": "error" }[check[0]];
    swap(
      this.said,
      h("p", {}, h("span.lm-inc-label", {}, "affected"), h("span", {}, affected)),
      explained ? h("p", {}, h("span.lm-inc-label", {}, "accounts for it"), h("span", {}, explained)) : "",
      check
        ? h(
            "p",
            { "data-check": check[0] },
            h("span.lm-inc-label", {}, "is it over"),
            icon(state ?? "unset"),
            h("span", {}, check[1]),
          )
        : "",
    );
    const { value } = this.action;
    swap(this.action, ...actions.map(([name]) => h("option", { value: name, selected: name === value }, name)));
    if (actions.some(([name]) => name === "roll_back") && !value) this.action.value = "roll_back";
    this.does.textContent = (actions.find(([name]) => name === this.action.value) ?? ["", ""])[1];
    for (const el of [this.take, this.check, this.doIt, this.noted]) {
      el.disabled = Boolean(refused);
      el.title = refused || el.title;
    }
  }

  /** The line of the metric; each moment is a mark above it that leads to its row. */
  drawChart() {
    const { line: found, moments } = this.state;
    const points = found?.points ?? [],
      range = extent(points, [], [found?.baseline ?? null]);
    if (!range) {
      swap(this.chart, h("p.lm-note", {}, "no metric is known of it"));
      return;
    }
    const span = [points[0][0], points.at(-1)[0]],
      { width, height } = BOX;
    const svg = draw(
      "svg",
      { class: "lm-inc-line", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
      draw("path", { class: "lm-inc-path", d: line(points, span, range) }),
    );
    const dots = alone(points).map((point) => line([point, [point[0] + 1, 0, point[2]]], span, range));
    svg.append(draw("path", { class: "lm-inc-dots", d: dots.join("") }));
    if (found.baseline !== null) {
      const y = heightOf(found.baseline, range);
      svg.append(draw("path", { class: "lm-inc-base", d: `M0 ${y}L${width} ${y}` }));
    }
    const marks = moments
      .map((moment, place) => [moment, place, shareOf(moment.ms, span)])
      .filter(([, , share]) => share !== null)
      .map(([moment, place, share]) =>
        h("button.lm-inc-mark", {
          type: "button",
          tabindex: -1,
          style: `left:${(share * 100).toFixed(2)}%`,
          "data-source": moment.source,
          "data-place": place,
          title: `${exact(moment.ms)}  ${moment.what}`,
          "aria-label": moment.what,
          onclick: () => this.go(place),
        }),
      );
    const [low, high] = range.map((value) => numberOf(value, found.unit));
    const base = found.baseline === null ? "" : `, baseline ${numberOf(found.baseline, found.unit)} (dashed)`;
    swap(
      this.chart,
      h("div.lm-inc-caption", {}, h("b", {}, found.title), h("span.lm-note", {}, `${low} to ${high}${base}`)),
      h("div.lm-inc-plot", {}, svg, ...marks),
      h("div.lm-inc-ends", {}, h("span", {}, exact(span[0])), h("span", {}, exact(span[1]))),
    );
  }

  drawMoments() {
    const words = this.search.value.toLowerCase().split(/\s+/);
    const isMeant = ({ what, source, who, why }) =>
      words.every((word) => `${source} ${what} ${who} ${why}`.toLowerCase().includes(word));
    const shown = this.state.moments.map((moment, place) => [moment, place]).filter(([moment]) => isMeant(moment));
    swap(
      this.moments,
      ...shown.map(([moment, place]) =>
        h(
          "li.lm-inc-moment",
          { "data-place": place, "data-source": moment.source, onclick: () => this.go(place) },
          h("time", {}, exact(moment.ms)),
          h("span.lm-inc-source", {}, moment.source),
          h(
            "div",
            {},
            h("span.lm-inc-what", {}, moment.what),
            moment.why && moment.why !== moment.what ? h("span.lm-note", {}, moment.why) : "",
            moment.behind_s === null
              ? ""
              : h("span.lm-inc-behind", {}, `its clock was ${duration(moment.behind_s * 1000)} behind`),
          ),
          h("span.lm-note.lm-inc-who", {}, [moment.who, moment.evidence].filter(Boolean).join(" · ")),
        ),
      ),
    );
    this.count.textContent = plural(shown.length, "moment");
    this.mark();
  }

  drawActs() {
    const { acts } = this.state;
    swap(
      this.acts,
      ...(acts.length ? acts.map((act) => this.drawn(act)) : [h("p.lm-note", {}, "nothing by an action yet")]),
    );
  }

  /** What an action would do or did: a sentence, what stood and what stands. */
  drawn(act) {
    const isPlan = act.state === "planned",
      heads = isPlan ? ["", "stands now", "would stand"] : ["", "stood", "stands"];
    const rows = act.rows.map((row) => h("tr", {}, ...row.map((cell) => h("td", {}, cell))));
    const proof = act.events.length ? ` · event ${act.events.join(", ")}` : "";
    return h(
      "div.lm-inc-act",
      { "data-act": act.state },
      h("p", {}, h("b", {}, isPlan ? `dry run of ${act.action}` : act.action), ` ${act.words}`),
      h("table", {}, h("tr", {}, ...heads.map((name) => h("th", {}, name))), ...rows),
      isPlan ? "" : h("p.lm-note", {}, `${act.who}, ${exact(act.ms)}${proof}`),
    );
  }

  drawPlan(plan) {
    this.plan = plan;
    const found = this.state.actions.find(([name]) => name === this.action.value);
    this.does.textContent = found ? found[1] : "";
    swap(this.planned, plan ? this.drawn(plan) : "");
    this.carry.hidden = plan?.state !== "planned";
  }

  async dryRun() {
    const answer = await this.ask("plan", { action: this.action.value, params: this.params.value });
    if (!answer?.plan) return;
    this.drawPlan(answer.plan);
    this.say(answer.plan.state === "planned" ? "a dry run: nothing was changed" : "it was done already");
    if (!this.carry.hidden) this.reason.focus();
  }

  async act() {
    if (!this.plan || this.isRefused()) return;
    const { seen } = this.plan;
    const given = { action: this.action.value, params: this.params.value, seen, reason: this.reason.value };
    const answer = await this.ask("act", given);
    if (!answer) return;
    this.reason.value = "";
    this.drawPlan(null);
    this.focus();
  }

  isRefused() {
    if (this.state.refused) this.say(this.state.refused, "error");
    return Boolean(this.state.refused);
  }

  async note() {
    const text = this.noted.value.trim();
    if (!text || this.isRefused() || !(await this.ask("note", { text }))) return;
    this.noted.value = "";
    this.focus();
  }

  own() {
    return this.isRefused() ? undefined : this.ask("own");
  }

  verify() {
    return this.isRefused() ? undefined : this.ask("verify");
  }

  refresh() {
    return this.ask("hello");
  }

  mark() {
    for (const el of this.root.querySelectorAll("[data-place]"))
      el.classList.toggle("lm-cursor", Number(el.dataset.place) === this.at);
  }

  go(place) {
    this.at = place;
    this.mark();
    this.moments.querySelector(".lm-cursor")?.scrollIntoView({ block: "nearest" });
    const moment = this.state.moments[place];
    if (moment) this.say(`${exact(moment.ms)} ${moment.what}`);
  }

  step(by) {
    const places = [...this.moments.children].map((one) => Number(one.dataset.place)),
      found = places.indexOf(this.at),
      here = found < 0 && by < 0 ? places.length : found; // before the first, or behind the last
    if (places.length) this.go(places[Math.min(places.length - 1, Math.max(0, here + by))]);
  }

  commandOf(key) {
    return commandIn(key, COMMANDS);
  }

  commands() {
    return {
      next: () => this.step(1),
      previous: () => this.step(-1),
      first: () => this.step(-1e9),
      last: () => this.step(1e9),
      search: () => this.search.focus(),
      action: () => this.params.focus(),
      note: () => this.noted.focus(),
      own: () => this.own(),
      verify: () => this.verify(),
      refresh: () => this.refresh(),
      help: () => this.toggleHelp(),
      escape: () => this.escape(),
    };
  }

  /** Escape in the search empties it; in a field of the form it forgets the plan. */
  leave(field) {
    if (field === this.search) {
      field.value = "";
      this.drawMoments();
    } else if (field === this.reason) {
      this.drawPlan(null);
    }
    this.focus();
  }
}

export default renders(IncidentView);
