// What can be done with traces: a small form that asks for what an action needs, and says what came of it.

import { button, h } from "./dom.js";

export class ActionForm {
  /** `host`: {ask, say(text), offer(text, undo), plural(n), focus(), view, state} */
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
    Object.assign(this, { name, ids, also: undefined, rev: this.host.state.rev });
    this.all = h("input", { type: "checkbox", name: "all" });
    if (!asks) {
      await this.send("");
      return;
    }
    const list = `${this.host.view}-choices`,
      choices = h("div.lm-choices"),
      options = h("datalist", { id: list }),
      second = h("div.lm-also"),
      { total } = this.host.state;
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
      oninput: () => this.settle(),
    });
    this.field.value = this.last?.[name] ?? "";
    this.el.replaceChildren(
      h("label", {}, h("span", {}, `add ${words} to ${asks}`), this.field),
      options,
      choices,
      second,
      total > ids.length
        ? h("label.lm-all", {}, this.all, h("span", {}, `all ${this.host.plural(total)} of the list instead`))
        : "",
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
    if (this.name !== name || this.el.hidden) return;
    options.append(...(question?.choices ?? []).map((choice) => h("option", { value: choice })));
    choices.append(
      ...(question?.choices ?? [])
        .slice(0, 6)
        .map((choice) => button(null, choice, () => this.send(choice), { title: `add to ${choice}` })),
    );
    if (question?.also) this.askAlso(question.also, second);
  }

  /** Ask what a new name needs beside it; a name that is known brings it along. */
  askAlso({ asks, choices, fixed }, place) {
    this.also = h(
      "select",
      { name: "also", "aria-label": asks },
      choices.map(([value, words]) => h("option", { value }, words)),
    );
    this.fixed = new Map(Object.entries(fixed));
    this.fixedAs = h("span.lm-note");
    place.append(h("label", {}, h("span", {}, asks), this.also, this.fixedAs));
    this.settle();
  }

  settle() {
    if (!this.also) return;
    const known = this.fixed.get(this.field.value.trim());
    this.also.hidden = known !== undefined;
    this.fixedAs.textContent = known ?? "";
  }

  async send(value) {
    const also = this.also && !this.fixed.has(value) ? this.also.value : undefined;
    const rows = this.all.checked ? { all: true, rev: this.rev } : { ids: this.ids };
    const answer = await this.host.ask("action", { name: this.name, value, also, ...rows });
    if (!answer) return; // the form stays, the status line says why
    if (value) this.last = { ...this.last, [this.name]: value };
    this.shut();
    if (answer.undo) this.host.offer(answer.message, answer.undo);
    else this.host.say(answer.message, "done");
  }

  shut() {
    if (this.el.hidden) return;
    this.el.hidden = true;
    this.host.focus();
  }
}
