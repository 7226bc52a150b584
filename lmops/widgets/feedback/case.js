// One case as its user saw it: the conversation, the answer, its sources, its tools; what lies behind it on demand.

import { button, duration, exact, h, icon, plural, swap } from "../kit/dom.js";
import { indented } from "../kit/json_tree.js";
import { Media } from "../kit/media.js";
import { toUnits } from "./answers.js";

/** Pictures, turns and opinions are asked for when somebody stays with a case. */
const STAYS_MS = 150;
const LONG = 1_200;

const fold = (label, nodes, isOpen = false) => h("details.lm-fold", { open: isOpen }, h("summary", {}, label), nodes);
const text = (words, cls = "") => h(`div.lm-text${cls}`, {}, words ?? "");
const code = (words) => h("pre.lm-text.lm-code", {}, indented(words ?? ""));
const preview = (words) => h("span.lm-preview", {}, (words ?? "").replace(/\s+/g, " ").slice(0, 140));

export class CasePane {
  /** `host`: {ask, stretches(): of the output, cursor(): a stretch that is looked at, isDone(), words(said),
   *  again(): look for a case} */
  constructor(host) {
    this.host = host;
    this.el = h("section.lm-case", { tabindex: -1, role: "region", "aria-label": "case" });
    this.item = null;
    this.extra = null;
  }

  draw(item) {
    if (this.item?.position !== item?.position) this.extra = null;
    this.item = item;
    clearTimeout(this.staying);
    const { case: found } = item;
    this.answer = h("div.lm-text.lm-output");
    this.turns = h("div.lm-turns", { hidden: true });
    this.after = h("div.lm-after", { hidden: true });
    this.rawBox = h("div.lm-raw", { hidden: true });
    this.media = new Media([]);
    swap(this.el, this.head(item), ...(found ? this.parts(found) : [h("p.lm-note.lm-wait", {}, "reading …")]));
    this.el.scrollTop = 0;
    if (!found) return;
    this.drawOutput();
    this.staying = setTimeout(() => this.stay(item), STAYS_MS);
  }

  head(item) {
    const found = item.case ?? {};
    const fact = (words, title) => (words ? h("span.lm-fact", { title }, words) : null);
    this.rawButton = button("code", "everything that the trace holds", () => this.raw(), {
      text: "raw",
      title: "raw  R",
    });
    this.turnsButton = button("session", "other turns of the conversation", () => this.showTurns(), {
      text: "turns",
      title: "other turns of the conversation  T",
      disabled: !found.has_session,
    });
    return h(
      "div.lm-case-head",
      {},
      h("strong", {}, `#${item.position}`),
      fact(found.start_ms && exact(found.start_ms).slice(0, 16), "UTC"),
      fact(duration(found.duration_ms), "how long the user waited"),
      h("span.lm-gap"),
      found.trace_id ? [this.turnsButton, this.rawButton] : null,
    );
  }

  parts(found) {
    if (found.missing)
      return [h("div.lm-missing-case", {}, icon("warn"), h("span", {}, `${found.missing}. You can skip it.`))];
    this.media = new Media(found.media);
    return [
      this.turns,
      found.input.map(([name, words]) => this.said(name || "input", text(words))),
      found.conversation.map((one) => this.message(one)),
      this.media.nodes(false),
      this.said("answer", [
        found.is_failed ? this.failure(found.error) : null,
        found.output || !found.is_failed ? this.answer : null,
        this.media.nodes(true),
      ]),
      this.after,
      found.expected === null ? null : fold([h("b", {}, "expected"), preview(found.expected)], text(found.expected)),
      this.documents(found.documents),
      found.tools.map((one) => this.tool(one)),
      found.error && !found.is_failed
        ? fold([icon("error"), h("b", {}, "a step failed on the way")], this.failure(found.error))
        : null,
      found.behind.length
        ? fold(
            [h("b", {}, "what the model was given"), h("span.lm-fact", {}, plural(found.behind.length, "message"))],
            found.behind.map((one) => this.said(one.role, text(one.content))),
          )
        : null,
      found.omitted
        ? h("p.lm-note", {}, `${plural(found.omitted, "more character")}: ws.traces.get(id) has all`)
        : null,
      this.rawBox,
    ]
      .flat()
      .filter(Boolean);
  }

  said(role, nodes) {
    const known = ["user", "assistant", "tool", "system"].includes(role)
      ? role
      : role === "answer"
        ? "answer"
        : "other";
    return h(`div.lm-message.lm-role-${known}`, {}, h("div.lm-role", {}, role), nodes);
  }

  failure([type, words]) {
    return h("div.lm-case-error", {}, icon("error"), h("b", {}, type ?? "error"), h("span", {}, words));
  }

  message(one) {
    const calls = one.tool_calls.map((call) =>
      fold([icon("tool"), h("b", {}, call.name || "tool"), preview(call.arguments)], code(call.arguments)),
    );
    if (one.role === "tool")
      return fold([icon("tool"), h("b", {}, one.name ?? "tool"), preview(one.content)], code(one.content));
    return this.said(one.role, [one.content ? text(one.content) : null, calls]);
  }

  documents(found) {
    if (!found.length) return null;
    const isUsed = (one) => one.is_cited || one.parts.some(([, used]) => used);
    return h(
      "div.lm-sources",
      {},
      h(
        "div.lm-role",
        {},
        h("span", {}, plural(found.length, "source")),
        h("span.lm-fact", {}, found.some(isUsed) ? "sentences that the answer shares words with are marked" : ""),
      ),
      found.map((one) => {
        const words = one.parts.map(([words]) => words).join("");
        const label = [
          icon("retriever"),
          h("b", {}, one.id ?? "document"),
          one.is_cited ? h("span.lm-cited", {}, "cited") : null,
          one.score === null ? null : h("span.lm-fact", { title: "score" }, String(+one.score.toPrecision(3))),
          preview(words),
        ];
        return fold(
          label,
          h(
            "div.lm-text",
            {},
            words
              ? one.parts.map(([part, used]) => (used ? h("mark", {}, part) : part))
              : "the trace has no text of it",
          ),
          isUsed(one) && words.length < LONG,
        );
      }),
    );
  }

  tool(one) {
    const label = [
      icon("tool"),
      h("b", {}, one.name),
      one.error ? h("span.lm-s-error", {}, icon("error"), h("span", {}, one.error.slice(0, 80))) : null,
      h("span.lm-fact", {}, duration(one.latency_ms)),
      preview(one.arguments),
    ];
    return fold(label, [code(one.arguments), one.result === null ? null : code(one.result)]);
  }

  // -- the output, and what is marked in it ------------------------------------------------------------------------

  drawOutput() {
    const { output } = this.item.case ?? {};
    if (!output) {
      swap(this.answer, h("span.lm-note", {}, "there is no answer"));
      return;
    }
    const marks = this.host
      .stretches()
      .map((one) => ({
        from: toUnits(output, one.start),
        to: toUnits(output, one.end),
        cls: ".lm-stretch",
        title: one.name,
      }));
    const cursor = this.host.cursor();
    if (cursor) marks.push({ from: cursor[0], to: cursor[1], cls: ".lm-looked", title: undefined });
    const edges = [...new Set([0, output.length, ...marks.flatMap(({ from, to }) => [from, to])])].sort(
      (a, b) => a - b,
    );
    const parts = edges.slice(1).map((to, i) => {
      const over = marks.filter((one) => one.from <= edges[i] && to <= one.to);
      const words = output.slice(edges[i], to);
      if (!over.length) return words;
      return h(`mark${[...new Set(over.map((one) => one.cls))].join("")}`, { title: over[0].title }, words);
    });
    swap(this.answer, ...parts);
  }

  /** What is selected of the output, as [from, to]; null when nothing is. */
  selection() {
    const chosen = document.getSelection();
    if (!chosen?.rangeCount || chosen.isCollapsed) return null;
    const range = chosen.getRangeAt(0);
    if (!this.answer?.contains(range.startContainer) || !this.answer.contains(range.endContainer)) return null;
    const before = document.createRange();
    before.setStart(this.answer, 0);
    before.setEnd(range.startContainer, range.startOffset);
    const from = before.toString().length;
    return [from, from + range.toString().length];
  }

  // -- what is asked for when somebody stays -------------------------------------------------------------------------

  stay(item) {
    this.media.load((index) => this.host.ask("medium", { position: item.position, index }));
    if (this.host.isDone(item)) this.showAfter(item);
  }

  async showAfter(item) {
    const answer = await this.host.ask("after", { position: item.position });
    if (!answer || this.item !== item) return;
    const rows = [
      ...answer.others.map(({ rater, said }) => [
        "others",
        rater,
        this.host.words(said),
        said?.verdict?.critique ?? "",
      ]),
      ...answer.opinions.map(({ name, value, why, by }) => [by === "scorer" ? "judge" : by, name, value, why]),
    ];
    this.after.hidden = !rows.length;
    swap(
      this.after,
      h("div.lm-role", {}, "what others say"),
      h(
        "dl.lm-opinions",
        {},
        rows.map(([by, name, value, why]) => [
          h("dt", {}, h("span", {}, name), h("span.lm-note", {}, by)),
          h("dd", {}, h("b", {}, value), why ? h("span.lm-note", {}, why) : null),
        ]),
      ),
    );
  }

  async showTurns() {
    if (!this.turns.hidden) {
      this.turns.hidden = true;
      return;
    }
    const { item } = this;
    const answer = await this.host.ask("session", { position: item.position });
    if (!answer || this.item !== item) return;
    this.turns.hidden = false;
    swap(
      this.turns,
      h("div.lm-role", {}, plural(answer.total, "turn")),
      ...answer.turns.map((turn, i) =>
        turn.is_this
          ? h("div.lm-turn.lm-this", {}, h("b", {}, i + 1), h("span", {}, "this case"))
          : h(
              "div.lm-turn",
              {},
              h("b", {}, i + 1),
              h("div", {}, text(turn.input), text(turn.output || turn.error_type || "", ".lm-faint")),
            ),
      ),
    );
    this.el.scrollTop = 0;
  }

  async raw() {
    if (!this.rawBox.hidden) {
      this.rawBox.hidden = true;
      return;
    }
    const { item } = this;
    const answer = await this.host.ask("raw", { position: item.position });
    if (!answer || this.item !== item) return;
    this.rawBox.hidden = false;
    swap(
      this.rawBox,
      h("div.lm-role", {}, plural(answer.spans.length, "span")),
      ...answer.spans.map((span) =>
        fold(
          [
            icon(span.kind),
            h("b", {}, span.name),
            h("span.lm-fact", {}, duration(span.latency_ms)),
            preview(span.input),
          ],
          [
            span.input === null ? null : code(span.input),
            span.output === null ? null : code(span.output),
            code(span.attributes),
          ],
        ),
      ),
    );
    this.rawBox.scrollIntoView({ block: "start" });
  }

  /** Say that there is no case: none yet, or none any more. */
  end({ isReading, isDone, skipped }) {
    const held = isDone ? "All of the queue is done." : "What others hold comes back when they leave it.";
    const more = skipped ? `${plural(skipped, "case")} skipped: the list has them (L).` : "";
    const nodes = isReading
      ? h("p", {}, "reading the next case …")
      : [
          h("p", {}, "Nothing is left for you here."),
          h("p.lm-note.lm-wraps", {}, `${held} ${more}`),
          button("refresh", "look again", () => this.host.again()),
        ];
    this.item = null;
    swap(this.el, h("div.lm-empty", {}, nodes));
  }

  /** Open all folds, or shut all when one is open. */
  folds() {
    const all = [...this.el.querySelectorAll("details")],
      isOpen = all.some((one) => one.open);
    for (const one of all) one.open = !isOpen;
  }

  close() {
    clearTimeout(this.staying);
  }
}
