// One trace, read: what failed, what was answered, and below it the waterfall with who called whom.

import {
  button,
  chatFirst,
  copy,
  count,
  dollars,
  duration,
  exact,
  h,
  icon,
  plural,
  relative,
  swap,
  tokenPair,
} from "../kit/dom.js";
import { Pending } from "../kit/keys.js";
import { Graph } from "./graph.js";
import { SpanReader } from "./span.js";
import { diffNodes, pieceNodes, sessionNodes, signed } from "./turns.js";
import { Waterfall } from "./waterfall.js";

export class TracePane {
  /** `host`: {ask, view, now, root, say, focus, action(name), onClose, onMove(by), onPin(id), onTrace(id),
   *  onAction(name, id), onTry(id, index)} */
  constructor(host, { isPinned = false } = {}) {
    this.host = host;
    this.isPinned = isPinned;
    //: the pane beside this one: two traces share one time axis, and what differs is said
    this.other = null;
    this.view = `${host.view}-${isPinned ? "p" : "d"}`;
    this.head = h("div.lm-pane-head");
    this.alert = h("div.lm-alert", { hidden: true });
    this.tree = new Waterfall({ view: this.view, onSpan: (index) => this.show(index) });
    this.graph = new Graph({ view: this.view, onNode: (index) => this.show(index) });
    this.reader = new SpanReader({
      ask: (kind, params) => host.ask(kind, { trace_id: this.traceId, ...params }),
      redraw: () => this.span && this.drawSpan(),
      show: (index) => this.show(index),
      tryCall: (index) => host.onTry(this.traceId, index),
    });
    this.body = h("div.lm-body", { tabindex: 0, role: "region", "aria-label": "span" });
    this.bodyTop = 0;
    this.body.addEventListener(
      "scroll",
      () => {
        if (this.body.clientHeight) this.bodyTop = this.body.scrollTop;
      },
      { passive: true },
    );
    this.sizes = new ResizeObserver(() => {
      if (this.body.clientHeight && this.body.scrollTop !== this.bodyTop) this.body.scrollTop = this.bodyTop;
    });
    this.sizes.observe(this.body);
    this.find = h("input.lm-find", {
      type: "search",
      placeholder: "find in trace",
      "aria-label": "find in trace",
      spellcheck: "false",
    });
    this.find.addEventListener("input", () => this.search());
    this.find.addEventListener("keydown", (event) => this.findKey(event));
    this.hits = h("span.lm-hits", { "aria-live": "polite" });
    this.el = h(
      `section.lm-pane${isPinned ? ".lm-pinned" : ""}`,
      { "aria-label": isPinned ? "pinned trace" : "trace" },
      this.head,
      this.alert,
      this.body,
      h("div.lm-lower", {}, this.tree.el, this.graph.el),
    );
    this.traceId = null;
    this.busy = new Pending(); // what changes the meaning of keys: the tree, the conversation
    this.rest = new Pending(); // of a large tree
  }

  get isOpen() {
    return !this.el.hidden;
  }

  async open(traceId) {
    if (this.traceId === traceId) return;
    this.traceId = traceId;
    this.el.dataset.traceId = traceId;
    this.el.dataset.ready = "false";
    const tree = await this.busy.add(this.load(traceId));
    if (!tree) return;
    await this.rest.add(this.loadRest(traceId));
    const { first } = this.data;
    if (this.traceId === traceId && first >= tree.rows.length && this.tree.cursor === tree.rows.length - 1)
      this.show(first);
  }

  /** Read a trace and show it as far as its first part goes; returns that part, unless another trace was opened. */
  async load(traceId) {
    const answer = await this.host.ask("trace", { trace_id: traceId });
    if (this.traceId !== traceId) return undefined;
    if (!answer) {
      this.traceId = null;
      return undefined;
    }
    const { head, tree } = answer;
    const wasReading = this.rows && this.body.contains(document.activeElement);
    this.data = head;
    this.read(null);
    this.tree.clear();
    this.tree.el.scrollTop = 0;
    this.tree.el.style.setProperty("--lm-rows", Math.min(tree.total, 14));
    this.tree.add(tree, tree.total);
    this.compare();
    this.other?.compare();
    this.drawAlert();
    if (this.graph.isOpen) this.loadGraph();
    this.show(Math.min(head.first, this.tree.rows.length - 1));
    this.el.dataset.ready = "true";
    if (wasReading) this.host.focus();
    if (this.reader.needle) this.searchNow();
    return tree;
  }

  async loadRest(traceId) {
    while (this.traceId === traceId && this.tree.rows.length < this.tree.total) {
      const more = await this.host.ask("spans", { trace_id: traceId, start: this.tree.rows.length });
      if (this.traceId !== traceId || !more?.tree.rows.length) return;
      this.tree.add(more.tree, more.tree.total);
    }
  }

  /** Show the trace on the axis that both of two share, and how it differs from the pinned one. */
  compare() {
    if (!this.data) return;
    this.tree.setDuration(Math.max(this.data.duration_ms ?? 0, this.other?.data?.duration_ms ?? 0));
    this.tree.rebuild();
    this.drawHead();
  }

  /** How a number differs from that of the pinned trace; nothing where no trace is pinned, or one is not known. */
  change(name, show) {
    const before = this.isPinned ? null : (this.other?.data?.[name] ?? null),
      now = this.data[name] ?? null;
    if (before === null || now === null || before === now) return null;
    return h("b.lm-change", { title: `pinned ${show(before)}, here ${show(now)}` }, signed(now - before, show));
  }

  drawHead() {
    const { data, host } = this,
      fact = (value, title, ...more) => (value ? h("span.lm-fact", { title }, value, more) : null);
    const pair = tokenPair(data.input_tokens, data.output_tokens);
    const tokens = pair && `${pair} tokens`;
    const cost =
      data.cost_usd === null
        ? data.unpriced_calls
          ? "cost unknown"
          : ""
        : dollars(data.cost_usd) + (data.unpriced_calls ? ` + ${data.unpriced_calls} unpriced` : "");
    const tools = this.isPinned
      ? [button("close", "unpin", () => host.onPin(null), { text: "unpin" })]
      : [
          button("up", "previous trace", () => host.onMove(-1), { text: "", title: "previous trace  [" }),
          button("down", "next trace", () => host.onMove(1), { text: "", title: "next trace  ]" }),
          button("pin", "pin", () => host.onPin(this.traceId), {
            title: "pin this trace and see another beside it  p",
          }),
          this.other
            ? button("columns", "diff", () => this.diff(), { title: "what differs from the pinned trace  d" })
            : null,
          button("agent", "graph", () => this.toggleGraph(), { title: "who called whom  n" }),
          data.session_id
            ? button("session", "session", () => this.session(), { title: "all turns of this conversation  s" })
            : null,
          this.actionButton("dataset", "add", "add this trace to a dataset  a"),
          this.actionButton("labeling", "label", "send this trace to labeling  l"),
          button("close", "close", () => host.onClose(), { text: "", title: "close  Esc" }),
        ];
    swap(
      this.head,
      h(
        "div.lm-title",
        {},
        h(
          `span.lm-s-${data.status === "error" ? "error" : data.status === "ok" ? "ok" : "unset"}`,
          {},
          icon(data.status === "error" ? "error" : data.status === "ok" ? "ok" : "unset"),
          h("span", {}, data.status),
        ),
        h("strong", { title: data.name }, data.name),
        button("copy", "copy the trace id", () => this.copyId(), {
          text: data.trace_id.slice(0, 8),
          title: `copy ${data.trace_id}  y`,
          cls: "lm-mono",
        }),
        h("span.lm-gap"),
        tools.filter(Boolean),
      ),
      h(
        "div.lm-facts",
        {},
        h(
          "div.lm-fact-list",
          {},
          fact(duration(data.duration_ms) || "no times", "duration", this.change("duration_ms", duration)),
          fact(plural(data.span_count, "span"), ""),
          fact(plural(data.call_count, "model call"), "billable model calls"),
          fact(tokens, "input → output", this.change("input_tokens", count), this.change("output_tokens", count)),
          fact(cost, "cost", this.change("cost_usd", dollars)),
          fact(relative(data.start_ms, host.now()), `${exact(data.start_ms)} UTC`),
          data.models.length
            ? h("span.lm-fact.lm-models", { title: data.models.join(", ") }, chatFirst(data.models).join(", "))
            : null,
          data.is_orphan ? fact("no root span", "the root span has not arrived") : null,
        ),
        this.hits,
        this.find,
      ),
    );
  }

  actionButton(name, sign, title) {
    const { label, hint, is_there: isThere } = this.host.action(name);
    const el = button(sign, label, () => this.host.onAction(name, this.traceId), {
      title: isThere ? title : hint,
      disabled: !isThere,
      cls: "lm-later",
    });
    el.hidden = !isThere && !hint;
    return el;
  }

  drawAlert() {
    const { error, errors } = this.data;
    this.alert.hidden = !error;
    if (!error) return;
    swap(
      this.alert,
      icon("error"),
      h("strong", {}, error.type ?? "error"),
      h("span.lm-alert-text", { title: error.message }, error.message || "no message"),
      button(
        null,
        errors.length > 1 ? `next of ${errors.length} errors` : "show the failing span",
        () => this.nextError(),
        { title: "go to the failing span  e" },
      ),
    );
  }

  nextError() {
    const errors = this.data?.errors ?? [];
    if (errors.length) this.show(errors[(errors.indexOf(this.tree.cursor) + 1) % errors.length]);
  }

  async show(index) {
    if (index < 0) return;
    if (this.rows) this.read(null);
    this.tree.select(index);
    const traceId = this.traceId;
    const answer = await this.host.ask("span", { trace_id: traceId, index });
    if (!answer || this.traceId !== traceId || this.tree.cursor !== index || this.rows) return;
    this.span = answer.span;
    this.drawSpan();
  }

  drawSpan() {
    const { span } = this;
    if (this.rows) return;
    swap(this.body, ...this.reader.nodes(span));
    if (Number(this.body.dataset.index) !== span.index) this.body.scrollTop = this.bodyTop = 0;
    this.body.dataset.index = span.index;
  }

  toggleRaw() {
    this.reader.toggle("isRaw");
  }
  togglePlain() {
    this.reader.toggle("isPlain");
  }

  /** Open or shut what went into the span. */
  toggleInput() {
    this.body.querySelector(".lm-asked > summary")?.click();
  }

  // -- who called whom -----------------------------------------------------------------------------------------------

  toggleGraph() {
    this.graph.el.hidden = this.graph.isOpen;
    this.el.classList.toggle("lm-with-graph", this.graph.isOpen);
    if (this.graph.isOpen) this.busy.add(this.loadGraph()).then(() => this.graph.el.focus({ preventScroll: true }));
    else this.host.focus();
  }

  async loadGraph() {
    const { traceId } = this,
      answer = await this.host.ask("graph", { trace_id: traceId });
    if (answer && traceId === this.traceId) this.graph.set(answer.edges, answer.root);
  }

  async copyId() {
    this.host.say(
      (await copy(this.traceId, this.host.root)) ? "trace id copied" : `could not copy; the id is ${this.traceId}`,
    );
  }

  search() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.searchNow(), 150);
  }

  searchNow() {
    this.typing = clearTimeout(this.typing);
    this.finding = this.mark(this.find.value.trim());
  }

  /** Mark the spans that have a text, and go to one. */
  async mark(text) {
    const { traceId } = this;
    this.reader.needle = text;
    const answer = text ? await this.host.ask("find", { trace_id: traceId, text }) : { indexes: [], total: 0 };
    if (!answer || traceId !== this.traceId || text !== this.reader.needle) return;
    this.found = answer.indexes;
    this.tree.found = new Set(answer.indexes);
    this.hits.textContent = !text ? "" : answer.total ? `in ${plural(answer.total, "span")}` : "nowhere";
    this.tree.rebuild();
    if (this.found.length && !this.tree.found.has(this.tree.cursor)) this.show(this.found[0]);
    else if (this.span) this.drawSpan();
  }

  /** Enter goes to the next span that was found, also when it comes before the answer. */
  async findKey(event) {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    if (this.typing) this.searchNow();
    await this.finding;
    if (!this.found?.length) return;
    const at = this.found.indexOf(this.tree.cursor),
      step = event.shiftKey ? -1 : 1;
    this.show(this.found[(at + step + this.found.length) % this.found.length]);
  }

  // -- rows in the place of a span: the turns of a conversation, what differs ----------------------------------------

  /** Read some rows, {name, enter(place)}; null goes back to the span. */
  read(rows, ...nodes) {
    this.rows = rows;
    this.el.classList.toggle("lm-with-rows", Boolean(rows));
    this.alert.hidden = Boolean(rows) || !this.data?.error;
    delete this.body.dataset.session;
    if (rows) swap(this.body, ...nodes);
  }

  /** Go back from the rows to the span. */
  back() {
    this.read(null);
    if (this.span) this.drawSpan();
    this.host.focus();
  }

  /** All turns of the conversation, in order. */
  async session() {
    const { session_id: sessionId } = this.data ?? {};
    if (this.rows?.name === "session") this.back();
    else if (sessionId) await this.busy.add(this.openSession(sessionId));
  }

  async openSession(sessionId) {
    const { traceId } = this,
      answer = await this.host.ask("session", { session_id: sessionId });
    if (!answer || traceId !== this.traceId) return;
    const ids = answer.turns.map((turn) => turn.trace_id);
    const enter = (place) => (ids[place] === this.traceId ? this.back() : this.host.onTrace(ids[place]));
    const host = { onTrace: (id) => this.host.onTrace(id), onClose: () => this.back() };
    this.read({ name: "session", enter }, ...sessionNodes(answer, sessionId, traceId, host));
    this.body.dataset.session = sessionId;
    this.goToRow(Math.max(0, ids.indexOf(traceId)));
    this.host.focus();
  }

  /** What differs from the pinned trace, span by span; the words of a span when it is opened. */
  async diff() {
    const { traceId } = this,
      left = this.other?.traceId;
    if (this.rows?.name === "diff") this.back();
    else if (!left || this.isPinned)
      this.host.say("pin a trace (p) and open another one beside it to see what differs");
    else {
      const answer = await this.busy.add(this.host.ask("diff", { left, trace_id: traceId }));
      if (!answer || traceId !== this.traceId) return;
      const enter = (place) => this.busy.add(this.openWords(left, answer.rows[place]));
      const host = { onClose: () => this.back(), onRow: (place) => this.goToRow(place, enter) };
      this.read({ name: "diff", enter }, ...diffNodes(answer, host));
      this.goToRow(0);
      this.host.focus();
    }
  }

  /** Show or hide the words of one row that differ, and the numbers of both sides. */
  async openWords(left, row) {
    const { traceId, rows } = this,
      place = row.place,
      el = this.body.querySelectorAll(".lm-turn")[place].querySelector(".lm-words");
    el.hidden = !el.hidden;
    if (el.hidden || el.childElementCount) return;
    const answer = await this.host.ask("diff_words", { left, trace_id: traceId, index: row.place });
    if (!answer || rows !== this.rows) return;
    const texts = answer.texts.map(([name, pieces]) => [
      h("div.lm-role", {}, h("span", {}, name)),
      pieces.length ? pieceNodes(pieces) : null,
    ]);
    const facts = answer.facts.map(([name, before, after]) =>
      h("p.lm-measure", {}, h("span.lm-note", {}, name), ` ${before ?? "–"} → ${after ?? "–"}`),
    );
    swap(
      el,
      ...(texts.length + facts.length
        ? [facts, texts].flat(3).filter(Boolean)
        : [h("p.lm-note", {}, "the same words")]),
    );
  }

  goToRow(place, then) {
    this.row = place;
    const els = this.body.querySelectorAll(".lm-turn");
    els.forEach((el, i) => el.classList.toggle("lm-cursor", i === place));
    const el = els[place];
    if (!el) return;
    const top = el.offsetTop - 34,
      bottom = el.offsetTop + el.offsetHeight + 8 - this.body.clientHeight;
    this.body.scrollTop = Math.min(top, Math.max(this.body.scrollTop, bottom));
    then?.(place);
  }

  // -- keys: they mean the spans, the graph, or the rows -------------------------------------------------------------

  get focusable() {
    if (this.rows) return this.body;
    return this.graph.hasFocus ? this.graph.el : this.tree.el;
  }

  move(by) {
    if (this.rows) {
      const last = this.body.querySelectorAll(".lm-turn").length - 1;
      this.goToRow(Math.min(last, Math.max(0, this.row + by)));
    } else if (this.graph.hasFocus) this.graph.move(0, Math.sign(by));
    else this.tree.move(by);
  }

  sideways(direction) {
    if (this.rows) return;
    if (this.graph.hasFocus) this.graph.move(direction, 0);
    else this.tree.sideways(direction);
  }

  enter() {
    if (this.rows) this.rows.enter(this.row);
    else if (this.graph.hasFocus) this.graph.enter();
    else this.tree.toggle(this.tree.cursor);
  }

  close() {
    clearTimeout(this.typing);
    this.sizes.disconnect();
    this.tree.close();
    this.graph.close();
  }
}
