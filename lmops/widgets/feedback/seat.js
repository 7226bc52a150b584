// Under which name a page works: who opened it, or whoever comes, who says a name once.

import { button, h } from "../kit/dom.js";
import { Shelf } from "./outbox.js";

export const AWAY = "No answer: what you decide is kept in this browser, and saved when the page opens again.";

class NameForm {
  /** `enter` takes a name and returns what is wrong with it, "" when nothing is; `said` is wrong already. */
  constructor({ queue, name, said, enter }) {
    this.enter = enter;
    this.field = h("input.lm-line", {
      "aria-label": "your name",
      autocomplete: "name",
      spellcheck: "false",
      maxlength: 1_000,
    });
    this.field.value = name;
    this.words = h("p.lm-said-error", { role: "alert" });
    this.words.textContent = said;
    this.field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      this.submit();
    });
    this.el = h(
      "div.lm-name-form",
      {},
      h("p", {}, "Who labels ", h("strong", {}, queue), "?"),
      this.field,
      button("right", "start", () => this.submit(), { text: "Start", cls: "lm-main-button" }),
      this.words,
      h("p.lm-note.lm-wraps", {}, "Your labels are kept under this name. This browser remembers it."),
    );
  }

  async submit() {
    if (this.isAsking) return;
    this.isAsking = true;
    const wrong = await this.enter(this.field.value.trim());
    this.isAsking = false;
    this.words.textContent = wrong;
    if (wrong) this.field.focus();
  }
}

export class Seat {
  /** `view`: the labeler, whose messages each say the name once the page has had to ask for it. */
  constructor(view, storage) {
    this.view = view;
    this.names = new Shelf("lmops:rater:", storage);
    this.isAsked = false;
  }

  /** The parameters of a message, with the name where it is needed. */
  signed(params) {
    return this.isAsked ? { ...params, rater: this.rater } : params;
  }

  /** Whether a message is for this name. */
  isFor(message) {
    return !this.isAsked || message.rater === this.rater;
  }

  /** Take the name that the browser knows, else the one that the reader gives; returns the state that it is told. */
  async take({ queue, store }) {
    this.isAsked = true;
    this.view.bar.onRater(() => {
      this.names.remove(store);
      location.reload();
    });
    const name = String(this.names.get(store) ?? "");
    const found = name ? await this.enter(store, name) : "";
    if (found?.kind !== "state") return this.view.isClosed ? undefined : this.ask(queue, store, name, found);
    if (document.activeElement === document.body) this.view.focus();
    return found;
  }

  async enter(store, name) {
    this.rater = name;
    const found = await this.view.tryAsk("hello");
    if (found?.kind === "state") this.names.set(store, name);
    return found?.kind || typeof found === "string" ? found : "there is no answer: try again";
  }

  ask(queue, store, name, said) {
    const { root } = this.view;
    return new Promise((resolve) => {
      const enter = async (given) => {
        const found = await this.enter(store, given);
        if (found?.kind !== "state") return found;
        form.el.remove();
        this.view.focus();
        resolve(found);
        return "";
      };
      const form = new NameForm({ queue, name, said, enter });
      root.dataset.state = "asking";
      root.append(form.el);
      form.field.focus();
    });
  }
}
