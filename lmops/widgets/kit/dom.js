// What every widget needs: elements without markup, icons, formats, a closed message channel, and keys kept to itself.
// Text of traces reaches the page only as text nodes.

export const ROW = 24;
export const MAX_HEIGHT = 15_000_000; // browsers clamp elements near 33.5 million pixels

/** Make an element: h("div.cls.other", {attribute, onevent}, ...children); children are nodes or text. */
export function h(spec, attrs = {}, ...children) {
  const [tag, ...classes] = spec.split(".");
  const el = document.createElement(tag || "div");
  if (classes.length) el.className = classes.join(" ");
  for (const [key, value] of Object.entries(attrs)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
    else el.setAttribute(key, value === true ? "" : String(value));
  }
  el.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return el;
}

/** Put children in the place of others; the focus stays inside the widget, where keys are kept from the notebook. */
export function swap(el, ...nodes) {
  const active = document.activeElement,
    had = active !== el && el.contains(active);
  el.replaceChildren(...nodes);
  if (had) (active.isConnected ? active : el.closest(".lm-root"))?.focus({ preventScroll: true });
}

const PATHS = {
  ok: "M3 8.5l3.2 3L13 4.5",
  error: "M4 4l8 8M12 4l-8 8",
  unset: "M4 8h8",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  pin: "M6 2.5h4l-.5 5 2.5 2H4l2.5-2zM8 9.5v4",
  undo: "M5.5 3.5l-3 3 3 3M2.5 6.5h7a3.5 3.5 0 010 7H6",
  up: "M4 10l4-4 4 4",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  left: "M10 4L6 8l4 4",
  close: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  search: "M7 11.5a4.5 4.5 0 110-9 4.5 4.5 0 010 9zM10.5 10.5l3 3",
  columns: "M2.5 3.5h11v9h-11zM6.2 3.5v9M9.8 3.5v9",
  refresh: "M13 8a5 5 0 11-1.5-3.5M13 2.5v3h-3",
  clock: "M8 13.5a5.5 5.5 0 110-11 5.5 5.5 0 010 11zM8 5v3.2l2 1.3",
  help: "M6 6a2 2 0 113 1.8c-.7.4-1 .8-1 1.7M8 12v.3",
  session: "M2.5 3.5h8v5h-5l-3 2.5zM6 10.5v1h5l2.5 2v-7h-2",
  code: "M5.5 4.5L2 8l3.5 3.5M10.5 4.5L14 8l-3.5 3.5",
  llm: "M8 2l1.4 4.2L14 8l-4.6 1.6L8 14l-1.4-4.4L2 8l4.6-1.8z",
  tool: "M10 2.5a3.2 3.2 0 00-3 4.4l-4.5 4.5 2 2L9 9a3.2 3.2 0 004.4-3.7L11.5 7 9.4 4.9z",
  retriever: "M3 4c0-2 10-2 10 0v8c0 2-10 2-10 0zM3 4c0 2 10 2 10 0M3 8c0 2 10 2 10 0",
  reranker: "M3 4h10M3 8h7M3 12h4",
  chain: "M3 4h4v3H3zM9 9h4v3H9zM7 5.5h4V9",
  agent: "M8 2.5a2.5 2.5 0 110 5 2.5 2.5 0 010-5zM3.5 13.5c0-5 9-5 9 0",
  guardrail: "M8 2l5 2v4c0 3-2.5 5-5 6-2.5-1-5-3-5-6V4z",
  embedding: "M4 4h.1M8 4h.1M12 4h.1M4 8h.1M8 8h.1M12 8h.1M4 12h.1M8 12h.1M12 12h.1",
  evaluator: "M3 8.5l3 3 7-7M3 13.5h10",
  prompt: "M3 3h10v8H7l-3 2.5V11H3z",
  decision: "M8 2l5 6-5 6-5-6z",
  unknown: "M5 8h.1M8 8h.1M11 8h.1",
  live: "M8 10a2 2 0 110-4 2 2 0 010 4zM4 4a5.7 5.7 0 000 8M12 4a5.7 5.7 0 010 8",
  thumbUp: "M5 7.5l3-5c1.2 0 1.8 1 1.5 2.2L9 6.5h3.5c.8 0 1.3.7 1.1 1.5l-1 4c-.2.8-.8 1.5-1.6 1.5H5zM2.5 7.5H5v6H2.5z",
  thumbDown:
    "M5 8.5l3 5c1.2 0 1.8-1 1.5-2.2L9 9.5h3.5c.8 0 1.3-.7 1.1-1.5l-1-4c-.2-.8-.8-1.5-1.6-1.5H5zM2.5 8.5H5v-6H2.5z",
  add: "M8 3v10M3 8h10",
  group: "M2.5 3h11v3h-11zM5.5 8.5h8v2h-8zM5.5 12.5h8M2.5 8v5",
  export: "M8 2.5v7M5 6.5l3 3 3-3M3 11v2.5h10V11",
  label: "M2.5 3v4.5l6 6 5-5-6-6H3zM5 5.2h.1",
  warn: "M8 2.5L14 13H2zM8 6.5v3M8 11.2v.2",
  mark: "M3 3h10v10H3z",
  marked: "M3 3h10v10H3zM5 8l2.2 2.2L11 5.8",
  partly: "M3 3h10v10H3zM5.5 8h5",
};

/** An icon; words stand beside it, so it is hidden from assistive technology. */
export function icon(name) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `lm-icon lm-i-${name in PATHS ? name : "unknown"}`);
  const path = document.createElementNS(ns, "path");
  path.setAttribute("d", PATHS[name] ?? PATHS.unknown);
  svg.append(path);
  return svg;
}

export function button(name, label, onclick, { text = label, title = label, cls = "", disabled = false } = {}) {
  const el = h(`button.lm-button${cls ? "." + cls : ""}`, { type: "button", title, "aria-label": label, onclick });
  if (name) el.append(icon(name));
  if (text) el.append(h("span", {}, text));
  el.disabled = disabled;
  return el;
}

const COUNT = new Intl.NumberFormat("en-US");
const CENTS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
export const count = (n) => (n === null || n === undefined ? "" : COUNT.format(n));
export const plural = (n, one) => `${count(n)} ${one}${n === 1 ? "" : "s"}`;

export function short(n) {
  if (n === null || n === undefined) return "";
  const size = Math.abs(n);
  if (size >= 1e6) return `${+(n / 1e6).toPrecision(3)}M`;
  if (size >= 1e4) return `${+(n / 1e3).toPrecision(3)}k`;
  return Number.isInteger(n) ? COUNT.format(n) : String(+n.toPrecision(3));
}

export function duration(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 1) return `${+ms.toPrecision(2)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1e3).toFixed(ms < 9_995 ? 2 : 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${minutes} m ${String(Math.floor((ms % 60_000) / 1e3)).padStart(2, "0")} s`;
  return minutes < 2_880 ? `${(minutes / 60).toFixed(1)} h` : `${(minutes / 1_440).toFixed(1)} d`;
}

/** Models in their order, those that only embed last: what answers is what one looks for. */
export function chatFirst(models) {
  const embeds = (model) => /embed/i.test(model);
  return [...models.filter((model) => !embeds(model)), ...models.filter(embeds)];
}

/** Tokens in and out; a side that was not reported is a dash, never 0. */
export function tokenPair(tokensIn, tokensOut) {
  if (tokensIn === null && tokensOut === null) return "";
  return [tokensIn, tokensOut].map((n) => (n === null ? "–" : short(n))).join(" → ");
}

export function dollars(usd) {
  if (usd === null || usd === undefined) return "";
  if (usd === 0) return "$0";
  if (usd < 0) return `-${dollars(-usd)}`;
  if (usd < 5e-7) return "<$0.000001";
  return usd >= 1 ? `$${CENTS.format(usd)}` : `$${usd.toFixed(usd >= 0.01 ? 4 : 6)}`;
}

const two = (n) => String(n).padStart(2, "0");

/** A time in UTC, to the second: as SQL, frames and exported tables have it. */
export function exact(ms) {
  if (ms === null || ms === undefined) return "";
  return new Date(ms).toISOString().slice(0, 19).replace("T", " ");
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** How long ago within a day; then the day and minute of this year, else the date. In UTC. */
export function relative(ms, now) {
  if (ms === null || ms === undefined) return "";
  const s = (now - ms) / 1e3,
    at = new Date(ms);
  if (s < -5 || s >= 86_400) {
    return at.getUTCFullYear() !== new Date(now).getUTCFullYear()
      ? exact(ms).slice(0, 10)
      : `${MONTHS[at.getUTCMonth()]} ${at.getUTCDate()} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
  }
  if (s < 60) return `${Math.max(0, Math.floor(s))} s ago`;
  return s < 3_600 ? `${Math.floor(s / 60)} min ago` : `${Math.floor(s / 3_600)} h ago`;
}

/** Whether a key belongs to the widget; those with Ctrl, Meta or Alt stay JupyterLab's. */
export const isOurs = (event) => !(event.ctrlKey || event.metaKey || event.altKey);

/** Say of each key inside `root`, before anybody else hears of it, whether JupyterLab is kept from it; `isKept` leaves
 *  with undefined what was said before. Returns the undo. Lumino listens in the capture phase on the document and looks
 *  from the target upwards for what comes first, a binding's selector or the attribute. JupyterLab's selectors end in
 *  `:focus`: it has to be on the target, and per key. */
export function claimKeys(root, isKept) {
  const decide = (event) => {
    const kept = root.contains(event.target) ? isKept(event) : undefined;
    if (kept === undefined) return;
    for (const el of new Set([event.target, root])) el.toggleAttribute("data-lm-suppress-shortcuts", kept);
  };
  window.addEventListener("keydown", decide, true);
  return () => window.removeEventListener("keydown", decide, true);
}

/** Whether an element can have the focus where it stands now. */
const canHold = (el) => el.isConnected && el.checkVisibility() && !el.disabled;

/** Keep the focus inside `root` when what has it is hidden, disabled or taken away: the browser would give it to the
 *  page, and the next key to the notebook. Who leaves by choice is not held. Returns the undo. */
export function keepFocus(root) {
  let last = null;
  root.addEventListener("focusin", ({ target }) => {
    last = target;
  });
  // what is taken away says that it lost the focus, too: whoever left of their own is still there afterwards
  root.addEventListener("focusout", () =>
    queueMicrotask(() => {
      if (last && canHold(last) && !root.contains(document.activeElement)) last = null;
    }),
  );
  const watcher = new MutationObserver(() => {
    const { activeElement: active, body } = document;
    if (last && !canHold(last) && [body, last].includes(active)) root.focus({ preventScroll: true });
  });
  const attributeFilter = ["hidden", "disabled", "class", "open"];
  watcher.observe(root, { subtree: true, childList: true, attributeFilter });
  return () => watcher.disconnect();
}

/** Copy a text; true when it worked. Plain http has no clipboard API. */
export async function copy(text, root) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea.lm-copy", { "aria-hidden": "true" }),
      before = document.activeElement;
    area.value = text;
    root.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    before?.focus({ preventScroll: true });
    return done;
  }
}

/** The status line of a widget: what happened, what went wrong, whether the kernel answers; data of `root`, too. */
export class StatusLine {
  constructor(root) {
    this.root = root;
    this.el = h("span.lm-said", { role: "status", "aria-live": "polite" });
  }

  say(text, kind = "", isSticky = false) {
    clearTimeout(this.timer);
    this.takeBack = undefined;
    this.el.replaceChildren(...(kind === "error" && text ? [icon("warn")] : []), h("span", {}, text));
    this.el.title = this.root.dataset.said = text;
    this.el.className = `lm-said${kind ? ` lm-said-${kind}` : ""}`;
    this.kind = kind;
    if (text && !isSticky) this.timer = setTimeout(() => this.say(""), kind === "error" ? 15_000 : 4_000);
  }

  /** Say what was done, with a button that takes it back for a while; `takeBack` does it by key. */
  offer(text, label, onclick) {
    this.say(text, "done", true);
    this.takeBack = () => {
      this.takeBack = undefined;
      onclick();
    };
    this.el.append(button(null, label, () => this.takeBack?.(), { title: "take it back  u" }));
    this.timer = setTimeout(() => this.say(""), 30_000);
  }

  /** What went wrong is history once something went well. */
  wentWell() {
    if (this.kind === "error" && this.root.dataset.state === "ready") this.say("");
  }

  /** Show that the kernel is slow or gone, and with null that it answers again. */
  silence(why) {
    const { dataset } = this.root;
    const words = {
      slow: "Waiting for the kernel: it is busy or gone.",
      dead: "The kernel is gone. What is loaded can still be read; run the cell again to go on.",
    };
    if (why === null) {
      if (dataset.state === "slow" || dataset.state === "dead") {
        dataset.state = "ready";
        this.say("");
      }
      return;
    }
    dataset.state = why;
    this.say(words[why], "error", true);
  }

  close() {
    clearTimeout(this.timer);
  }
}

/** The panel that lists the keys of a widget: rows of [keys, what they do]. */
export function keyHelp(keys) {
  const rows = keys.map(([names, what]) => [
    h(
      "dt",
      {},
      names.split(/ +/).map((name) => h("kbd", {}, name)),
    ),
    h("dd", {}, what),
  ]);
  return h(
    "div.lm-help",
    { hidden: true, role: "dialog", "aria-label": "keys" },
    h("strong", {}, "Keys"),
    h("dl", {}, rows),
    h("p", {}, "What a word here means: docs/glossary.md, or in a shell ", h("code", {}, "lmops word margin")),
  );
}

let views = 0;

/** One view's end of the protocol: requests with ids, answers by id, news for everybody, silence noticed. */
export class Channel {
  constructor(model, { onNews, onError, onSilence }) {
    this.model = model;
    this.view = `v${++views}-${Math.random().toString(36).slice(2, 8)}`;
    this.next = 0;
    this.waiting = new Map();
    this.handlers = { onNews, onError, onSilence };
    this.receive = (message) => this.take(message);
    model.on("msg:custom", this.receive);
  }

  /** Ask and get the answer; undefined when there is none (an error was shown, or the list has changed). */
  ask(kind, params = {}) {
    const id = `${this.view}:${++this.next}`;
    return new Promise((resolve) => {
      const late = setTimeout(() => {
        this.handlers.onSilence("slow");
        // Whoever asked may ask again: an answer that was lost must not block the rest.
        this.settle(id, undefined);
      }, 8_000);
      this.waiting.set(id, { resolve, late, kind });
      try {
        this.model.send({ kind, id, view: this.view, ...params });
      } catch {
        this.settle(id, undefined);
        this.handlers.onSilence("dead");
      }
    });
  }

  settle(id, value) {
    const found = this.waiting.get(id);
    if (!found) return;
    clearTimeout(found.late);
    this.waiting.delete(id);
    found.resolve(value);
  }

  take(message) {
    const mine = this.waiting.has(message.id);
    // Answers that come late count as well: a kernel that was busy is back.
    if (mine || message.origin === this.view) this.handlers.onSilence(null);
    if (message.kind === "error") {
      if (mine) {
        if (!/has changed since$/.test(message.message)) this.handlers.onError(message.message);
        this.settle(message.id, undefined);
      }
      return;
    }
    if (message.kind === "state" || message.kind === "selection") this.handlers.onNews(message, mine);
    if (mine) this.settle(message.id, message);
  }

  close() {
    this.model.off("msg:custom", this.receive);
    for (const id of [...this.waiting.keys()]) this.settle(id, undefined);
  }
}
