// What can be done with traces: a small form that asks for what an action needs, and says what came of it.

import { button, h } from "./dom.js";

export class ActionForm {
  /** `host`: {ask, say(text), focus(), view} */
  constructor(host) {
    this.host = host;
    this.el = h("form.lm-menu.lm-action", { hidden: true, "aria-label": "add" });
    this.el.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(this.field.value.trim());
    });
  }

  /** Start an action with traces, or with those of cases; `words` says with which.
   *  The form is there at once, what it offers comes when it comes. */
  async start({ name, asks }, ids, words) {
    Object.assign(this, { name, ids });
    if (!asks) {
      await this.send("");
      return;
    }
    const list = `${this.host.view}-choices`,
      choices = h("div.lm-choices"),
      options = h("datalist", { id: list });
    this.field = h("input", {
      type: "text",
      name: "value",
      list,
      required: true,
      maxlength: 200,
      autocomplete: "off",
      spellcheck: "false",
      placeholder: `name of the ${asks}`,
      "aria-label": `name of the ${asks}`,
    });
    this.field.value = this.last ?? "";
    this.el.replaceChildren(
      h("label", {}, h("span", {}, `add ${words} to ${asks}`), this.field),
      options,
      choices,
      h(
        "div.lm-form-foot",
        {},
        button(null, "cancel", () => this.shut()),
        h("button.lm-button.lm-main-button", { type: "submit" }, "add"),
      ),
    );
    this.el.hidden = false;
    this.field.focus();
    this.field.select();
    const question = await this.host.ask("question", { name });
    options.append(...(question?.choices ?? []).map((choice) => h("option", { value: choice })));
    choices.append(
      ...(question?.choices ?? [])
        .slice(0, 6)
        .map((choice) => button(null, choice, () => this.send(choice), { title: `add to ${choice}` })),
    );
  }

  async send(value) {
    const answer = await this.host.ask("action", { name: this.name, ids: this.ids, value });
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
