// The rows of a prompt diff: sections that are filled when they come near, unchanged stretches folded, jumps.

import { h, icon, plural } from "../kit/dom.js";

const [SAME, CHANGED, ADDED, REMOVED] = [0, 1, 2, 3];
const SECTION = 80,
  PAGE = 400,
  LINE = 20;
export const KIND_WORDS = ["same", "changed", "added", "removed"];
export const KIND_SIGNS = ["", "~", "+", "−"];

/** What to show: per message its heading, then runs of rows and folded stretches; `open` holds the starts unfolded. */
export function layoutOf(messages, hunks, around, open) {
  const found = [];
  let next = 0;
  messages.forEach(([, kind, start, count], place) => {
    const end = start + count,
      near = [];
    found.push({ type: "message", place });
    while (next < hunks.length && hunks[next][0] < end) {
      const [at, size] = hunks[next++];
      const from = Math.max(start, at - around),
        to = Math.min(end, at + size + around),
        last = near[near.length - 1];
      // Folding one line would save none.
      if (last && from <= last[1] + 1) last[1] = to;
      else near.push([from === start + 1 ? start : from, to]);
    }
    if (near.length && near[near.length - 1][1] === end - 1) near[near.length - 1][1] = end;
    let at = start;
    const fold = (to) => {
      if (to > at)
        found.push({
          type: open.has(at) || (kind !== SAME && !near.length) ? "rows" : "fold",
          start: at,
          count: to - at,
        });
    };
    for (const [from, to] of near) {
      fold(from);
      found.push({ type: "rows", start: from, count: to - from });
      at = to;
    }
    fold(end);
  });
  return found;
}

/** Cut a run of rows into sections of a size that can be left undrawn. */
export function sectionsOf(start, count) {
  const found = [];
  for (let at = start; at < start + count; at += SECTION) found.push([at, Math.min(SECTION, start + count - at)]);
  return found;
}

export class PromptRows {
  /** host: {ask, view, state, onFold}. */
  constructor(host) {
    this.host = host;
    this.isInline = false;
    this.space = h("div.lm-diff-space");
    this.el = h("div.lm-diff-scroll", { role: "region", "aria-label": "differences", tabindex: -1 }, this.space);
    this.watcher = new IntersectionObserver(
      (seen) => {
        for (const one of seen) if (one.isIntersecting) this.fill(one.target);
      },
      { root: this.el, rootMargin: "800px 0px" },
    );
    this.reset();
  }

  reset() {
    this.pages = new Map();
    this.open = new Set();
    this.current = -1;
  }

  draw() {
    const { state } = this.host;
    this.watcher.disconnect();
    this.space.style.setProperty("--lm-left", `${state.widths[0] + 2}ch`);
    this.space.style.setProperty("--lm-right", `${state.widths[1] + 2}ch`);
    this.space.classList.toggle("lm-inline", this.isInline);
    const isOne = state.messages.length === 1 && state.messages[0][1] === CHANGED;
    const nodes = layoutOf(state.messages, state.hunks, 3, this.open).map((part) => {
      if (part.type === "message") return isOne ? null : this.heading(...state.messages[part.place]);
      if (part.type === "fold") return this.fold(part);
      return sectionsOf(part.start, part.count).map(([start, count]) => this.section(start, count));
    });
    this.space.replaceChildren(...nodes.flat().filter(Boolean));
    for (const section of this.space.querySelectorAll(".lm-diff-section")) this.watcher.observe(section);
  }

  heading(title, kind, start) {
    const role = title.split(" ").pop();
    return h(
      `div.lm-diff-message.lm-role-${["system", "developer", "user", "assistant"].includes(role) ? role : "user"}`,
      { "data-start": start },
      h("b", {}, title),
      kind === SAME
        ? h("span.lm-note", {}, "unchanged")
        : h(`span.lm-kind-${KIND_WORDS[kind]}`, {}, `${KIND_SIGNS[kind]} ${KIND_WORDS[kind]}`),
    );
  }

  fold({ start, count }) {
    return h(
      "button.lm-diff-fold",
      {
        type: "button",
        "data-start": start,
        "aria-expanded": "false",
        onclick: () => {
          this.open.add(start);
          this.draw();
        },
      },
      icon("down"),
      plural(count, "unchanged line"),
    );
  }

  section(start, count) {
    const el = h("div.lm-diff-section", {
      "data-start": start,
      "data-count": count,
      role: "table",
      "aria-label": "lines",
    });
    el.style.containIntrinsicSize = `auto ${count * LINE}px`;
    el.style.minHeight = `${count * LINE}px`;
    return el;
  }

  async page(start) {
    const page = Math.floor(start / PAGE) * PAGE,
      { rev } = this.host.state;
    if (!this.pages.has(page)) this.pages.set(page, this.host.ask("rows", { rev, start: page, count: PAGE }));
    const answer = await this.pages.get(page);
    if (!answer && this.pages.get(page)) this.pages.delete(page);
    return answer?.rows;
  }

  async fill(el) {
    if (el.dataset.filled) return;
    const { rev } = this.host.state,
      start = +el.dataset.start,
      count = +el.dataset.count,
      found = [];
    for (let at = start; at < start + count;) {
      const rows = await this.page(at),
        offset = at % PAGE;
      if (!rows || rev !== this.host.state.rev) return;
      const some = rows.slice(offset, offset + start + count - at);
      if (!some.length) return;
      found.push(...some);
      at += some.length;
    }
    if (el.dataset.filled || !el.isConnected) return;
    el.dataset.filled = "true";
    el.style.minHeight = "";
    el.replaceChildren(
      ...found.map((row, i) => (this.isInline ? this.inline(row, start + i) : this.beside(row, start + i))).flat(),
    );
    if (this.current >= 0) this.mark(false);
  }

  line(parts, kind) {
    const el = h("code.lm-diff-text", { role: "cell" }),
      tag = kind === REMOVED ? "del" : "ins";
    // Of a line that is new as a whole no word stands out.
    const hasWords = parts?.some(([text, flags]) => !(flags & 1) && text.trim());
    for (const [text, flags] of parts ?? []) {
      const piece = flags & 2 ? h("span.lm-var", {}, text) : text;
      el.append(flags & 1 && hasWords ? h(tag, {}, piece) : piece);
    }
    if (!el.firstChild) el.append("\u200b");
    return el;
  }

  side(number, kind, parts) {
    if (parts === null)
      return [
        h("span.lm-diff-none", { role: "cell" }),
        h("span.lm-diff-none", { role: "cell" }),
        h("span.lm-diff-none", { role: "cell" }),
      ];
    const cls = kind === SAME ? "" : `.lm-line-${KIND_WORDS[kind]}`,
      text = this.line(parts, kind);
    if (cls) text.classList.add(cls.slice(1));
    return [
      h(`span.lm-diff-number${cls}`, { role: "cell" }, number ?? ""),
      h(
        `span.lm-diff-sign${cls}`,
        { role: "cell", "aria-label": kind === SAME ? "same" : KIND_WORDS[kind] },
        KIND_SIGNS[kind],
      ),
      text,
    ];
  }

  beside([kind, left, right, old, now], index) {
    const was = kind === SAME ? now : old;
    return h(
      "div.lm-diff-row",
      { role: "row", "data-row": index, "data-kind": KIND_WORDS[kind] },
      this.side(left, kind === SAME ? SAME : REMOVED, kind === ADDED ? null : was),
      this.side(right, kind === SAME ? SAME : ADDED, kind === REMOVED ? null : now),
    );
  }

  inline([kind, left, right, old, now], index) {
    const row = (sign, a, b, parts) => {
      const [number, mark, text] = this.side(a ?? "", sign, parts);
      const other = h(`span.${number.className.split(" ").join(".")}`, { role: "cell" }, b ?? "");
      return h(
        "div.lm-diff-row",
        { role: "row", "data-row": index, "data-kind": KIND_WORDS[sign] },
        number,
        other,
        mark,
        text,
      );
    };
    if (kind === SAME) return [row(SAME, left, right, now)];
    return [...(old ? [row(REMOVED, left, null, old)] : []), ...(now ? [row(ADDED, null, right, now)] : [])];
  }

  /** Go to a difference: bring its section near, wait until it is filled, show it, mark it. */
  async jump(place) {
    this.current = place;
    const [start] = this.host.state.hunks[place];
    const section = [...this.space.querySelectorAll(".lm-diff-section")].find(
      (el) => +el.dataset.start <= start && start < +el.dataset.start + +el.dataset.count,
    );
    if (!section) return;
    if (!section.dataset.filled) {
      section.scrollIntoView({ block: "center" });
      await this.fill(section);
    }
    if (this.current === place) this.mark(true);
  }

  mark(isShown) {
    const [start, size] = this.host.state.hunks[this.current] ?? [-1, 0];
    for (const row of this.space.querySelectorAll(".lm-current")) row.classList.remove("lm-current");
    let first = null;
    for (let at = start; at < start + Math.min(size, 400); at++) {
      for (const row of this.space.querySelectorAll(`[data-row="${at}"]`)) {
        row.classList.add("lm-current");
        first ??= row;
      }
    }
    if (isShown && first) {
      const box = first.getBoundingClientRect(),
        here = this.el.getBoundingClientRect();
      if (box.top < here.top + 24 || box.bottom > here.bottom - 60)
        this.el.scrollTop += box.top - here.top - Math.min(120, here.height / 4);
    }
  }

  unfold() {
    const { state } = this.host;
    const folds = layoutOf(state.messages, state.hunks, 3, this.open).filter((part) => part.type === "fold");
    if (folds.length) for (const part of folds) this.open.add(part.start);
    else this.open.clear();
    this.draw();
    if (this.current >= 0) this.jump(this.current);
  }

  close() {
    this.watcher.disconnect();
  }
}
