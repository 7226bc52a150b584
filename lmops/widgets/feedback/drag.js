// Dragging with a mouse or a pen: cards onto a column, the head of a column onto another. A finger scrolls.

import { h, plural } from "../kit/dom.js";

const FAR = 6;

export class CardDrag {
  /** host: {notesOf(card), drop({notes} or {mode}, key of the column)} */
  constructor(board, host) {
    this.board = board;
    this.host = host;
    this.justDragged = false;
    this.listeners = {
      pointermove: (event) => this.moved(event),
      pointerup: (event) => this.ended(event, true),
      pointercancel: (event) => this.ended(event, false),
      keydown: (event) => event.key === "Escape" && this.ended(event, false),
    };
    board.addEventListener("pointerdown", (event) => this.began(event));
  }

  began(event) {
    if (event.button !== 0 || event.pointerType === "touch" || event.target.closest("button")) return;
    const card = event.target.closest(".lm-theme-card"),
      head = event.target.closest(".lm-theme-mode > .lm-theme-head");
    if (!card && !head) return;
    this.justDragged = false;
    this.from = { x: event.clientX, y: event.clientY, card, head };
    for (const [name, listener] of Object.entries(this.listeners)) window.addEventListener(name, listener, true);
  }

  /** What is dragged is known when the mouse has gone far enough. */
  begin() {
    const { card, head } = this.from;
    if (card) this.given = { notes: this.host.notesOf(card) };
    else this.given = { mode: Number(head.parentElement.dataset.mode) };
    const words = card ? plural(this.given.notes.length, "note") : head.querySelector("b").textContent;
    this.ghost = h("div.lm-theme-ghost", { "aria-hidden": "true" }, words);
    this.board.parentElement.append(this.ghost);
    this.board.classList.add("lm-dragging");
    this.justDragged = true;
  }

  moved(event) {
    if (!this.ghost && Math.hypot(event.clientX - this.from.x, event.clientY - this.from.y) < FAR) return;
    if (!this.ghost) this.begin();
    event.preventDefault();
    const box = this.board.parentElement.getBoundingClientRect();
    this.ghost.style.left = `${event.clientX - box.left + 10}px`;
    this.ghost.style.top = `${event.clientY - box.top + 8}px`;
    const over = this.columnAt(event);
    for (const el of this.board.children) el.classList.toggle("lm-over", el === over);
    const { left, right } = this.board.getBoundingClientRect();
    if (event.clientX > right - 40) this.board.scrollLeft += 14;
    else if (event.clientX < left + 40) this.board.scrollLeft -= 14;
  }

  columnAt({ clientX, clientY }) {
    const found = document.elementFromPoint(clientX, clientY)?.closest(".lm-theme-column");
    return found && this.board.contains(found) ? found : null;
  }

  ended(event, isDropped) {
    for (const [name, listener] of Object.entries(this.listeners)) window.removeEventListener(name, listener, true);
    const { ghost, given } = this,
      over = isDropped && ghost ? this.columnAt(event) : null;
    ghost?.remove();
    this.ghost = this.given = undefined;
    this.board.classList.remove("lm-dragging");
    for (const el of this.board.children) el.classList.remove("lm-over");
    // The click that follows belongs to the drag.
    setTimeout(() => {
      this.justDragged = false;
    });
    if (over) this.host.drop(given, over.dataset.key);
  }

  close() {
    for (const [name, listener] of Object.entries(this.listeners)) window.removeEventListener(name, listener, true);
    this.ghost?.remove();
  }
}
