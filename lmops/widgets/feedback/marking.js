// Marking stretches of an answer: what is selected, what is found, or sentence by sentence with keys alone.

import { sentences, toCharacters } from "./answers.js";

export class Marking {
  /** `host`: {say, focus, set(values), pane, schema, values, output} */
  constructor(host) {
    this.host = host;
    this.place = null; // the stretch that is looked at, as [from, to]
  }

  /** The field that asks for stretches. */
  get field() {
    return this.host.schema?.fields.find((field) => field.kind === "spans");
  }

  get stretches() {
    return this.field ? (this.host.values[this.field.name] ?? []) : [];
  }

  /** Mark what is selected in the answer, else what is looked at. */
  mark(field, name) {
    const { host } = this,
      found = host.pane.selection() ?? this.place;
    if (!found || found[0] >= found[1]) {
      host.say("select words of the answer first, or go to a sentence with [ and ]");
      return;
    }
    const [start, end] = found.map((place) => toCharacters(host.output, place));
    const before = host.values[field.name] ?? [];
    const stretch = { start, end, ...(name === null ? {} : { name }) };
    if (before.some((one) => one.start === start && one.end === end && one.name === stretch.name)) return;
    document.getSelection()?.removeAllRanges();
    host.set({ ...host.values, [field.name]: [...before, stretch].sort((a, b) => a.start - b.start) });
    host.pane.drawOutput();
  }

  find(field, words) {
    const { host } = this,
      at = words ? host.output.indexOf(words) : -1;
    if (at < 0) {
      host.say("the answer has no such words", "error");
      return false;
    }
    this.place = [at, at + words.length];
    if (field.options.length) host.pane.drawOutput();
    else this.mark(field, null);
    host.focus();
    return true;
  }

  sentence(by) {
    const all = sentences(this.host.output);
    if (!all.length) return;
    const now = all.findIndex(([start]) => start === this.place?.[0]);
    const next = now < 0 ? (by > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, now + by));
    this.place = all[next];
    this.host.pane.drawOutput();
    this.host.pane.answer.querySelector(".lm-looked")?.scrollIntoView({ block: "nearest" });
  }
}
