// One case: its input, what was expected, and what the pair of runs answered, side by side, words that differ marked.

import { button, copy, count, dollars, duration, h, icon, plural, swap, tokenPair } from "../kit/dom.js";
import { passes, scoreText } from "./grid.js";
import { Pending } from "../kit/keys.js";
import { stepTable } from "./steps.js";

const LONG = 420;

/** The text of an answer; of one that is new as a whole no word stands out. */
export function markedText(parts, tag, isMarked, words = "") {
  const hasWords = isMarked && parts.some(([text, flag]) => !flag && /[\p{L}\p{N}]/u.test(text));
  return parts.flatMap(([text, flag]) => (flag && hasWords ? h(tag, {}, foundIn(text, words)) : foundIn(text, words)));
}

/** A text with the words that were looked for marked, in any case. */
export function foundIn(text, words) {
  const asked = words.split(/\s+/).filter(Boolean);
  if (!asked.length) return [text];
  const any = new RegExp(`(${asked.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu");
  return text.split(any).map((part, i) => (i % 2 ? h("mark", {}, part) : part));
}

export class CasePane {
  /** host: {ask, state, say, root, onClose, onMove(by), onMark(), isMarked(id), onAction(name), focus} */
  constructor(host) {
    this.host = host;
    this.isDiff = true;
    this.areStepsOpen = true;
    this.repeat = 0;
    this.busy = new Pending();
    this.el = h("div.lm-case", { hidden: true, role: "region", "aria-label": "case" });
  }

  get isOpen() {
    return !this.el.hidden;
  }

  open(id, repeat = 0) {
    return this.busy.add(this.load(id, repeat));
  }

  async load(id, repeat) {
    this.wanted = `${id}#${repeat}`;
    const { rev } = this.host.state,
      wanted = this.wanted,
      isSame = this.caseId === id;
    const answer = await this.host.ask("case", { case_id: id, repeat });
    if (!answer || this.wanted !== wanted || rev !== this.host.state.rev) return;
    this.caseId = id;
    this.repeat = answer.repeat;
    this.answer = answer;
    this.isTraceShown = false;
    this.draw();
    if (!isSame) this.el.scrollTop = 0;
  }

  draw() {
    const { answer, host } = this,
      { state } = host;
    if (!answer) return;
    const at = answer.repeats.indexOf(answer.repeat);
    this.markButton = button("mark", "mark", () => host.onMark(), { text: "mark", title: "mark the case  space" });
    const tool = ({ name, label, hint, is_there: isThere }) =>
      button(name === "dataset" ? "add" : "label", label, () => host.onAction(name), {
        title: isThere ? `${label}  ${name === "dataset" ? "a" : "l"}` : hint,
        disabled: !isThere,
      });
    const head = h(
      "div.lm-case-head",
      {},
      button("left", "previous case", () => host.onMove(-1), { text: "", title: "previous case  [" }),
      button("right", "next case", () => host.onMove(1), { text: "", title: "next case  ]" }),
      h("strong.lm-mono", { title: answer.example_id }, answer.example_id),
      answer.repeats.length > 1
        ? h(
            "span.lm-repeats",
            { role: "group", "aria-label": "repeat" },
            button("left", "previous repeat", () => this.again(-1), { text: "", title: "previous repeat  ," }),
            h("span.lm-note", {}, `repeat ${at + 1} of ${answer.repeats.length}`),
            button("right", "next repeat", () => this.again(1), { text: "", title: "next repeat  ." }),
          )
        : null,
      h("span.lm-gap"),
      this.markButton,
      state.actions.filter((one) => one.is_there || one.hint).map(tool),
      button("", "diff", () => this.toggleDiff(), {
        text: "± words",
        title: "mark the words that differ  d",
        cls: this.isDiff ? "lm-on" : "",
      }),
      button("close", "close", () => host.onClose(), { text: "", title: "close  Esc" }),
    );
    const isPair = answer.answers.length > 1;
    swap(
      this.el,
      head,
      h(
        "div.lm-case-facts",
        {},
        answer.facts.map(([name, value]) =>
          h("span.lm-fact", { title: `${name}: ${value}` }, h("span", {}, name), value),
        ),
      ),
      h(
        "div.lm-case-texts",
        {},
        answer.input.map(([name, text]) => this.text(name || "input", text)),
        answer.expected.length
          ? h(
              "div.lm-case-text.lm-expected",
              {},
              h("span.lm-note", {}, "expected"),
              h("div", {}, markedText(answer.expected, "del", this.isDiff && !isPair)),
            )
          : null,
      ),
      h(
        `div.lm-answers${isPair ? ".lm-two" : ""}`,
        {},
        answer.answers.map((one, i) => this.column(one, i, isPair)),
      ),
      (this.stepsEl = h("div")),
      (this.traceEl = h("div.lm-trace", { hidden: true })),
    );
    this.drawMark();
    this.drawSteps();
    Object.assign(this.el.dataset, { case: answer.example_id, repeat: answer.repeat, diff: this.isDiff });
  }

  /** The calls of tools of both answers, or of one beside those that were expected. */
  drawSteps() {
    const { answer, host, areStepsOpen: isOpen } = this,
      { a, b, runs } = host.state;
    if (!answer.steps) return;
    const heads = [answer.answers.length > 1 ? runs[b].short : "expected", runs[a].short];
    swap(this.stepsEl, stepTable(answer.steps, heads, { isOpen, onToggle: () => this.toggleSteps() }));
  }

  toggleSteps() {
    if (!this.answer?.steps) this.host.say("this case called no tools");
    else {
      this.areStepsOpen = !this.areStepsOpen;
      this.drawSteps();
    }
  }

  drawMark() {
    if (!this.markButton) return;
    const isOn = this.host.isMarked(this.caseId);
    this.markButton.classList.toggle("lm-on", isOn);
    this.markButton.setAttribute("aria-pressed", isOn);
    this.markButton.querySelector("svg").replaceWith(icon(isOn ? "marked" : "mark"));
  }

  text(name, text) {
    const label = h("span.lm-note", {}, name);
    if (text.length <= LONG) return h("div.lm-case-text", {}, label, h("div", {}, text));
    return h(
      "details.lm-case-text",
      {},
      h(
        "summary",
        {},
        label,
        h(
          "span.lm-note",
          {},
          `${plural(text.length, "character")}: `,
          h("span", {}, text.slice(0, 120).replace(/\s+/g, " "), " …"),
        ),
      ),
      h("div", {}, text),
    );
  }

  /** One answer: of which run, its score with the reason, what it cost; then the text. */
  column(one, i, isPair) {
    const { state } = this.host,
      run = isPair && i === 0 ? state.b : state.a,
      { short, label } = state.runs[run];
    const side = isPair ? (i ? "judged" : "baseline") : "run";
    if (!one)
      return h(
        "div.lm-answer",
        { "data-side": side },
        h("div.lm-answer-head", {}, h("b", { title: label }, short)),
        h("p.lm-note", {}, "this run has no answer to it"),
      );
    const facts = [duration(one.latency_ms), tokenPair(one.input_tokens, one.output_tokens), dollars(one.cost_usd)]
      .filter(Boolean)
      .join(" · ");
    const scores = state.scorers
      .filter(({ name }) => Object.hasOwn(one.scores, name))
      .sort((a, b) => (b.name === state.scorer) - (a.name === state.scorer));
    const trace = one.trace_id
      ? button("chain", "trace", () => this.showTrace(one.trace_id, short), { title: "show its trace  t" })
      : null;
    return h(
      "div.lm-answer",
      { "data-side": side },
      h(
        "div.lm-answer-head",
        {},
        h("b", { title: label }, short),
        one.status === "ok" ? null : h("span.lm-s-error", {}, icon("error"), one.status),
        h("span.lm-note", { title: `${one.model || "model not known"}` }, facts),
        h("span.lm-gap"),
        trace,
      ),
      scores.map((scorer) => this.score(scorer, one.scores[scorer.name])),
      one.error ? h("div.lm-output.lm-s-error", {}, one.error) : null,
      h(
        "div.lm-output",
        {},
        one.parts.length
          ? markedText(one.parts, isPair && i === 0 ? "del" : "ins", this.isDiff, state.said)
          : one.error
            ? ""
            : h("span.lm-note", {}, "no answer"),
      ),
    );
  }

  score({ name, higher_is_better: higher }, { value, status, why, detail }) {
    const { state } = this.host,
      isShown = name === state.scorer,
      passed = isShown ? passes(value, state.pass_at, higher) : null;
    const isFlat = (value === 0 || value === 1) && passed !== null,
      words =
        status === "error"
          ? "error"
          : status !== "value"
            ? "–"
            : isFlat && state.is_verdict
              ? passed
                ? "pass"
                : "fail"
              : scoreText(value);
    return h(
      `div.lm-why${isShown ? ".lm-shown" : ""}`,
      { "data-scorer": name, title: detail },
      h(
        `span.lm-why-score.lm-s-${status === "error" || passed === false ? "error" : passed ? "ok" : "unset"}`,
        {},
        passed === null ? null : icon(passed ? "ok" : "error"),
        h("b", {}, words),
      ),
      h("span.lm-why-name", {}, name),
      h("span.lm-why-text", {}, foundIn(why, state.said)),
    );
  }

  toggleDiff() {
    this.isDiff = !this.isDiff;
    this.draw();
  }

  again(by) {
    const { repeats, repeat, example_id: id } = this.answer,
      to = repeats[repeats.indexOf(repeat) + by];
    if (to === undefined) this.host.say(by > 0 ? "this is the last repeat" : "this is the first repeat");
    else this.open(id, to);
  }

  /** The trace of the judged run's answer, or of the other one. */
  toggleTrace() {
    if (this.isTraceShown) {
      this.isTraceShown = false;
      this.traceEl.hidden = true;
      return undefined;
    }
    const { state } = this.host,
      { answers } = this.answer,
      at = answers.length - 1 - [...answers].reverse().findIndex((one) => one?.trace_id);
    if (at >= answers.length) {
      this.host.say("this case was not traced: ws.evals.run(…, tracing=True) does");
      return undefined;
    }
    return this.showTrace(answers[at].trace_id, state.runs[answers.length > 1 && at === 0 ? state.b : state.a].short);
  }

  async showTrace(id, short) {
    const wanted = this.wanted,
      answer = await this.host.ask("trace", { trace_id: id });
    if (!answer || wanted !== this.wanted) return;
    const { head, tree, depths } = answer,
      total = Math.max(head.duration_ms ?? 0, ...tree.rows.map((row) => row[3] + (row[4] ?? 0)), 1e-9);
    const rows = tree.rows.map(([, name, kind, start, took, isError, tokensIn, tokensOut, cost], i) => {
      const bar = h(`i${isError ? ".lm-bad" : ""}`),
        label = h("span.lm-span-name", {}, icon(tree.kinds[kind]), tree.names[name]);
      bar.style.left = `${(100 * start) / total}%`;
      bar.style.width = `${(100 * (took ?? 0)) / total}%`;
      label.style.paddingLeft = `${12 * Math.min(depths[i], 12)}px`;
      return h(
        `div.lm-span${isError ? ".lm-s-error" : ""}`,
        { role: "listitem" },
        label,
        h("span.lm-span-bar", { "aria-hidden": "true" }, bar),
        h("span.lm-number", {}, duration(took)),
        h("span.lm-number.lm-note", {}, tokenPair(tokensIn, tokensOut)),
        h("span.lm-number.lm-note", {}, dollars(cost)),
      );
    });
    const code = `ws.traces.get("${id}")`;
    swap(
      this.traceEl,
      h(
        "div.lm-answer-head",
        {},
        h("b", {}, `Trace of ${short}`),
        h("span.lm-note", {}, `${head.name}, ${plural(head.span_count, "span")}`),
        h("span.lm-gap"),
        button(
          "copy",
          "copy the call that opens it",
          async () => this.host.say((await copy(code, this.host.root)) ? `${code} copied` : code),
          { text: code, cls: "lm-mono" },
        ),
      ),
      head.error
        ? h("div.lm-output.lm-s-error", {}, [head.error.type, head.error.message].filter(Boolean).join(": "))
        : "",
      h("div", { role: "list", "aria-label": "spans" }, rows),
      answer.left_out > 0 ? h("p.lm-note", {}, `and ${count(answer.left_out)} more`) : "",
    );
    this.isTraceShown = true;
    this.traceEl.hidden = false;
    this.traceEl.dataset.trace = id;
    this.traceEl.scrollIntoView({ block: "nearest" });
  }
}
