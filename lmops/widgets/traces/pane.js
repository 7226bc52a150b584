// One trace, read: what failed first, the waterfall, and the span under the cursor as the user saw it.

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
  pretty,
  relative,
  swap,
  tokenPair,
} from "../kit/dom.js";
import { Pending } from "../kit/keys.js";
import { Waterfall } from "./waterfall.js";

const ROLES = { system: "system", developer: "system", user: "user", assistant: "assistant", tool: "tool" };

/** Text with every hit of `needle` marked; returns nodes. */
export function marked(text, needle) {
  if (!needle) return [document.createTextNode(text)];
  const nodes = [],
    lower = text.toLowerCase(),
    wanted = needle.toLowerCase();
  let at = 0;
  for (let hit = lower.indexOf(wanted); hit >= 0 && nodes.length < 400; hit = lower.indexOf(wanted, at)) {
    nodes.push(document.createTextNode(text.slice(at, hit)), h("mark", {}, text.slice(hit, hit + needle.length)));
    at = hit + needle.length;
  }
  nodes.push(document.createTextNode(text.slice(at)));
  return nodes;
}

const fold = (label, nodes, isOpen = false) =>
  h("details.lm-fold", { open: isOpen }, h("summary", { tabindex: -1 }, label), nodes);

export class TracePane {
  /** `host`: {ask, view, now, root, say, focus, action(name), onClose, onMove(by), onPin(id), onTrace(id),
   *  onAction(name, id)} */
  constructor(host, { isPinned = false } = {}) {
    this.host = host;
    this.isPinned = isPinned;
    this.isRaw = false;
    this.needle = "";
    this.view = `${host.view}-${isPinned ? "p" : "d"}`;
    this.head = h("div.lm-pane-head");
    this.alert = h("div.lm-alert", { hidden: true });
    this.tree = new Waterfall({ view: this.view, onSpan: (index) => this.show(index) });
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
      this.tree.el,
      this.body,
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
    const wasReading = this.isSession && this.body.contains(document.activeElement);
    this.data = head;
    this.isSession = false;
    this.tree.clear();
    this.tree.setDuration(head.duration_ms ?? 0);
    this.tree.el.scrollTop = 0;
    this.tree.el.hidden = false;
    this.tree.el.style.setProperty("--lm-rows", Math.min(tree.total, 14));
    this.tree.add(tree, tree.total);
    this.drawHead();
    this.drawAlert();
    this.show(Math.min(head.first, this.tree.rows.length - 1));
    this.el.dataset.ready = "true";
    if (wasReading) this.host.focus();
    if (this.needle) this.searchNow();
    return tree;
  }

  async loadRest(traceId) {
    while (this.traceId === traceId && this.tree.rows.length < this.tree.total) {
      const more = await this.host.ask("spans", { trace_id: traceId, start: this.tree.rows.length });
      if (this.traceId !== traceId || !more?.tree.rows.length) return;
      this.tree.add(more.tree, more.tree.total);
    }
  }

  drawHead() {
    const { data, host } = this,
      fact = (value, title) => (value ? h("span.lm-fact", { title }, value) : null);
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
          button("session", "session", () => this.session(), {
            title: data.session_id ? "all turns of this conversation  s" : "this trace belongs to no session",
            disabled: !data.session_id,
          }),
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
        tools,
      ),
      h(
        "div.lm-facts",
        {},
        h(
          "div.lm-fact-list",
          {},
          fact(duration(data.duration_ms) || "no times", "duration"),
          fact(plural(data.span_count, "span"), ""),
          fact(plural(data.call_count, "model call"), "billable model calls"),
          fact(tokens, "input → output"),
          fact(cost, "cost"),
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
    return button(sign, label, () => this.host.onAction(name, this.traceId), {
      title: isThere ? title : hint,
      disabled: !isThere,
      cls: "lm-later",
    });
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
    if (this.isSession) this.drawSession(false);
    this.tree.select(index);
    const traceId = this.traceId;
    const answer = await this.host.ask("span", { trace_id: traceId, index });
    if (!answer || this.traceId !== traceId || this.tree.cursor !== index || this.isSession) return;
    this.span = answer.span;
    this.drawSpan();
  }

  drawSpan() {
    const { span } = this;
    if (this.isSession) return;
    const text = (value) => marked(value, this.needle);
    const block = (value, cls = "") => h(`pre.lm-text${cls}`, {}, text(pretty(value)));
    const parts = [
      h(
        "div.lm-span-head",
        {},
        icon(span.facts.find(([name]) => name === "kind")?.[1] ?? "unknown"),
        h("strong", {}, text(span.name)),
        h("span.lm-fact", {}, duration(span.latency_ms)),
        h("span.lm-gap"),
        button("code", this.isRaw ? "as the user saw it" : "raw attributes", () => this.toggleRaw(), {
          title: "raw attributes  r",
        }),
      ),
    ];
    if (span.error_message || span.error_type)
      parts.push(
        h(
          "div.lm-message.lm-role-error",
          {},
          h("div.lm-role", {}, icon("error"), h("span", {}, span.error_type ?? "error")),
          block(span.error_message ?? ""),
        ),
      );
    if (this.isRaw) {
      parts.push(
        fold("attributes", block(span.attributes), true),
        span.events ? fold("events", block(span.events), true) : null,
        fold("resource", block(span.resource)),
      );
    } else {
      const role = (message, fallback) => (span.is_conversation ? message.role : fallback);
      for (const message of span.input) parts.push(this.message(message, role(message, "input"), text));
      parts.push(...span.documents.map((document) => this.document(document, text)));
      for (const message of span.output)
        if (!span.documents.length) parts.push(this.message(message, role(message, "output"), text));
      if (!span.input.length && !span.output.length && !span.documents.length)
        parts.push(h("p.lm-note", {}, "this span carries no input or output; its attributes may"));
    }
    const left = [
      span.more && `${count(span.more)} more items`,
      span.omitted && `${count(span.omitted)} more characters`,
    ].filter(Boolean);
    if (left.length) parts.push(h("p.lm-note", {}, `${left.join(", ")}: ws.traces.get(id) has all`));
    parts.push(
      h(
        "dl.lm-dl",
        {},
        span.facts.map(([name, value]) =>
          h("div", {}, h("dt", {}, name), h("dd", { title: String(value) }, text(String(value)))),
        ),
      ),
    );
    swap(this.body, ...parts.filter(Boolean));
    if (Number(this.body.dataset.index) !== span.index) this.body.scrollTop = this.bodyTop = 0;
    this.body.dataset.index = span.index;
  }

  message(message, role, text) {
    const isLong = (message.content?.length ?? 0) > 1_500;
    const calls = (message.tool_calls ?? []).map((call) =>
      fold(
        [
          icon("tool"),
          h("strong", {}, call.name || "tool"),
          h("span.lm-preview", {}, (call.arguments ?? "").replace(/\s+/g, " ").slice(0, 120)),
        ],
        h("pre.lm-text", {}, text(pretty(call.arguments))),
      ),
    );
    const content = message.content
      ? h(`pre.lm-text${isLong ? ".lm-long" : ""}`, {}, text(pretty(message.content)))
      : null;
    const isFolded = role === "system" || (role === "tool" && (message.content?.length ?? 0) > 300);
    const label = [h("span", {}, role), message.name ? h("span.lm-fact", {}, message.name) : null];
    const reasoning = message.reasoning
      ? fold([h("span", {}, "reasoning")], h("pre.lm-text", {}, text(message.reasoning)))
      : null;
    const hasHit = Boolean(this.needle) && (message.content ?? "").toLowerCase().includes(this.needle.toLowerCase());
    const inner =
      isFolded && content
        ? [
            fold(
              [
                ...label.map((node) => node),
                h("span.lm-preview", {}, message.content.replace(/\s+/g, " ").slice(0, 140)),
              ],
              content,
              hasHit,
            ),
          ]
        : [h("div.lm-role", {}, label), reasoning, content, calls];
    return h(`div.lm-message.lm-role-${ROLES[role] ?? "other"}`, {}, inner.flat());
  }

  document(document, text) {
    const label = [
      icon("retriever"),
      h("strong", {}, document.id ?? `document ${document.rank ?? ""}`),
      document.score === null ? null : h("span.lm-fact", { title: "score" }, `score ${+document.score.toPrecision(4)}`),
    ];
    const bar =
      document.score !== null && document.score >= 0 && document.score <= 1 ? h("span.lm-score", {}, h("i")) : null;
    if (bar) {
      bar.firstChild.style.width = `${100 * document.score}%`;
      label.push(bar);
    }
    return h(
      "div.lm-message.lm-document",
      {},
      h("div.lm-role", {}, label),
      document.content ? h("pre.lm-text.lm-long", {}, text(document.content)) : null,
      document.metadata && document.metadata !== "{}"
        ? fold("metadata", h("pre.lm-text", {}, text(pretty(document.metadata))))
        : null,
    );
  }

  toggleRaw() {
    this.isRaw = !this.isRaw;
    if (this.span) this.drawSpan();
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
    this.needle = text;
    const answer = text ? await this.host.ask("find", { trace_id: traceId, text }) : { indexes: [], total: 0 };
    if (!answer || traceId !== this.traceId || text !== this.needle) return;
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

  /** All turns of the conversation, in order, in the place of the waterfall. */
  async session() {
    const { session_id: sessionId } = this.data ?? {};
    if (!sessionId) return;
    if (this.isSession) {
      this.drawSession(false);
      if (this.span) this.drawSpan();
      this.host.focus();
      return;
    }
    await this.busy.add(this.openSession(sessionId));
  }

  async openSession(sessionId) {
    const { traceId } = this,
      answer = await this.host.ask("session", { session_id: sessionId });
    if (!answer || traceId !== this.traceId) return;
    this.drawSession(true);
    this.turns = answer.turns.map((turn) => turn.trace_id);
    const turns = answer.turns.map((turn, i) =>
      h(
        "div.lm-turn",
        {},
        h(
          "div.lm-role",
          {},
          h("span", {}, `turn ${i + 1}`),
          h(
            `span.lm-s-${turn.status === "error" ? "error" : "ok"}`,
            {},
            icon(turn.status === "error" ? "error" : "ok"),
            h("span", {}, turn.error_type ?? turn.status),
          ),
          h("span.lm-fact", { title: "UTC" }, exact(turn.start_ms)),
          h("span.lm-fact", {}, duration(turn.latency_ms)),
          h("span.lm-fact", {}, dollars(turn.cost_usd)),
          h("span.lm-gap"),
          turn.trace_id === traceId
            ? h("span.lm-fact", {}, "this trace")
            : button("right", "open", () => this.host.onTrace(turn.trace_id)),
        ),
        turn.input ? h("div.lm-message.lm-role-user", {}, h("pre.lm-text", {}, turn.input)) : null,
        turn.output ? h("div.lm-message.lm-role-assistant", {}, h("pre.lm-text", {}, turn.output)) : null,
      ),
    );
    swap(
      this.body,
      h(
        "div.lm-span-head",
        {},
        icon("session"),
        h("strong", {}, `session ${sessionId}`),
        h("span.lm-fact", {}, plural(answer.total, "turn")),
        h("span.lm-gap"),
        button("close", "back to the trace", () => this.session()),
      ),
      ...turns,
    );
    if (answer.total > answer.turns.length)
      this.body.append(
        h(
          "p.lm-note",
          {},
          `${count(answer.total - answer.turns.length)} more turns: ws.traces.search("session_id = ...") has all`,
        ),
      );
    this.body.dataset.session = sessionId;
    this.goToTurn(Math.max(0, this.turns.indexOf(traceId)));
    this.host.focus();
  }

  goToTurn(turn) {
    this.turn = turn;
    const els = this.body.querySelectorAll(".lm-turn");
    els.forEach((el, i) => el.classList.toggle("lm-cursor", i === turn));
    const el = els[turn];
    if (!el) return;
    const top = el.offsetTop - 34,
      bottom = el.offsetTop + el.offsetHeight + 8 - this.body.clientHeight;
    this.body.scrollTop = Math.min(top, Math.max(this.body.scrollTop, bottom));
  }

  // -- keys: they mean the spans, or the turns of the conversation --------------------------------------------------

  get focusable() {
    return this.isSession ? this.body : this.tree.el;
  }

  move(by) {
    if (this.isSession) this.goToTurn(Math.min(this.turns.length - 1, Math.max(0, this.turn + by)));
    else this.tree.move(by);
  }

  sideways(direction) {
    if (!this.isSession) this.tree.sideways(direction);
  }

  enter() {
    if (!this.isSession) this.tree.toggle(this.tree.cursor);
    else if (this.turns[this.turn] === this.traceId) this.session();
    else this.host.onTrace(this.turns[this.turn]);
  }

  drawSession(isSession) {
    this.isSession = isSession;
    this.tree.el.hidden = isSession;
    this.alert.hidden = isSession || !this.data?.error;
    delete this.body.dataset.session;
  }

  close() {
    clearTimeout(this.typing);
    this.sizes.disconnect();
    this.tree.close();
  }
}
