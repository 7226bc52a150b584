// What views share that are read from top to bottom: scrolling, stops to step through, a choice of two, copying.

import { button, copy, h } from "./dom.js";
import { commandIn } from "./keys.js";
import { View } from "./view.js";

const READING_KEYS = {
  n: "next",
  p: "previous",
  j: "next",
  k: "previous",
  y: "copy",
  "?": "help",
  Escape: "escape",
  ArrowDown: "down",
  ArrowUp: "up",
  PageDown: "pageDown",
  PageUp: "pageUp",
  " ": "pageDown",
  Home: "first",
  End: "last",
};

/** What a key means to a reader, with the keys of one view; undefined leaves it to the page. */
export const readingCommand = (event, own) => commandIn(event, { ...READING_KEYS, ...own });

export class ReadingView extends View {
  /** Subclasses say `noun` (what is copied), `reader` (the element that scrolls), `overlap` (pixels that a page leaves
   *  in sight) and `moves` (the form of a move), build `modes` with `twoWays` and have `step(by)`. */

  /** Two buttons of which one is on; `choose` is told whether it is the second. */
  twoWays(label, names, choose) {
    this.modes = names.map((name, i) =>
      h("button.lm-range", { type: "button", role: "radio", onclick: () => choose(Boolean(i)) }, name),
    );
    return h("div.lm-ranges", { role: "radiogroup", "aria-label": label }, this.modes);
  }

  showWay(isSecond) {
    this.modes.forEach((one, i) => {
      one.setAttribute("aria-checked", Boolean(i) === isSecond);
      one.classList.toggle("lm-on", Boolean(i) === isSecond);
    });
  }

  showPressed(el, isOn) {
    el.classList.toggle("lm-on", isOn);
    el.setAttribute("aria-pressed", isOn);
  }

  rollbackButton() {
    return button("", "roll back", () => this.moves.open("rollback"), { text: "Roll back…", cls: "lm-act" });
  }

  /** There is nothing to roll back where no alias has an earlier version: what does not exist is not shown. */
  drawRollback() {
    const { can_undo: names, refused } = this.state;
    this.rollback.hidden = !names.length;
    this.rollback.disabled = Boolean(refused);
    this.rollback.title = refused || `roll back ${names.join(" or ")}`;
  }

  /** Say what a move did, and offer to take it back to who made it. */
  told({ said, undo }, mine) {
    if (said && undo && mine) this.status.offer(said, "Undo", () => this.ask("move", undo));
    else if (said) this.say(said, "done", true);
  }

  barEnd() {
    return [
      button("copy", "copy as text  y", () => this.copy(), { text: "" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    ];
  }

  /** The place of the stop that one step leads to; undefined where there is none, which `last` and `first` say. */
  stepped(stops, now, by, last, first) {
    if (!stops.length) return undefined;
    const at = stops.indexOf(now),
      next = at < 0 ? (by > 0 ? 0 : stops.length - 1) : at + by;
    if (next >= 0 && next < stops.length) return next;
    this.say(by > 0 ? last : first);
    return undefined;
  }

  async copy() {
    this.focus();
    const answer = await this.ask("text");
    if (!answer) return;
    const isCopied = await copy(answer.text, this.root);
    this.say(isCopied ? `${this.noun} copied as text` : "this page may not copy; .text has it", "done");
  }

  commands() {
    const el = this.reader,
      by = (top) => {
        el.scrollBy({ top });
      };
    return {
      next: () => this.step(1),
      previous: () => this.step(-1),
      copy: () => {
        this.copy();
      },
      help: () => this.toggleHelp(),
      down: () => by(40),
      up: () => by(-40),
      pageDown: () => by(el.clientHeight - this.overlap),
      pageUp: () => by(this.overlap - el.clientHeight),
      first: () => {
        el.scrollTop = 0;
      },
      last: () => {
        el.scrollTop = el.scrollHeight;
      },
      escape: () => this.escape(),
    };
  }

  shut() {
    return this.moves.shut();
  }
}
