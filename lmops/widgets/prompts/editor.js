// The draft of the playground: its messages, parameters, what is wrong with it, and saving it as a version.

import { button, h, icon, swap } from "../kit/dom.js";
import { GrowingField } from "./fields.js";

const ROLES = ["system", "developer", "user", "assistant"];

export class DraftEditor {
  /** host: {ask, say, onClose}. */
  constructor(host) {
    this.host = host;
    this.fields = [];
    this.title = h("strong");
    this.list = h("div.lm-draft-messages");
    this.params = new GrowingField({ label: "parameters as JSON", value: "{}", onType: () => this.tell() });
    this.vars = h("div.lm-draft-vars");
    this.error = h("div.lm-draft-error.lm-s-error", { role: "alert", hidden: true });
    this.note = h("input.lm-draft-note", {
      placeholder: "note: why this version",
      "aria-label": "note",
      maxlength: 10_000,
    });
    this.name = h("input.lm-draft-note", {
      placeholder: "name of the new prompt",
      "aria-label": "name of the new prompt",
      maxlength: 200,
      hidden: true,
      spellcheck: "false",
    });
    this.saveButton = button("", "Save as new version", () => this.save(), { cls: "lm-main-button" });
    this.el = h(
      "section.lm-draft",
      { "aria-label": "draft", hidden: true },
      h(
        "div.lm-draft-head",
        {},
        this.title,
        h("span.lm-gap"),
        (this.discard = button("", "discard", () => this.host.ask("draft", { op: "discard" }), {
          title: "throw the draft away",
        })),
        button("close", "close the editor", () => this.host.onClose(), { text: "" }),
      ),
      h(
        "div.lm-draft-body",
        {},
        this.list,
        button("add", "add a message", () => this.change([...this.messages(), ["user", ""]]), { text: "message" }),
        h("label.lm-draft-label", {}, "parameters"),
        this.params.el,
        this.vars,
      ),
      this.error,
      h("div.lm-draft-foot", {}, this.name, this.note, this.saveButton),
    );
    for (const field of [this.name, this.note])
      field.addEventListener("keydown", (event) => {
        if (event.key === "Enter" && !event.isComposing && !event.ctrlKey) {
          event.preventDefault();
          this.save();
        }
      });
  }

  draw(draft, refused) {
    this.isThere = Boolean(draft);
    if (!draft) {
      this.shape = "";
      return;
    }
    this.title.textContent = draft.base === null ? "The call as it was sent" : `Draft from v${draft.base}`;
    this.name.hidden = !draft.needs_name;
    this.discard.hidden = draft.needs_name;
    const shape = `${draft.base}|${draft.messages.map(([role]) => role).join()}`;
    if (shape !== this.shape) this.rebuild(draft, shape);
    else draft.messages.forEach(([, content], i) => this.fields[i].set(content));
    this.params.set(draft.params);
    swap(
      this.vars,
      ...(draft.variables.length
        ? [h("span.lm-note", {}, "variables"), ...draft.variables.map((name) => h("span.lm-var", {}, name))]
        : [h("span.lm-note", {}, "no variables: write {{ name }}")]),
    );
    swap(this.error, icon("warn"), h("span", {}, draft.error ?? ""));
    this.error.hidden = !draft.error;
    this.saveButton.disabled = Boolean(refused || draft.error) || !draft.is_changed;
    this.saveButton.querySelector("span").textContent = draft.needs_name ? "Save as prompt" : "Save as new version";
    this.saveButton.title = refused
      ? refused
      : draft.error
        ? "the draft has an error"
        : draft.is_changed
          ? "save as a new version"
          : "nothing was changed yet";
  }

  rebuild(draft, shape) {
    this.shape = shape;
    for (const field of this.fields) field.close();
    this.roles = [];
    this.fields = draft.messages.map(
      ([role, content], i) =>
        new GrowingField({
          label: `${role} message ${i + 1}`,
          value: content,
          isCode: true,
          onType: () => this.tell(),
        }),
    );
    swap(
      this.list,
      ...draft.messages.map(([role], i) => {
        const select = h(
          "select.lm-select",
          { "aria-label": `role of message ${i + 1}`, onchange: () => this.tell() },
          ROLES.map((name) => h("option", { value: name }, name)),
        );
        select.value = ROLES.includes(role) ? role : "user";
        this.roles.push(select);
        return h(
          `div.lm-draft-message.lm-role-${select.value}`,
          {},
          h(
            "div.lm-draft-role",
            {},
            select,
            h("span.lm-gap"),
            draft.messages.length > 1
              ? button(
                  "close",
                  `remove message ${i + 1}`,
                  () => this.change(this.messages().filter((_, j) => j !== i)),
                  { text: "" },
                )
              : null,
          ),
          this.fields[i].el,
        );
      }),
    );
  }

  messages() {
    return this.fields.map((field, i) => [this.roles[i].value, field.area.value]);
  }

  change(messages) {
    return this.host.ask("draft", { op: "set", messages, params: this.params.area.value });
  }

  tell() {
    if (this.isThere) this.change(this.messages());
  }

  flush() {
    for (const field of [...this.fields, this.params]) field.flush();
  }

  async save() {
    if (this.saveButton.disabled) return;
    if (!this.name.hidden && !this.name.value.trim()) {
      this.name.focus();
      return;
    }
    this.flush();
    this.saveButton.disabled = true;
    const answer = await this.host.ask("save", { note: this.note.value, name: this.name.value });
    if (answer) this.note.value = "";
    else this.saveButton.disabled = false;
  }

  close() {
    for (const field of [...this.fields, this.params]) field.close();
  }
}
