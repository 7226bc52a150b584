// One span, read: its answer first, what went in folded to the question; of the root what the whole trace came to.

import { button, count, duration, h, icon, plural } from "../kit/dom.js";
import { indented, jsonTree } from "../kit/json_tree.js";
import { markdown } from "../kit/markdown.js";
import { Media } from "../kit/media.js";

const KNOWN_ROLES = new Set(["system", "user", "assistant", "tool"]);
const ALIAS = { developer: "system", output: "assistant", answer: "assistant", input: "user" };
/** Characters that stand open: of a question, of the result of a tool inside a conversation. */
const SHORT = 140;
const FOLDED = 300;
const TALL = 1_500;

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

const folded = (label, nodes, isOpen = false) => h("details.lm-fold", { open: isOpen }, h("summary", {}, label), nodes);
const flat = (words, most) =>
  (words ?? "")
    .slice(0, most * 4)
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, most);
const preview = (words, most = 140) => h("span.lm-preview", {}, flat(words, most));

/** What was asked last: the words of the last message of a user, else of the last one. */
export function questionOf(messages) {
  const spoken = messages.filter((one) => one.content);
  return (spoken.findLast((one) => one.role === "user") ?? spoken.at(-1))?.content ?? "";
}

export class SpanReader {
  /** `host`: {ask, redraw(), show(index)} */
  constructor(host) {
    this.host = host;
    this.needle = "";
    this.isRaw = false;
    this.isPlain = false;
    this.isInputOpen = false;
  }

  has(words) {
    return Boolean(this.needle) && (words ?? "").toLowerCase().includes(this.needle.toLowerCase());
  }

  words(text) {
    return marked(text, this.needle);
  }

  // -- texts ---------------------------------------------------------------------------------------------------------

  /** A text as it is; JSON of it one member a line, unless every character is wanted. */
  plain(text, cls = "") {
    return h(`pre.lm-text${cls}`, {}, this.words(this.isPlain ? (text ?? "") : indented(text)));
  }

  /** JSON as a tree; as text where a search looks into it, or where it is none. */
  tree(text) {
    return (this.isPlain || this.has(text) ? null : jsonTree(text)) ?? this.plain(text, ".lm-code");
  }

  /** What a model wrote, as it meant it to look; JSON as a tree. */
  said(text) {
    if (this.isPlain) return this.plain(text);
    return (this.has(text) ? null : jsonTree(text)) ?? markdown(text, (words) => this.words(words));
  }

  toggle(name) {
    this[name] = !this[name];
    this.host.redraw();
  }

  // -- a span --------------------------------------------------------------------------------------------------------

  nodes(span) {
    this.media = new Media(span.media);
    const parts = [this.head(span), this.failure(span)];
    if (this.isRaw) parts.push(...this.raw(span));
    else if (span.exchange) parts.push(...this.exchange(span));
    else parts.push(...this.content(span));
    const left = [
      span.more && `${count(span.more)} more items`,
      span.omitted && `${count(span.omitted)} more characters`,
    ].filter(Boolean);
    if (left.length) parts.push(h("p.lm-note", {}, `${left.join(", ")}: ws.traces.get(id) has all`));
    parts.push(this.facts(span));
    this.media.load((medium) => this.host.ask("medium", { index: span.index, medium }));
    return parts.filter(Boolean);
  }

  head(span) {
    const kind = span.facts.find(([name]) => name === "kind")?.[1] ?? "unknown";
    return h(
      "div.lm-span-head",
      {},
      icon(kind),
      h("strong", { title: span.name }, this.words(span.name)),
      h("span.lm-fact", {}, duration(span.latency_ms)),
      h("span.lm-gap"),
      span.can_try
        ? button(kind, span.can_try, () => this.host.tryCall(span.index), {
            title:
              kind === "llm"
                ? "open it in the playground, with its messages, model and parameters"
                : "what was found, what moved, and what no document supports",
          })
        : null,
      button("prompt", this.isPlain ? "formatted" : "plain text", () => this.toggle("isPlain"), {
        title: "as the model meant it to look, or every character  m",
      }),
      button("code", this.isRaw ? "as the user saw it" : "raw attributes", () => this.toggle("isRaw"), {
        title: "raw attributes  r",
      }),
    );
  }

  failure(span) {
    if (!span.error_message && !span.error_type) return null;
    const role = h("div.lm-role", {}, icon("error"), h("span", {}, span.error_type ?? "error"));
    return h("div.lm-message.lm-role-error", {}, role, this.plain(span.error_message ?? ""));
  }

  raw(span) {
    return [
      folded("attributes", this.tree(span.attributes), true),
      span.events ? folded("events", this.tree(span.events), true) : null,
      folded("resource", this.tree(span.resource)),
    ];
  }

  facts(span) {
    const fact = ([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", { title: String(value) }, this.words(String(value))));
    return h("dl.lm-dl", {}, span.facts.map(fact));
  }

  /** What the whole trace came to: question, tools, answer; and what the span itself carries besides. */
  exchange(span) {
    const { question, answer, tools, more_tools: more, has_own: hasOwn } = span.exchange;
    return [
      question ? this.question(question, [], this.media.nodes(false)) : this.media.nodes(false),
      ...tools.map((one) => this.tool(one)),
      more ? h("p.lm-note", {}, `${plural(more, "more call")} of tools: the waterfall has all`) : null,
      answer
        ? h("div.lm-message.lm-role-assistant.lm-answer", {}, this.said(answer), this.media.nodes(true))
        : h("p.lm-note", {}, "no words came back"),
      hasOwn
        ? folded("what this span itself carries", this.content(span, true), this.carries(span, question, answer))
        : null,
    ];
  }

  /** Whether a search has its hit in what the span itself carries, and not in what is shown above it. */
  carries(span, ...above) {
    return !above.some((text) => this.has(text)) && this.has(JSON.stringify([span.input, span.output]));
  }

  /** What was asked: a line that opens where there is more than fits one. */
  question(words, nodes, media = null, label = "question", more = null) {
    const isShort = !nodes.length && words.length <= SHORT && !words.includes("\n");
    const role = h("span.lm-role-name", {}, label);
    if (isShort)
      return h("div.lm-message.lm-role-user", {}, h("div.lm-asked", {}, role, h("span", {}, this.words(words))), media);
    const el = folded(
      [role, more, preview(words, 240)],
      nodes.length ? nodes : this.plain(words),
      this.isInputOpen || this.has(words) || nodes.some((node) => node.querySelector?.("mark")),
    );
    el.classList.add("lm-asked");
    el.firstChild.addEventListener("click", () => {
      this.isInputOpen = !el.open;
    });
    return h("div.lm-message.lm-role-user", {}, el, media);
  }

  tool(one) {
    const { result, error } = one;
    const label = [
      icon("tool"),
      h("strong", {}, one.name || "tool"),
      preview(one.arguments, 90),
      error
        ? h("span.lm-s-error", {}, icon("error"), h("span", {}, flat(error, 80)))
        : result === null
          ? null
          : [h("span.lm-arrow", {}, "→"), preview(result, 90)],
      h("span.lm-gap"),
      h("span.lm-fact", {}, duration(one.latency_ms)),
    ];
    return h(
      "div.lm-message.lm-role-tool",
      {},
      folded(
        label,
        [
          one.arguments ? this.tree(one.arguments) : null,
          result === null ? null : [h("div.lm-role", {}, h("span", {}, "result")), this.tree(result)],
          button("right", "go to the span", () => this.host.show(one.index)),
        ],
        this.has(one.arguments) || this.has(result),
      ),
    );
  }

  /** What one span was given and gave; `isInner`: without the pictures, which stand above it. */
  content(span, isInner = false) {
    const parts = [],
      isEmpty = !span.input.length && !span.output.length && !span.documents.length;
    if (isEmpty && !span.media.length)
      return [h("p.lm-note", {}, "this span carries no input or output; its attributes may")];
    const asked = isInner ? null : this.media.nodes(false);
    if (span.input.length) parts.push(this.input(span, asked));
    else if (asked) parts.push(asked);
    parts.push(...span.documents.map((document) => this.document(document)));
    if (!span.documents.length)
      for (const message of span.output)
        parts.push(this.message(message, span.is_conversation ? message.role : "output"));
    if (!isInner) parts.push(this.media.nodes(true));
    return parts;
  }

  input(span, media) {
    const { input } = span,
      isAlone = !span.output.length && !span.documents.length;
    const label = span.is_conversation && input.length > 1 ? plural(input.length, "message") : null;
    const isOne = input.length === 1 && !input[0].tool_calls.length && !input[0].reasoning;
    if (isOne && !jsonTree(input[0].content) && !isAlone)
      return this.question(input[0].content ?? "", [], media, span.is_conversation ? input[0].role : "input");
    const nodes = input.map((one) => this.message(one, span.is_conversation ? one.role : "input"));
    const el = this.question(questionOf(input), nodes, media, "input", label ? h("span.lm-fact", {}, label) : null);
    if (isAlone) el.querySelector("details").open = true;
    return el;
  }

  message(message, role) {
    const content = message.content ?? "",
      name = ALIAS[role] ?? role;
    const calls = message.tool_calls.map((call) =>
      folded(
        [icon("tool"), h("strong", {}, call.name || "tool"), preview(call.arguments, 120)],
        this.tree(call.arguments),
        this.has(call.arguments),
      ),
    );
    const shown = !content
      ? null
      : name === "assistant"
        ? this.said(content)
        : name === "tool" || role === "input"
          ? this.tree(content)
          : this.plain(content, content.length > TALL ? ".lm-long" : "");
    const label = [h("span", {}, role), message.name ? h("span.lm-fact", {}, message.name) : null];
    const reasoning = message.reasoning
      ? folded([h("span", {}, "reasoning")], this.plain(message.reasoning), this.has(message.reasoning))
      : null;
    const isFolded = role === "system" || (role === "tool" && content.length > FOLDED);
    const inner =
      isFolded && shown
        ? [folded([...label, preview(content)], shown, this.has(content))]
        : [h("div.lm-role", {}, label), reasoning, shown, calls];
    return h(`div.lm-message.lm-role-${KNOWN_ROLES.has(name) ? name : "other"}`, {}, inner.flat());
  }

  document(document) {
    const { score } = document;
    const label = [
      icon("retriever"),
      h("strong", {}, document.id ?? `document ${document.rank ?? ""}`),
      score === null ? null : h("span.lm-fact", { title: "score" }, `score ${+score.toPrecision(4)}`),
    ];
    if (score !== null && score >= 0 && score <= 1) {
      const bar = h("span.lm-score", {}, h("i"));
      bar.firstChild.style.width = `${100 * score}%`;
      label.push(bar);
    }
    return h(
      "div.lm-message.lm-document",
      {},
      h("div.lm-role", {}, label),
      document.content ? h("pre.lm-text.lm-long", {}, this.words(document.content)) : null,
      document.metadata && document.metadata !== "{}" ? folded("metadata", this.tree(document.metadata)) : null,
    );
  }
}
