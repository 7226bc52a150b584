// Keys in their order: users type faster than a busy kernel answers.

import { isOurs } from "./dom.js";

/** What a key means in a view that knows these; undefined leaves it to the page. */
export function commandIn(event, known) {
  if (event.isComposing || !isOurs(event)) return undefined;
  const shifted = `Shift+${event.key}`,
    key = event.shiftKey && Object.hasOwn(known, shifted) ? shifted : event.key;
  return Object.hasOwn(known, key) ? known[key] : undefined;
}

/** Arrow keys, Home and End go from one of the things in `el` to the next; for Tab they can be one stop. */
export function arrows(el, selector) {
  el.addEventListener("keydown", (event) => {
    const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -1e9, End: 1e9 }[event.key];
    if (!by || !isOurs(event) || event.isComposing) return;
    const all = [...el.querySelectorAll(selector)].filter((one) => !one.disabled),
      at = all.indexOf(document.activeElement);
    if (at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    all[Math.min(all.length - 1, Math.max(0, at + by))].focus();
  });
}

/** What is on its way; whoever needs it waits for all of it. */
export class Pending {
  constructor() {
    this.promises = new Set();
  }

  add(promise) {
    const done = () => this.promises.delete(promise);
    this.promises.add(promise);
    promise.then(done, done);
    return promise;
  }

  get all() {
    return this.promises.size ? Promise.allSettled([...this.promises]) : undefined;
  }
}

/** Type a key into a field as the browser would have. */
export function typeInto(field, key) {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
  if (!field.dispatchEvent(event)) return;
  const { selectionStart: from, selectionEnd: to } = field,
    isBack = key === "Backspace",
    isArea = field.tagName === "TEXTAREA";
  if (key === "Enter" && !isArea) field.form?.requestSubmit();
  const text = key.length === 1 ? key : key === "Enter" && isArea ? "\n" : "";
  if (typeof from !== "number" || !(text || isBack)) return;
  field.setRangeText(text, isBack && from === to ? Math.max(0, from - 1) : from, to, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/** How often a key looks again for what it needs: a list, its row, what is open. */
const LOOKS = 5;

/** A key acts at once when what it needs is there. Else it waits, and what is typed after it waits behind it, be it
 *  text for the field that it goes to. With a kernel that is slow or gone nothing is waited for. */
export class KeyQueue {
  /** `host`: {commandOf(key), needed(key): promise or undefined, perform(key): promise to wait for or undefined,
   *  isReady(), failed(error)} */
  constructor(host) {
    this.host = host;
    this.waiting = [];
    this.isBusy = false;
  }

  /** Take a key; false leaves it to the page. */
  take(event) {
    if (event.isComposing || !isOurs(event)) return false;
    const isText = this.isBusy && (event.key.length === 1 || event.key === "Backspace" || event.key === "Enter");
    if (!isText && !this.host.commandOf(event)) return false;
    // A key that is held down while nothing moves does not run on when it is let go.
    if (this.isBusy && event.repeat) return true;
    this.waiting.push({ key: event.key, shiftKey: event.shiftKey });
    if (!this.isBusy) this.flow();
    return true;
  }

  /** Run the keys; without waiting as long as there is nothing to wait for. */
  async flow() {
    const { host } = this;
    this.isBusy = true;
    while ((this.next = this.waiting.shift())) {
      try {
        for (
          let look = 0, needed;
          this.next && look < LOOKS && host.isReady() && (needed = host.needed(this.next));
          look++
        )
          await this.patience(needed);
        const acting = this.next && host.perform(this.next);
        if (acting && host.isReady()) await this.patience(acting);
      } catch (error) {
        host.failed(String(error));
      }
    }
    this.isBusy = false;
  }

  patience(promise) {
    return Promise.race([
      promise,
      new Promise((done) => {
        this.giveUp = done;
      }),
    ]);
  }

  /** Wait no longer: the kernel is slow or gone. */
  hurry() {
    this.giveUp?.();
  }

  /** Forget what waits. */
  drop() {
    this.waiting = [];
    this.next = undefined;
    this.hurry();
  }
}
