// What a rater is asked: every field of the schema with its criteria, its choices and their keys, and a note.

import { button, h, icon, swap } from "../kit/dom.js";
import { chosenOf, optionsOf, toUnits } from "./answers.js";

const PLACEHOLDERS = { pass_fail: "why", text: "write", tags: "add a tag", spans: "a phrase of the answer" };
const GOOD = { pass: "good", fail: "bad" };

const area = (label, placeholder) =>
  h("textarea.lm-area", { "aria-label": label, placeholder, rows: 2, spellcheck: "true", maxlength: 100_000 });

export class LabelForm {
  /** `host`: {values(), set(values), choose(field, option), output(), mark(field, name), find(field, words), save(),
   *  note(), onNote(words)} */
  constructor(host) {
    this.host = host;
    this.fields = h("div.lm-fields");
    this.title = h("div.lm-form-title");
    this.note = area("note", "a note for later");
    this.note.addEventListener("input", () => this.host.onNote(this.note.value, false));
    this.note.addEventListener("blur", () => this.host.onNote(this.note.value, true));
    this.saveButton = button("", "save and go on", () => this.host.save(), {
      text: "Save",
      title: "save and go on  Enter",
      cls: "lm-main-button",
    });
    this.noteBox = h(
      "label.lm-field.lm-note-field",
      {},
      h("span.lm-field-name", {}, "note ", h("kbd", {}, "n")),
      this.note,
    );
    this.tools = h("div.lm-form-tools");
    this.el = h("section.lm-form", { "aria-label": "label" }, this.title, this.fields, this.noteBox, this.tools);
    this.drawn = new Map();
  }

  /** Build what a schema asks; `keys` says which key a choice has. */
  build(schema, keys) {
    this.schema = schema;
    this.drawn.clear();
    const keyOf = new Map([...keys].map(([key, [field, option]]) => [`${field.name}|${option}`, key]));
    swap(
      this.fields,
      schema.criteria ? h("p.lm-criteria", {}, schema.criteria) : "",
      ...schema.fields.map((field) => this.field(field, (option) => keyOf.get(`${field.name}|${option}`))),
    );
  }

  field(field, keyOf) {
    const parts = {};
    const nodes = {
      pass_fail: () => [this.choices(field, keyOf, parts), (parts.area = this.critique(field))],
      category: () => this.choices(field, keyOf, parts),
      scale: () => this.choices(field, keyOf, parts),
      choices: () => this.choices(field, keyOf, parts),
      tags: () => this.tags(field, parts),
      text: () => this.text(field, parts),
      spans: () => this.spans(field, keyOf, parts),
    }[field.kind]();
    const needed = field.is_required ? h("span.lm-needed", { title: "needed" }, "•") : null;
    const key = keyOf(null); // of a field to write in
    parts.el = h(
      "div.lm-field",
      { role: "group", "aria-label": field.name, "data-field": field.name },
      h("span.lm-field-name", {}, field.name, needed, key ? [" ", h("kbd", {}, key)] : null),
      field.criteria ? h("p.lm-criteria", {}, field.criteria) : null,
      nodes,
    );
    this.drawn.set(field.name, { field, ...parts });
    return parts.el;
  }

  choices(field, keyOf, parts) {
    const isMany = field.kind === "choices";
    parts.buttons = optionsOf(field).map((option) => {
      const key = keyOf(option);
      const el = h(
        `button.lm-choice${GOOD[option] ? `.lm-${GOOD[option]}` : ""}`,
        {
          type: "button",
          role: isMany ? "checkbox" : "radio",
          "aria-checked": "false",
          "data-option": option,
          title: key ? `${option}  ${key}` : option,
          onclick: () => this.host.choose(field, option),
        },
        key ? h("kbd", {}, key) : null,
        key === option ? null : h("span", {}, option), // a step of a scale that is its own key is said once
      );
      return el;
    });
    const cls = field.kind === "scale" ? ".lm-scale" : parts.buttons.length > 3 ? ".lm-many" : "";
    return h(
      `div.lm-choices${cls}`,
      { role: isMany ? "group" : "radiogroup", "aria-label": field.name },
      parts.buttons,
    );
  }

  critique(field) {
    const el = area(`why, ${field.name}`, PLACEHOLDERS.pass_fail);
    el.addEventListener("input", () => {
      const values = this.host.values();
      this.host.set({ ...values, [field.name]: { ...values[field.name], critique: el.value } });
    });
    return el;
  }

  text(field, parts) {
    const el = (parts.area = area(field.name, PLACEHOLDERS.text));
    el.addEventListener("input", () => this.host.set({ ...this.host.values(), [field.name]: el.value }));
    const start = button("copy", `start ${field.name} from the answer`, () => {
      el.value = this.host.output();
      this.host.set({ ...this.host.values(), [field.name]: el.value });
      el.focus();
    });
    start.replaceChildren(icon("copy"), h("span", {}, "start from the answer"));
    return [el, start];
  }

  tags(field, parts) {
    const list = h("datalist", { id: `lm-tags-${Math.random().toString(36).slice(2)}` });
    const input = h("input.lm-line", {
      "aria-label": field.name,
      placeholder: PLACEHOLDERS.tags,
      list: list.id,
      maxlength: 200,
      autocomplete: "off",
    });
    const tagsOf = () => this.host.values()[field.name] ?? [];
    const put = (tags) => this.host.set({ ...this.host.values(), [field.name]: tags }, true);
    const add = () => {
      const word = input.value.trim();
      input.value = "";
      if (word && !tagsOf().includes(word)) put([...tagsOf(), word]);
      if (word && !field.tags.includes(word)) field.tags.push(word);
    };
    input.addEventListener("keydown", (event) => {
      if (event.isComposing || event.ctrlKey || event.metaKey) return;
      if (event.key === "Enter" && input.value.trim()) {
        event.preventDefault();
        add();
      } else if (event.key === "Backspace" && !input.value) put(tagsOf().slice(0, -1));
    });
    input.addEventListener("blur", add);
    parts.chips = h("div.lm-chips");
    parts.input = input;
    parts.list = list;
    parts.put = put;
    return [parts.chips, input, list];
  }

  spans(field, keyOf, parts) {
    const input = h("input.lm-line", {
      "aria-label": `${field.name}: find`,
      placeholder: PLACEHOLDERS.spans,
      maxlength: 2_000,
    });
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      if (this.host.find(field, input.value)) input.value = "";
    });
    const names = field.options.length ? field.options : [null];
    const marks = names.map((name) => {
      const key = name === null ? "=" : keyOf(name);
      return h(
        "button.lm-choice",
        { type: "button", "data-option": name ?? "mark", onclick: () => this.host.mark(field, name) },
        key ? h("kbd", {}, key) : null,
        h("span", {}, name ?? "mark"),
      );
    });
    parts.stretches = h("div.lm-stretches");
    const hint = h(
      "p.lm-note.lm-wraps",
      {},
      "select words of the answer, or go by ",
      h("kbd", {}, "["),
      h("kbd", {}, "]"),
    );
    return [h("div.lm-choices", {}, marks), hint, parts.stretches, input];
  }

  /** Show the values; what somebody is writing in is left alone. */
  show(values, note) {
    for (const [name, { field, ...parts }] of this.drawn) {
      const value = values[name];
      const chosen = chosenOf(field, value);
      for (const el of parts.buttons ?? []) {
        const { option } = el.dataset;
        const isOn = field.kind === "choices" ? (chosen ?? []).includes(option) : chosen === option;
        el.setAttribute("aria-checked", isOn);
        el.classList.toggle("lm-on", isOn);
      }
      const words = field.kind === "pass_fail" ? (value?.critique ?? "") : field.kind === "text" ? (value ?? "") : null;
      if (words !== null && parts.area.value !== words) parts.area.value = words;
      if (parts.chips) this.showTags(field, parts, value ?? []);
      if (parts.stretches) this.showStretches(field, parts, value ?? []);
    }
    if (note !== undefined && this.note.value !== (note ?? "")) this.note.value = note ?? "";
  }

  showTags(field, parts, tags) {
    const known = field.tags.filter((tag) => !tags.includes(tag)).slice(0, 200);
    parts.list.replaceChildren(...known.map((tag) => h("option", { value: tag })));
    swap(
      parts.chips,
      ...tags.map((tag) =>
        h(
          "span.lm-tag",
          {},
          h("span", {}, tag),
          button("close", `remove ${tag}`, () => parts.put(tags.filter((one) => one !== tag)), { text: "" }),
        ),
      ),
    );
    parts.chips.hidden = !tags.length;
  }

  showStretches(field, parts, found) {
    const output = this.host.output();
    swap(
      parts.stretches,
      ...found.map((one, i) =>
        h(
          "div.lm-stretch-row",
          {},
          h("b", {}, one.name ?? "mark"),
          h("span.lm-preview", {}, output.slice(toUnits(output, one.start), toUnits(output, one.end))),
          button(
            "close",
            "remove this mark",
            () => {
              const left = found.filter((_, place) => place !== i);
              this.host.set({ ...this.host.values(), [field.name]: left }, true);
            },
            { text: "" },
          ),
        ),
      ),
    );
  }

  /** Scroll to a field, where the form is longer than there is room. */
  reveal(name) {
    const { el } = this.drawn.get(name);
    const top = el.offsetTop - this.el.offsetTop,
      bottom = top + el.offsetHeight + this.tools.offsetHeight;
    if (top < this.el.scrollTop) this.el.scrollTop = top - 8;
    else if (bottom > this.el.scrollTop + this.el.clientHeight) this.el.scrollTop = bottom - this.el.clientHeight + 8;
  }

  /** The field to write in for a choice or a field that is missing. */
  focusOn(name) {
    const found = this.drawn.get(name);
    (found?.area ?? found?.input ?? found?.buttons?.[0])?.focus({ preventScroll: false });
  }
}
