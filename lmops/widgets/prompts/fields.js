// Fields of the playground: text areas that grow with their text and mark template code behind it.

import { h } from "../kit/dom.js";

const CODE = /\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}/gs;

/** Cut a text into [piece, is template code]. */
export function pieces(text) {
  const found = [];
  let at = 0;
  for (const match of text.matchAll(CODE)) {
    if (match.index > at) found.push([text.slice(at, match.index), false]);
    found.push([match[0], true]);
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push([text.slice(at), false]);
  return found;
}

/** A text area over a copy of its text, which gives it its height and its marks. */
export class GrowingField {
  constructor({ label, value, placeholder = "", onType, isCode = false }) {
    this.onType = onType;
    this.isCode = isCode;
    this.back = h("div.lm-grow-back", { "aria-hidden": "true" });
    this.area = h("textarea.lm-grow-area", { "aria-label": label, spellcheck: "false", placeholder, rows: 1 });
    this.area.addEventListener("input", () => {
      this.draw();
      this.typeSoon();
    });
    this.area.addEventListener("blur", () => this.flush());
    this.el = h(`div.lm-grow${isCode ? ".lm-grow-code" : ""}`, {}, this.back, this.area);
    this.set(value);
  }

  /** Show a value from elsewhere, unless somebody types here. */
  set(value) {
    if (this.timer || (this.area === document.activeElement && this.area.value !== value)) return;
    if (this.area.value === value && this.back.firstChild) return;
    this.area.value = value;
    this.draw();
  }

  draw() {
    const text = this.area.value;
    this.back.replaceChildren(
      ...(this.isCode && text.length < 50_000
        ? pieces(text).map(([piece, isCode]) => (isCode ? h("span.lm-var", {}, piece) : piece))
        : [text]),
      "\u200b",
    );
  }

  typeSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), 250);
  }

  flush() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.onType(this.area.value);
  }

  close() {
    clearTimeout(this.timer);
  }
}
