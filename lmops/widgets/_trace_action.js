// What can be done with traces: a small form that asks for what an action needs, and says what came of it.

import { button, h, plural } from "./_dom.js";

export class ActionForm {
  /** `host`: {ask, say(text), focus(), view} */
  constructor(host) {
    this.host = host;
    this.el = h("form.lm-menu.lm-action", { hidden: true, "aria-label": "add" });
    this.el.addEventListener("submit", (event) => { event.preventDefault(); this.send(this.field.value.trim()); });
  }

  /** Start an action with traces; `words` says with which. */
  async start(name, ids, words = plural(ids.length, "trace")) {
    const question = await this.host.ask("question", { name });
    if (!question) return;
    Object.assign(this, { name, ids });
    if (!question.asks) { await this.send(""); return; }
    const list = `${this.host.view}-choices`;
    this.field = h("input", { type: "text", name: "value", list, required: true, maxlength: 200, autocomplete: "off", spellcheck: "false", placeholder: `name of the ${question.asks}`, "aria-label": `name of the ${question.asks}` });
    this.field.value = this.last ?? "";
    this.el.replaceChildren(...[h("label", {}, h("span", {}, `add ${words} to ${question.asks}`), this.field),
      h("datalist", { id: list }, question.choices.map((choice) => h("option", { value: choice }))),
      question.choices.length ? h("div.lm-choices", {}, question.choices.slice(0, 6).map((choice) => button(null, choice, () => this.send(choice), { title: `add to ${choice}` }))) : null,
      h("div.lm-form-foot", {}, button(null, "cancel", () => this.shut()), h("button.lm-button.lm-main-button", { type: "submit" }, "add"))].filter(Boolean));
    this.el.hidden = false;
    this.field.focus();
    this.field.select();
  }

  async send(value) {
    const answer = await this.host.ask("action", { name: this.name, trace_ids: this.ids, value });
    if (!answer) return; // the form stays, the status line says why
    if (value) this.last = value;
    this.host.say(answer.message, "done");
    this.shut();
  }

  shut() {
    if (this.el.hidden) return;
    this.el.hidden = true;
    this.host.focus();
  }
}
