// What stands in the place of a span, row by row: the turns of a conversation, what differs between two traces.

import { button, count, dollars, duration, exact, h, icon, plural } from "../kit/dom.js";

const SIGN = { same: "", changed: "~", added: "+", removed: "-" };

/** A difference with its sign; nothing for none, and where it is not known. */
export function signed(by, show) {
  if (!by) return "";
  const size = show(Math.abs(by));
  return size.startsWith("<") ? "≈ 0" : `${by < 0 ? "−" : "+"}${size}`;
}

const heading = (sign, title, fact, onclose) =>
  h(
    "div.lm-span-head",
    {},
    icon(sign),
    h("strong", {}, title),
    h("span.lm-fact", {}, fact),
    h("span.lm-gap"),
    button("close", "back to the trace", onclose),
  );

/** The turns of a session; `host`: {onTrace(id), onClose()}. Returns {nodes, ids}. */
export function sessionNodes(answer, sessionId, traceId, host) {
  const turn = (one, i) =>
    h(
      "div.lm-turn",
      {},
      h(
        "div.lm-role",
        {},
        h("span", {}, `turn ${i + 1}`),
        h(
          `span.lm-s-${one.status === "error" ? "error" : "ok"}`,
          {},
          icon(one.status === "error" ? "error" : "ok"),
          h("span", {}, one.error_type ?? one.status),
        ),
        h("span.lm-fact", { title: "UTC" }, exact(one.start_ms)),
        h("span.lm-fact", {}, duration(one.latency_ms)),
        h("span.lm-fact", {}, dollars(one.cost_usd)),
        h("span.lm-gap"),
        one.trace_id === traceId
          ? h("span.lm-fact", {}, "this trace")
          : button("right", "open", () => host.onTrace(one.trace_id)),
      ),
      one.input ? h("div.lm-message.lm-role-user", {}, h("pre.lm-text", {}, one.input)) : null,
      one.output ? h("div.lm-message.lm-role-assistant", {}, h("pre.lm-text", {}, one.output)) : null,
    );
  const more = answer.total - answer.turns.length;
  const note = `${count(more)} more turns: ws.traces.search("session_id = ...") has all`;
  return [
    heading("session", `session ${sessionId}`, plural(answer.total, "turn"), host.onClose),
    ...answer.turns.map(turn),
    ...(more > 0 ? [h("p.lm-note", {}, note)] : []),
  ];
}

/** Two texts as one: what went is struck out, what came is underlined. */
export const pieceNodes = (pieces) =>
  h(
    "div.lm-text.lm-pieces",
    {},
    pieces.map(([sign, text]) => (sign === " " ? text : h(sign === "-" ? "del" : "ins", {}, text))),
  );

/** A pair of numbers and their difference, one number where they are the same; "–" stands for what is not known. */
function measure([name, left, right, by], show) {
  if (left === null && right === null) return null;
  const side = (value) => (value === null ? "–" : show(value)),
    both = by === 0 ? side(left) : `${side(left)} → ${side(right)}`;
  return h("span.lm-measure", {}, h("span.lm-note", {}, name), ` ${both} `, by ? h("b", {}, signed(by, show)) : null);
}

export const SHOW_MEASURE = { latency: duration, "tokens in": count, "tokens out": count, cost: dollars };

/** What differs, row by row; `host`: {onClose(), words(row): promise of pieces by name, onSpan(row)}. */
export function diffNodes(answer, host) {
  const row = (one) => {
    const words = h("div.lm-words", { hidden: true });
    const el = h(
      `div.lm-turn.lm-pair.lm-pair-${one.difference}`,
      {
        onclick: ({ target }) => {
          if (!target.closest("button, .lm-words")) host.onRow(one.place);
        },
      },
      h(
        "div.lm-pair-line",
        {},
        h("span.lm-sign", { title: one.difference }, SIGN[one.difference]),
        h("span.lm-kind", { "data-kind": one.kind }, icon(one.kind)),
        h("span.lm-span-name", {}, one.name),
        h("span.lm-differs", {}, one.differs.join(", ") || (one.difference === "same" ? "" : one.difference)),
        h("span.lm-gap"),
        one.measures.map(([name, ...values]) => {
          const words = signed(values[2], SHOW_MEASURE[name]);
          const [left, right] = values.slice(0, 2).map((value) => (value === null ? "–" : SHOW_MEASURE[name](value)));
          return h("span.lm-by", { title: `${name} ${left} → ${right}` }, words);
        }),
      ),
      words,
    );
    el.querySelector(".lm-kind").style.marginLeft = `${Math.min(one.depth, 12) * 12}px`;
    return el;
  };
  const more = answer.total - answer.rows.length;
  return [
    heading("columns", "what differs from the pinned trace", answer.summary, host.onClose),
    h(
      "div.lm-measures",
      {},
      answer.measures.map((one) => measure(one, SHOW_MEASURE[one[0]])),
    ),
    answer.answer.length
      ? h(
          "div.lm-message.lm-role-assistant.lm-pair-answer",
          {},
          h("div.lm-role", {}, h("span", {}, "answer")),
          pieceNodes(answer.answer),
        )
      : null,
    h(
      "div.lm-pair-head",
      { "aria-hidden": "true" },
      h("span", {}, "span"),
      h("span.lm-gap"),
      Object.keys(SHOW_MEASURE).map((name) => h("span.lm-by", {}, name)),
    ),
    ...answer.rows.map(row),
    more > 0 ? h("p.lm-note", {}, `${count(more)} more spans: ws.traces.diff(a, b).df() has all`) : null,
  ].filter(Boolean);
}
