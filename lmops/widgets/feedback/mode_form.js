// One form for what an act needs: a name, another mode, or criteria; it opens again with the reason when it is refused.

import { button, h, icon, swap } from "../kit/dom.js";

export class ModeForm {
  /** host: {view, tryAsk, focus, wait(promise), refused()} */
  constructor(host) {
    this.host = host;
    this.el = h("form.lm-menu.lm-theme-form", { hidden: true, role: "dialog", "aria-label": "failure mode" });
    this.el.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
  }

  /** Ask for one text; `send` returns what came of it (words when it was refused), `done` follows when it was not. */
  open({ title, label, value = "", go, names = [], isArea = false, send, done = () => {} }) {
    Object.assign(this, { send, done });
    const list = `${this.host.view}-modes`;
    this.field = isArea
      ? h("textarea", { name: "words", rows: 4, maxlength: 4_000, "aria-label": label })
      : h("input", {
          name: "words",
          list,
          maxlength: 1_000,
          autocomplete: "off",
          spellcheck: "false",
          "aria-label": label,
        });
    this.field.value = value;
    this.why = h("p.lm-theme-why.lm-s-error", { role: "alert", hidden: true });
    const choices = names
      .slice(0, 12)
      .map((name) => button("", name, () => this.choose(name), { title: name, cls: "lm-theme-choice" }));
    swap(
      this.el,
      h("strong", {}, title),
      this.field,
      h(
        "datalist",
        { id: list },
        names.map((name) => h("option", { value: name })),
      ),
      h("div.lm-theme-choices", {}, choices),
      this.why,
      h(
        "div.lm-theme-buttons",
        {},
        button("", "Cancel", () => this.shut()),
        h("button.lm-button.lm-main-button", { type: "submit" }, go),
      ),
    );
    this.el.hidden = false;
    this.field.focus();
    this.field.select();
  }

  ask(kind, params) {
    return this.host.tryAsk(kind, params);
  }

  choose(name) {
    this.field.value = name;
    this.submit();
  }

  /** Send it: the form is shut at once, so that what is typed ahead waits for the answer and not in its field. */
  submit() {
    const words = this.field.value.trim();
    if (!words && this.field.tagName === "INPUT") return;
    this.shut();
    this.host.wait(this.sent(words));
  }

  async sent(words) {
    const answer = await this.send(words);
    if (answer && typeof answer !== "string") {
      this.done();
      return;
    }
    this.host.refused();
    swap(this.why, icon("warn"), h("span", {}, answer ?? "the kernel does not answer"));
    this.why.hidden = false;
    this.el.hidden = false;
    this.field.focus();
  }

  /** Shut it; false when it was not open. */
  shut() {
    if (this.el.hidden) return false;
    this.el.hidden = true;
    this.host.focus();
    return true;
  }
}
