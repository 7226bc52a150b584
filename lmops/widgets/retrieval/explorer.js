// Two rankings of the same queries: the queries by what was lost, then both rankings side by side with what moved.

import { button, copy, count, h, icon, keyHelp, plural, swap } from "../kit/dom.js";
import { commandIn } from "../kit/keys.js";
import { View, renders } from "../kit/view.js";
import { drawMoves, hitCard, pieces } from "./hits.js";

const KEYS = [
  ["j k ↓ ↑", "next, previous query"],
  ["n p", "next, previous hit"],
  ["x", "the other ranking"],
  ["Enter", "open or shut the hit: its text, what stands around it, why it scored"],
  ["o", "open or shut all hits"],
  ["f", "all queries, lost, won, without a difference"],
  ["/", "a query of your own, where both indexes are there"],
  ["y", "copy as text"],
  ["?", "these keys"],
  ["Esc", "close, then back to the notebook"],
];
const KNOWN = {
  j: "down",
  k: "up",
  ArrowDown: "down",
  ArrowUp: "up",
  PageDown: "pageDown",
  PageUp: "pageUp",
  Home: "first",
  End: "last",
  n: "next",
  p: "previous",
  x: "swap",
  Enter: "open",
  o: "all",
  f: "filter",
  "/": "search",
  y: "copy",
  "?": "help",
  Escape: "escape",
};
const FILTERS = [
  ["all", () => true],
  ["lost", (change) => change < 0],
  ["won", (change) => change > 0],
  ["tied", (change) => change === 0],
];
const PAGE = 12;

/** A figure in 0..1 as it is read; a dash where nothing was measured. */
export const figure = (value) => (value === null || value === undefined ? "–" : value.toFixed(3));

/** A difference with its sign; a true minus, so that columns stand under each other. */
export const signed = (value) =>
  value === null || value === undefined
    ? "–"
    : `${value < 0 ? "−" : value > 0 ? "+" : "±"}${Math.abs(value).toFixed(3)}`;

export class RankingExplorerView extends View {
  constructor(model, el) {
    super(model);
    Object.assign(this, { filter: 0, place: [0, 0], opened: new Set(), around: new Map() });
    this.build(el);
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.both);
    this.ask("hello");
  }

  build(el) {
    this.title = h("strong.lm-rank-title");
    this.verdict = h("span.lm-rank-verdict");
    this.ranges = FILTERS.map(([name], i) =>
      h("button.lm-range", { type: "button", role: "radio", onclick: () => this.choose(i) }, name),
    );
    this.own = h("input.lm-rank-own", {
      type: "search",
      placeholder: "ask both…",
      "aria-label": "a query of your own",
      maxlength: 2000,
    });
    this.asking = h(
      "form.lm-rank-ask",
      {
        hidden: true,
        onsubmit: (event) => {
          event.preventDefault();
          this.search();
        },
      },
      icon("search"),
      this.own,
    );
    const bar = h(
      "div.lm-rank-bar",
      {},
      this.title,
      this.verdict,
      h("span.lm-gap"),
      this.asking,
      button("copy", "copy as text  y", () => this.copy(), { text: "" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    );
    this.measures = h("div.lm-rank-measures");
    this.notes = h("div.lm-rank-notes");
    this.list = h("div.lm-rank-list", { role: "listbox", "aria-label": "queries", tabindex: -1 });
    this.chooser = h("div.lm-ranges", { role: "radiogroup", "aria-label": "queries that are listed" }, this.ranges);
    this.side = h("div.lm-rank-queries", {}, this.chooser, this.list);
    this.asked = h("div.lm-rank-asked");
    this.lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.lines.setAttribute("class", "lm-rank-lines");
    this.lines.setAttribute("aria-hidden", "true");
    this.columns = [0, 1].map(() => h("div.lm-rank-column", { role: "list" }));
    this.both = h("div.lm-rank-both", {}, this.columns[0], this.lines, this.columns[1]);
    this.reader = h(
      "div.lm-rank-reader",
      { tabindex: -1, role: "region", "aria-label": "both rankings" },
      this.asked,
      this.both,
    );
    this.summary = h("span.lm-summary-line");
    this.foot = h("div.lm-foot", {}, this.summary, h("span.lm-gap"));
    this.help = keyHelp(KEYS);
    this.mount(
      el,
      h(
        "div.lm-root",
        { tabindex: 0, "data-lm": "retrieval-explorer", "data-state": "loading", "aria-label": "ranking explorer" },
        bar,
        this.measures,
        this.notes,
        h("div.lm-rank-main", {}, this.side, this.reader),
        this.foot,
        this.help,
      ),
    );
    this.root.style.height = `${this.model.get("_height")}px`;
  }

  // -- what Python says ---------------------------------------------------------------------------------------------

  news(message) {
    if (message.kind === "state") {
      this.state = message;
      this.drawHead();
      this.drawList();
    }
    const isNew = this.cursor !== message.cursor || this.pair?.query !== message.pair?.query;
    Object.assign(this, { cursor: message.cursor, pair: message.pair });
    if (isNew) Object.assign(this, { place: [0, 0], opened: new Set(), around: new Map() });
    this.root.dataset.state = "ready";
    this.root.dataset.cursor = message.cursor ?? "";
    this.markRow();
    this.drawPair();
    if (isNew) this.reader.scrollTop = 0;
  }

  drawHead() {
    const { a, b, k, measures, outcome, notes, can_search: canSearch } = this.state,
      main = measures.find((one) => one[1] === "ndcg");
    swap(
      this.title,
      h("span.lm-rank-a", { title: a }, a),
      h("span.lm-note", {}, " against "),
      h("span.lm-rank-b", { title: b }, b),
    );
    this.verdict.dataset.outcome = outcome;
    swap(
      this.verdict,
      ...(main
        ? [
            h("b", {}, `nDCG@${k} ${signed(main[4])}`),
            h("span.lm-note", {}, main[5] === null ? "" : ` [${signed(main[5])}, ${signed(main[6])}]`),
            h("span.lm-rank-outcome", {}, outcome),
          ]
        : []),
    );
    this.asking.hidden = !canSearch;
    this.measures.hidden = !measures.length;
    swap(
      this.measures,
      ...measures.map(([words, name, left, right, change]) =>
        h(
          "div.lm-rank-measure",
          { "data-measure": name, title: `${words}: ${figure(left)} against ${figure(right)}` },
          h("span.lm-note", {}, words),
          h("span", {}, figure(left), h("span.lm-note", {}, " / "), figure(right)),
          h("span.lm-rank-change", { "data-sign": Math.sign(change ?? 0) }, signed(change)),
        ),
      ),
    );
    this.notes.hidden = !notes.length;
    swap(this.notes, ...notes.map((text) => h("div.lm-rank-note", {}, icon("warn"), h("span", {}, text))));
    this.side.hidden = !this.state.total;
    const counts = main ? `${count(main[7])} won, ${count(main[8])} lost, ${count(main[9])} tied` : "";
    swap(
      this.summary,
      h("b", {}, plural(this.state.total, "query").replace("querys", "queries")),
      h("span", {}, counts),
    );
  }

  drawList() {
    const [, isIn] = FILTERS[this.filter];
    this.rows = this.state.rows.filter((row) => (this.filter ? row[4] !== null && isIn(row[4]) : true));
    this.root.dataset.rows = this.rows.length;
    this.ranges.forEach((one, i) => {
      one.setAttribute("aria-checked", i === this.filter);
      one.classList.toggle("lm-on", i === this.filter);
    });
    const most = Math.max(0.001, ...this.state.rows.map((row) => Math.abs(row[4] ?? 0)));
    swap(
      this.list,
      ...this.rows.map((row) => this.rowOf(row, most)),
      ...(this.rows.length ? [] : [h("p.lm-empty", {}, "No query is like that.")]),
    );
  }

  rowOf([id, query, left, right, change], most) {
    const bar = h("span.lm-rank-by", { "data-sign": Math.sign(change ?? 0) }, h("i"));
    bar.firstChild.style.width = `${(50 * Math.abs(change ?? 0)) / most}%`;
    return h(
      "div.lm-rank-row",
      { role: "option", "data-id": id, onclick: () => this.open(id) },
      h("span.lm-rank-query", {}, query),
      h(
        "span.lm-rank-scores",
        {},
        bar,
        h("b", { "data-sign": Math.sign(change ?? 0) }, signed(change)),
        h("span.lm-note", {}, `${figure(left)} / ${figure(right)}`),
      ),
    );
  }

  markRow() {
    this.list.querySelector(".lm-cursor")?.classList.remove("lm-cursor");
    const row = [...this.list.children].find((one) => one.dataset.id === this.cursor);
    row?.classList.add("lm-cursor");
    row?.scrollIntoView({ block: "nearest" });
  }

  drawPair() {
    const { pair } = this;
    this.both.hidden = !pair;
    if (!pair) {
      swap(this.asked, h("p.lm-empty", {}, this.state.can_search ? "Ask both something: /" : "There is no query."));
      return;
    }
    swap(
      this.asked,
      h("div.lm-rank-question", {}, icon("search"), h("b", {}, pair.query)),
      h(
        "div.lm-rank-facts",
        {},
        pair.measures
          .filter(([, left, right]) => left !== null || right !== null)
          .map(([words, left, right]) =>
            h("span", {}, h("span.lm-note", {}, `${words} `), `${figure(left)} / ${figure(right)}`),
          ),
        pair.relevant
          ? h("span.lm-rank-gold", {}, icon("ok"), `relevant: ${pair.relevant}`)
          : h("span.lm-note", {}, "nothing is judged of this query"),
        pair.unsupported.map((one) =>
          h("span.lm-s-error.lm-rank-claim", {}, icon("warn"), `no retrieved document supports: ${one}`),
        ),
        pair.missed.length ? h("span.lm-s-error", {}, icon("warn"), `found by neither: ${pair.missed.join(", ")}`) : "",
      ),
    );
    [pair.a, pair.b].forEach((hits, side) => {
      swap(
        this.columns[side],
        h("div.lm-rank-head", {}, h("b", {}, side ? "b" : "a"), h("span", {}, side ? this.state.b : this.state.a)),
        ...hits.map((hit, place) => this.cardOf(hit, side, place)),
        ...(hits.length ? [] : [h("p.lm-empty", {}, "It found nothing.")]),
      );
    });
    this.markHit();
    this.draw();
  }

  cardOf(hit, side, place) {
    const key = `${side}:${place}`;
    return hitCard(hit, {
      side,
      place,
      words: pieces(this.pair.query),
      isOpen: this.opened.has(key),
      around: this.around.get(key),
      best: (side ? this.pair.b : this.pair.a)[0][4],
      onclick: () => {
        this.place = [side, place];
        this.toggle();
      },
    });
  }

  draw() {
    drawMoves(this.lines, this.columns, this.pair, this.place);
  }

  // -- what is done -------------------------------------------------------------------------------------------------

  open(id) {
    if (id === this.cursor) return undefined;
    return this.pending.add(this.ask("open", { query: id }));
  }

  step(by) {
    if (!this.rows.length) return undefined;
    const at = this.rows.findIndex((row) => row[0] === this.cursor),
      next = at < 0 ? 0 : Math.min(this.rows.length - 1, Math.max(0, at + by));
    return this.open(this.rows[next][0]);
  }

  choose(i) {
    this.filter = i;
    this.drawList();
    this.markRow();
    this.focus();
    if (this.rows.length && !this.rows.some((row) => row[0] === this.cursor)) return this.open(this.rows[0][0]);
    return undefined;
  }

  hits(side = this.place[0]) {
    return this.pair ? (side ? this.pair.b : this.pair.a) : [];
  }

  stepHit(by) {
    const [side, place] = this.place,
      last = this.hits().length - 1;
    if (last < 0) return;
    this.place = [side, Math.min(last, Math.max(0, place + by))];
    this.markHit(true);
    this.draw();
  }

  /** The other ranking: the same thing there, where it is there. */
  swapSides() {
    const [side, place] = this.place,
      other = this.hits()[place]?.[6],
      there = this.hits(1 - side).length;
    if (!there) return;
    this.place = [1 - side, Math.min(there - 1, other ? other - 1 : place)];
    this.markHit(true);
    this.draw();
  }

  markHit(isSeen = false) {
    for (const one of this.both.querySelectorAll(".lm-cursor")) one.classList.remove("lm-cursor");
    const card = this.columns[this.place[0]].querySelector(`[data-place="${this.place[1]}"]`);
    card?.classList.add("lm-cursor");
    if (isSeen) card?.scrollIntoView({ block: "nearest" });
    this.root.dataset.hit = this.place.join(":");
  }

  async toggle() {
    const key = this.place.join(":"),
      [side, place] = this.place;
    if (!this.hits().length) return;
    if (!this.opened.delete(key)) {
      this.opened.add(key);
      if (!this.around.has(key)) {
        const { pair } = this,
          found = await this.ask("around", { side, place });
        if (pair !== this.pair) return;
        if (found) this.around.set(key, found);
      }
    }
    this.drawPair();
  }

  toggleAll() {
    const all = [0, 1].flatMap((side) => this.hits(side).map((_, place) => `${side}:${place}`));
    this.opened = this.opened.size < all.length ? new Set(all) : new Set();
    this.drawPair();
  }

  search() {
    const query = this.own.value.trim();
    this.focus();
    return query ? this.pending.add(this.ask("search", { query })) : undefined;
  }

  async copy() {
    this.focus();
    const answer = await this.ask("text");
    if (!answer) return;
    const isCopied = await copy(answer.text, this.root);
    this.say(isCopied ? "both rankings copied as text" : "this page may not copy; .text has it", "done");
  }

  // -- keys ---------------------------------------------------------------------------------------------------------

  commandOf(key) {
    return commandIn(key, KNOWN);
  }

  needed(command) {
    return ["help", "escape", "search"].includes(command) ? undefined : this.pending.all;
  }

  commands() {
    return {
      down: () => this.step(1),
      up: () => this.step(-1),
      pageDown: () => this.step(PAGE),
      pageUp: () => this.step(-PAGE),
      first: () => this.step(-1e9),
      last: () => this.step(1e9),
      next: () => this.stepHit(1),
      previous: () => this.stepHit(-1),
      swap: () => this.swapSides(),
      open: () => this.toggle(),
      all: () => this.toggleAll(),
      filter: () => this.choose((this.filter + 1) % FILTERS.length),
      search: () => {
        if (this.state.can_search) this.own.focus();
        else this.say("own queries need both indexes: explore(a, b) with their names");
      },
      copy: () => {
        this.copy();
      },
      help: () => this.toggleHelp(),
      escape: () => this.escape(),
    };
  }

  close() {
    this.sizes.disconnect();
    super.close();
  }
}

export default renders(RankingExplorerView);
