// The prompt playground: inputs down, versions and models across, one answer in each cell as soon as it is there.

import { button, copy, dollars, duration, h, icon, isOurs, keyHelp, plural, short, swap } from "../kit/dom.js";
import { DraftEditor } from "./editor.js";
import { GrowingField } from "./fields.js";
import { commandIn } from "../kit/keys.js";
import { View, renders } from "../kit/view.js";

const PLAY_KEYS = [
  ["Ctrl+Enter", "run everything, from anywhere in here"],
  ["e", "edit: open or close the draft"],
  ["v", "add a version"],
  ["a", "add an input"],
  ["i", "to the first input"],
  ["c", "stop the run"],
  ["↑ ↓ ← →", "scroll"],
  ["?", "these keys"],
  ["Esc", "leave a field; close; back to the notebook"],
];

/** What a key means outside fields; undefined leaves it to the page. */
export const playCommand = (event) =>
  commandIn(event, {
    e: "edit",
    v: "version",
    a: "input",
    i: "first",
    c: "cancel",
    "?": "help",
    Escape: "escape",
    ArrowDown: "down",
    ArrowUp: "up",
    ArrowLeft: "left",
    ArrowRight: "right",
  });

/** Sums over answers: how many, failed, cost with what is unknown, tokens. */
export function totalsOf(trials) {
  const found = { answers: 0, failed: 0, cost: 0, unpriced: 0, isPriced: false };
  for (const trial of trials) {
    if (trial.error !== null) {
      found.failed += 1;
      continue;
    }
    found.answers += 1;
    if (trial.cost_usd === null) found.unpriced += 1;
    else {
      found.cost += trial.cost_usd;
      found.isPriced = true;
    }
  }
  return found;
}

/** How many variables have no value yet, in words; empty when all have one. */
export function missingOf(inputs) {
  const lacking = inputs.filter((input) => input.missing.length);
  if (!lacking.length) return "";
  const names = new Set(lacking.flatMap((input) => input.missing));
  const what = names.size === 1 ? `${[...names][0]} is missing` : `${names.size} variables are missing`;
  return inputs.length === 1 ? what : `${what} in ${plural(lacking.length, "input")}`;
}

const MISSING = "a version that needs it cannot be run on the input: type a value, or nothing for an empty one";
const ERRORS = {
  prompt: "template",
  model: "model",
  rate_limit: "rate limit",
  timeout: "timeout",
  server: "server",
  bad_request: "refused request",
  auth: "key",
  connection: "connection",
  bad_response: "unreadable answer",
  budget: "budget",
};
const keyOf = (column, input) => `${column}|${input}`;
// A variable may be called "constructor".
const valueOf = (input, name) => (Object.hasOwn(input.values, name) ? input.values[name] : "");

export class PlaygroundView extends View {
  constructor(model, el) {
    super(model);
    this.trials = new Map();
    this.fields = new Map();
    this.cells = new Map();
    this.editor = new DraftEditor({ ask: (kind, params) => this.ask(kind, params), onClose: () => this.edit(false) });
    this.build(el);
    this.arrive = (message) => {
      if (message.kind === "trial") this.took(message);
    };
    model.on("msg:custom", this.arrive);
    this.undo.push(
      this.keepCtrl(({ key }) => key === "Enter"),
      () => model.off("msg:custom", this.arrive),
    );
    this.ask("hello");
  }

  build(el) {
    this.runButton = button("", "run", () => this.run(), {
      text: "Run",
      cls: "lm-main-button",
      title: "run everything  Ctrl+Enter",
    });
    this.stopButton = button("", "stop", () => this.ask("cancel"), {
      text: "Stop",
      cls: "lm-act",
      title: "stop the run  c",
    });
    this.progress = h("progress.lm-progress", { "aria-label": "answers", hidden: true });
    this.progressText = h("span.lm-note");
    this.name = h("strong.lm-diff-name");
    this.help = keyHelp(PLAY_KEYS);
    this.bar = h(
      "div.lm-bar-top",
      {},
      this.name,
      this.runButton,
      this.stopButton,
      this.progress,
      this.progressText,
      h("span.lm-gap"),
      button("add", "add a version", () => this.ask("column", { op: "add" }), {
        text: "version",
        title: "add a version  v",
      }),
      button("add", "add an input", () => this.addInput(), { text: "input", title: "add an input  a" }),
      (this.editButton = button("prompt", "edit a draft", () => this.edit(this.editor.el.hidden), {
        text: "edit",
        title: "open or close the draft  e",
      })),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    );
    this.models = h("datalist", { id: `${this.view}-models` });
    this.grid = h("div.lm-play-grid", { role: "table", "aria-label": "answers" });
    this.scroll = h("div.lm-play-scroll", { tabindex: -1 }, this.grid);
    this.main = h("div.lm-play-main", {}, this.editor.el, this.scroll);
    this.summary = h("span.lm-summary-line");
    this.foot = h("div.lm-foot", {}, this.summary, h("span.lm-gap"));
    this.mount(
      el,
      h(
        "div.lm-root.lm-play",
        { tabindex: 0, "data-lm": "prompt-playground", "data-state": "loading", "aria-label": "prompt playground" },
        this.bar,
        this.models,
        this.main,
        this.foot,
        this.help,
      ),
    );
    this.root.style.height = `${this.model.get("_height")}px`;
  }

  silence(why) {
    super.silence(why);
    if (why === "dead" && this.state) {
      this.state.job = null;
      this.drawJob();
      this.drawCells();
    }
  }

  // -- news from Python --------------------------------------------------------------------------------------------

  news(message) {
    const before = this.state;
    this.state = message;
    this.root.dataset.state = "ready";
    this.root.dataset.total = 0;
    this.trials = new Map(message.trials.map((trial) => [keyOf(trial.column, trial.input), trial]));
    this.name.textContent = message.name ?? "a call, tried again";
    this.editor.draw(message.draft, message.refused);
    this.editButton.classList.toggle("lm-on", !this.editor.el.hidden);
    swap(this.models, ...message.models.map((name) => h("option", { value: name })));
    const shape = JSON.stringify([
      message.columns.map((one) => one.id),
      message.inputs.map((one) => one.id),
      message.variables,
      message.versions.length,
      Boolean(message.draft),
    ]);
    if (shape !== this.shape) this.rebuild(shape);
    else this.refresh();
    this.drawCells();
    this.drawJob();
    if (!message.draft) this.edit(false);
    // a call that is tried again is a draft from the start
    else if (before ? message.reason === "draft" && !before.draft : message.draft.is_changed) this.edit(true);
    if (message.said) this.say(message.said, message.reason === "saved" ? "done" : "", message.reason === "saved");
  }

  took(message) {
    if (!this.state) return;
    const { trial } = message;
    this.trials.set(keyOf(trial.column, trial.input), trial);
    if (this.state.job) this.state.job = message.job;
    this.drawCell(trial.column, trial.input);
    this.drawJob();
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  rebuild(shape) {
    this.shape = shape;
    const { state } = this,
      focus = document.activeElement?.dataset?.field;
    for (const field of this.fields.values()) {
      field.flush();
      field.close();
    }
    this.fields.clear();
    this.cells.clear();
    this.heads = new Map();
    this.grid.style.setProperty("--lm-count", state.columns.length);
    const rows = state.inputs.map((input, place) =>
      h(
        "div.lm-play-row",
        { role: "row" },
        this.inputCell(input, place),
        state.columns.map((column) => {
          const cell = h("div.lm-play-cell", { role: "cell", "data-column": column.id, "data-input": input.id });
          this.cells.set(keyOf(column.id, input.id), cell);
          return cell;
        }),
      ),
    );
    swap(
      this.grid,
      h(
        "div.lm-play-row.lm-play-heads",
        { role: "row" },
        h(
          "div.lm-play-corner",
          { role: "columnheader" },
          h("b", {}, plural(state.inputs.length, "input")),
          h("span.lm-note", { title: state.of_inputs }, state.of_inputs),
        ),
        state.columns.map((column) => this.head(column)),
      ),
      ...rows,
    );
    if (focus) this.grid.querySelector(`[data-field="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
    this.refresh();
  }

  head(column) {
    const version = h("select.lm-select.lm-play-version", {
      "aria-label": "version",
      onchange: (event) =>
        this.ask("column", {
          op: "set",
          column: column.id,
          version: event.target.value === "draft" ? null : +event.target.value,
        }),
    });
    const model = h("input.lm-play-model", {
      "aria-label": "model",
      list: this.models.id,
      placeholder: "model",
      spellcheck: "false",
      autocomplete: "off",
      maxlength: 300,
    });
    model.addEventListener("change", () => this.ask("column", { op: "set", column: column.id, model: model.value }));
    const params = h("span.lm-note.lm-mono"),
      edit = button("prompt", "edit this version", () => this.open(column.id), { text: "" });
    const el = h(
      "div.lm-play-head",
      { role: "columnheader", "data-column": column.id },
      h(
        "div.lm-play-title",
        {},
        version,
        h("span.lm-gap"),
        button("refresh", "run this column", () => this.run({ column: column.id }), { text: "" }),
        edit,
        this.state.columns.length > 1
          ? button("close", "remove this column", () => this.ask("column", { op: "remove", column: column.id }), {
              text: "",
            })
          : null,
      ),
      model,
      params,
    );
    this.heads.set(column.id, { version, model, params, edit, el });
    return el;
  }

  inputCell(input, place) {
    const { state } = this;
    const fields = state.variables.map((name) => {
      const field = new GrowingField({
        label: `${name}, input ${place + 1}`,
        value: valueOf(input, name),
        onType: (value) => this.ask("input", { op: "set", input: input.id, name, value }),
      });
      field.area.dataset.field = `${input.id}|${name}`;
      this.fields.set(keyOf(input.id, name), field);
      return h(
        "label.lm-play-field",
        { "data-missing": keyOf(input.id, name) },
        h("span.lm-play-name", {}, h("span.lm-var", {}, name), h("span.lm-s-error", {}, icon("warn"), "missing")),
        field.el,
      );
    });
    return h(
      "div.lm-play-input",
      { role: "rowheader" },
      h(
        "div.lm-play-title",
        {},
        h("b", {}, place + 1),
        h("span.lm-gap"),
        button("refresh", "run this input", () => this.run({ input: input.id }), { text: "" }),
        state.inputs.length > 1
          ? button("close", "remove this input", () => this.ask("input", { op: "remove", input: input.id }), {
              text: "",
            })
          : null,
      ),
      fields.length ? fields : h("span.lm-note", {}, "the prompt has no variables"),
    );
  }

  refresh() {
    const { state } = this;
    for (const column of state.columns) {
      const { version, model, params, edit, el } = this.heads.get(column.id);
      if (document.activeElement !== version) {
        swap(
          version,
          ...(state.draft ? [h("option", { value: "draft" }, "draft")] : []),
          ...state.versions.map(([number, aliases, note]) =>
            h("option", { value: number, title: note }, [`v${number}`, ...aliases].join(" · ")),
          ),
        );
        version.value = column.version ?? "draft";
      }
      if (document.activeElement !== model) model.value = column.model ?? "";
      model.classList.toggle("lm-wrong", !column.model);
      params.textContent = [column.params === "{}" ? "" : column.params, column.note].filter(Boolean).join("  ");
      params.title = params.textContent;
      edit.disabled = column.version === null;
      el.classList.toggle("lm-play-draft", column.version === null);
    }
    for (const input of state.inputs)
      for (const name of state.variables) {
        const field = this.fields.get(keyOf(input.id, name)),
          isMissing = input.missing.includes(name);
        field?.set(valueOf(input, name));
        field?.area.setAttribute("aria-invalid", isMissing);
        field?.el.classList.toggle("lm-wrong", isMissing);
        field?.el.parentElement.classList.toggle("lm-is-missing", isMissing);
      }
  }

  drawCells() {
    for (const column of this.state.columns) for (const input of this.state.inputs) this.drawCell(column.id, input.id);
    this.drawSummary();
  }

  drawCell(columnId, inputId) {
    const cell = this.cells.get(keyOf(columnId, inputId)),
      trial = this.trials.get(keyOf(columnId, inputId));
    if (!cell) return;
    const stamp = trial ? JSON.stringify(trial) : this.state.job ? "wait" : "";
    if (cell.dataset.stamp === stamp) return;
    cell.dataset.stamp = stamp;
    cell.dataset.state = !trial
      ? this.state.job
        ? "waiting"
        : "empty"
      : trial.error !== null
        ? "error"
        : trial.is_stale
          ? "stale"
          : "done";
    if (!trial) {
      swap(
        cell,
        this.state.job ? h("span.lm-waiting", { role: "status" }, "waiting") : h("span.lm-note", {}, "not run"),
      );
      return;
    }
    cell.classList.toggle("lm-stale", trial.is_stale);
    const tokens = (n) => (n === null ? "–" : short(n));
    const facts = [
      ["latency", duration(trial.latency_ms)],
      [
        "tokens in, out",
        trial.input_tokens === null && trial.output_tokens === null
          ? ""
          : `${tokens(trial.input_tokens)} → ${tokens(trial.output_tokens)} tok`,
      ],
      ["cost", trial.error === null ? dollars(trial.cost_usd) || "no price" : ""],
      ["why it ended", ["stop", null].includes(trial.finish_reason) ? "" : trial.finish_reason],
      ["from the cache", trial.is_cached ? "cached" : ""],
      ["", trial.is_stale ? "older than what is typed" : ""],
    ].filter(([, text]) => text);
    swap(
      cell,
      trial.error !== null
        ? h(
            "div.lm-play-error.lm-s-error",
            {},
            icon("warn"),
            h("span", {}, h("b", {}, `${ERRORS[trial.error_kind] ?? "error"}: `), trial.error),
          )
        : "",
      trial.output === null
        ? ""
        : h("div.lm-play-answer", {}, trial.output || h("span.lm-note", {}, "an empty answer")),
      ...trial.calls.map(([name, given]) =>
        h("div.lm-play-call", {}, icon("tool"), h("code", {}, `${name}(${given})`)),
      ),
      h(
        "div.lm-play-facts",
        {},
        facts.map(([title, text]) => h("span", { title }, text)),
        h("span.lm-gap"),
        trial.output ? button("copy", "copy the answer", () => this.copy(trial.output), { text: "" }) : "",
      ),
    );
  }

  drawJob() {
    const { job } = this.state;
    this.runButton.disabled = Boolean(job);
    this.stopButton.hidden = this.progress.hidden = !job;
    this.stopButton.disabled = Boolean(job?.is_stopping);
    this.root.dataset.running = job ? "true" : "false";
    this.progressText.textContent = job ? (job.is_stopping ? "stopping …" : `${job.done} / ${job.total}`) : "";
    if (job) {
      this.progress.max = job.total;
      this.progress.value = job.done;
    }
    this.drawSummary();
  }

  drawSummary() {
    const total = totalsOf(this.trials.values()),
      missing = missingOf(this.state.inputs);
    this.root.dataset.answers = total.answers + total.failed;
    swap(
      this.summary,
      h("b", {}, plural(total.answers, "answer")),
      total.failed ? h("span.lm-s-error", {}, icon("error"), h("span", {}, `${total.failed} failed`)) : "",
      total.isPriced ? h("span", { title: "cost of the answers shown" }, dollars(total.cost)) : "",
      total.unpriced ? h("span", {}, `${total.unpriced} without a price`) : "",
      missing ? h("span.lm-s-error", { title: MISSING }, icon("warn"), h("span", {}, missing)) : "",
    );
  }

  // -- what the reader does ----------------------------------------------------------------------------------------

  run(what = {}) {
    if (this.state.job) {
      this.say("a run is going on");
      return;
    }
    this.editor.flush();
    for (const field of this.fields.values()) field.flush();
    this.ask("run", what);
  }

  async open(columnId) {
    const column = this.state.columns.find((one) => one.id === columnId);
    if (column?.version) await this.ask("draft", { op: "open", base: column.version });
  }

  /** Open or close the draft; opening one may take an answer. */
  edit(isOpen) {
    if (isOpen && !this.state.draft) return this.open(this.state.columns.at(-1)?.id);
    this.editor.el.hidden = !isOpen;
    this.editButton.classList.toggle("lm-on", isOpen);
    this.root.classList.toggle("lm-editing", isOpen);
    if (isOpen) this.scroll.scrollLeft = this.scroll.scrollWidth;
    if (isOpen && !this.editor.el.contains(document.activeElement))
      this.editor.fields[0]?.area.focus({ preventScroll: true });
    else if (!isOpen && this.editor.el.contains(document.activeElement)) this.focus();
    return undefined;
  }

  async addInput() {
    if (await this.ask("input", { op: "add" })) {
      this.scroll.scrollTop = this.scroll.scrollHeight;
      [...this.grid.querySelectorAll(".lm-play-input")].at(-1)?.querySelector("textarea")?.focus();
    }
  }

  async copy(text) {
    this.focus();
    this.say((await copy(text, this.root)) ? "answer copied" : "this page may not copy", "done");
  }

  // -- keys --------------------------------------------------------------------------------------------------------

  key(event) {
    if (!this.state || event.key !== "Enter" || isOurs(event) || event.altKey || event.isComposing) {
      super.key(event);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.run();
  }

  commandOf(key) {
    return playCommand(key);
  }

  /** What keys do; text that is typed after one goes into the field that it opens. */
  commands() {
    const by = (left, top) => {
      this.scroll.scrollBy({ left, top });
    };
    return {
      edit: () => this.edit(this.editor.el.hidden),
      version: () => this.ask("column", { op: "add" }),
      input: () => this.addInput(),
      first: () => {
        this.grid.querySelector("textarea")?.focus();
      },
      cancel: () => this.state.job && this.ask("cancel"),
      help: () => this.toggleHelp(),
      down: () => by(0, 60),
      up: () => by(0, -60),
      left: () => by(-80, 0),
      right: () => by(80, 0),
      escape: () => this.escape(),
    };
  }

  /** Escape in a field only leaves it. */
  leave() {
    this.focus();
  }

  shut() {
    if (this.editor.el.hidden) return false;
    this.edit(false);
    return true;
  }

  close() {
    for (const field of this.fields.values()) {
      field.flush();
      field.close();
    }
    super.close(this.editor);
  }
}

export default renders(PlaygroundView);
