// Images and sounds that a trace carries in itself: facts first, their data when somebody stays.

import { h, plural } from "./dom.js";

export class Media {
  /** `facts`: of each {kind, mime, bytes, is_shown, is_answer}. */
  constructor(facts) {
    this.facts = facts;
    this.boxes = [];
  }

  /** The places of those that are part of an answer, or of those that are not; null for none. */
  nodes(isAnswer) {
    const found = this.facts.map((one, i) => (one.is_answer === isAnswer ? this.box(one, i) : null)).filter(Boolean);
    return found.length ? h("div.lm-media", {}, found) : null;
  }

  box(one, index) {
    const words = `${one.mime}, ${plural(Math.ceil(one.bytes / 1024), "kB").replace("kBs", "kB")}`;
    const el = h("figure.lm-picture", { "data-media": one.kind }, h("figcaption.lm-note", {}, words));
    if (one.is_shown) this.boxes.push([el, index, one.kind, words]);
    else el.append(h("span.lm-note", {}, "too large to be shown here"));
    return el;
  }

  /** A picture that a click, or Enter, shows large, and small again. */
  larger(el, picture) {
    const onclick = () => el.classList.toggle("lm-large");
    return h("button.lm-picture-button", { type: "button", title: "large or small", onclick }, picture);
  }

  /** Ask for the data of each, one after the other, as long as they stand on the page. */
  async load(ask) {
    for (const [el, index, kind, words] of this.boxes) {
      const answer = await ask(index);
      if (!el.isConnected) return;
      if (!answer) continue;
      const shown = kind === "image" ? h("img", { alt: words }) : h("audio", { controls: true, "aria-label": words });
      shown.src = `data:${answer.mime};base64,${answer.data.replaceAll("-", "+").replaceAll("_", "/")}`;
      el.prepend(kind === "image" ? this.larger(el, shown) : shown);
    }
  }
}
