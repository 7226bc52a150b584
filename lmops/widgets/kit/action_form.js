// What can be done with traces: a small form that asks for what an action needs, and says what came of it.

import { button, count, h, icon } from "./dom.js";

export class ActionForm {
  /** `host`: {ask, say(text), offer(text, undo), plural(n), focus(), view, state} */
  constructor(host) {
    this.host = host;
    this.el = h("form.lm-menu.lm-action", { hidden: true, tabindex: -1, "aria-label": "add" });
    this.el.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(this.field.value.trim());
    });
  }

  /** Start an action with rows, {ids} or {all: true, but: ids}; `words` says with which.
   *  The form is there at once, what it offers comes when it comes. */
  async start({ name, asks }, meant, words) {
    Object.assign(this, { name, meant, also: undefined, rev: this.host.state.rev });
    this.all = h("input", { type: "checkbox", name: "all", onchange: () => this.replan() });
    this.map = null;
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
    this.planned = h("div.lm-planned", { "aria-live": "polite" });
    this.go = h("button.lm-button.lm-main-button", { type: "submit" }, "add");
    this.el.replaceChildren(
      this.planned,
      h("label", {}, h("span", {}, `add ${words} to ${asks}`), this.field),
      options,
      choices,
      second,
      !meant.all && total > meant.ids.length
        ? h("label.lm-all", {}, this.all, h("span", {}, `all ${this.host.plural(total)} of the list instead`))
        : "",
      h(
        "div.lm-form-foot",
        {},
        button(null, "cancel", () => this.shut()),
        this.go,
      ),
    );
    this.el.hidden = false;
    this.field.focus();
    this.field.select();
    const question = await this.host.ask("question", { name, ...this.rows() });
    if (this.name !== name || this.el.hidden) return;
    if (question?.maps) this.askMap();
    this.showPlan(question?.plan);
    options.append(...(question?.choices ?? []).map((choice) => h("option", { value: choice })));
    choices.append(
      ...(question?.choices ?? [])
        .slice(0, 6)
        .map((choice) => button(null, choice, () => this.send(choice), { title: `add to ${choice}` })),
    );
    if (question?.also) this.askAlso(question.also, second);
  }

  /** With which rows: those that were meant at first, or all of the list. */
  rows() {
    return { rev: this.rev, ...(this.all.checked ? { all: true, but: [] } : this.meant) };
  }

  /** Ask from which places fields are taken; what that comes to is shown while it is typed. */
  askMap() {
    this.map = h("input", {
      type: "text",
      name: "map",
      maxlength: 1_000,
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "question=input.question expected=output.answer",
      oninput: () => {
        clearTimeout(this.planning);
        this.planning = setTimeout(() => this.replan(), 250);
      },
    });
    this.planned.after(h("label", {}, h("span", {}, "fields from other places"), this.map));
  }

  async replan() {
    const { name } = this,
      asked = (this.asked = (this.asked ?? 0) + 1);
    const answer = await this.host.ask("plan", { name, map: this.map?.value, ...this.rows() });
    if (asked === this.asked && this.name === name && !this.el.hidden) this.showPlan(answer?.plan);
  }

  /** What would be added, field by field; where nothing would, why not, and no name is asked for. */
  showPlan(plan) {
    const isRefused = Boolean(plan?.refused);
    this.go.disabled = this.field.disabled = isRefused;
    this.el.classList.toggle("lm-refused", isRefused);
    this.planned.replaceChildren(
      ...(isRefused ? [h("div.lm-s-error", {}, icon("warn"), h("span", {}, plan.refused))] : []),
      ...(plan && !isRefused
        ? [
            h("strong", {}, plan.title),
            h(
              "dl",
              {},
              plan.fields.map(([name, place, n, sample]) => [
                h("dt", {}, name),
                h(
                  "dd",
                  { title: sample },
                  place ? h("b", {}, `← ${place}`) : "",
                  h("span.lm-note", {}, `${count(n)} · ${sample}`),
                ),
              ]),
            ),
          ]
        : []),
    );
    if (isRefused && document.activeElement === document.body) (this.map ?? this.el).focus();
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
    const map = this.map?.value;
    const answer = await this.host.ask("action", { name: this.name, value, also, map, ...this.rows() });
    if (!answer) return; // the form stays, the status line says why
    if (value) this.last = { ...this.last, [this.name]: value };
    this.shut();
    if (answer.undo) this.host.offer(answer.message, answer.undo);
    else this.host.say(answer.message, "done");
  }

  shut() {
    if (this.el.hidden) return;
    clearTimeout(this.planning);
    this.el.hidden = true;
    this.host.focus();
  }
}
