// The bar above a case: how far it is, how long it takes, and whether everything is saved.

import { button, count, h, icon, plural } from "../kit/dom.js";

const SIGNS = { yes: "ok", saving: "clock" };

/** Minutes in words. */
export function timeLeft(minutes) {
  if (minutes < 1) return "under a minute";
  return minutes < 90 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`;
}

const HINTS = ["s skip", "u take back", "n note", "L list", "? keys"].map((hint) => hint.split(" "));

/** The keys that one needs most, for the foot of the page. */
export const hints = () =>
  h(
    "span.lm-hints",
    { "aria-hidden": "true" },
    HINTS.map(([key, ...what]) => h("span", {}, h("kbd", {}, key), what.join(" "))),
  );

export class Bar {
  /** `host`: {jump(position), list(), help(), showRefused()} */
  constructor(host) {
    this.queue = h("strong.lm-queue");
    this.meter = h("span.lm-bar", { role: "progressbar", "aria-label": "progress" }, h("i"));
    this.far = h("span.lm-progress-text");
    this.pace = h("span.lm-note.lm-pace");
    this.rater = h("span.lm-fact.lm-rater");
    this.state = h("span.lm-saved", { role: "status", "aria-live": "polite" });
    this.refusals = button("warn", "what was refused", () => host.showRefused(), { text: "", cls: "lm-refused" });
    this.refusals.hidden = true;
    const label = "go to a case";
    this.go = h("input.lm-line.lm-go", { "aria-label": label, placeholder: "go to", inputmode: "numeric", title: "/" });
    this.go.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) host.jump(Number(this.go.value));
    });
    this.el = h(
      "div.lm-bar-top",
      {},
      this.queue,
      this.meter,
      this.far,
      this.pace,
      h("span.lm-gap"),
      this.rater,
      this.refusals,
      this.state,
      this.go,
      button("columns", "list of cases", () => host.list(), { text: "", title: "list of cases  L" }),
      button("help", "keys", () => host.help(), { text: "", title: "keys  ?" }),
    );
  }

  name(queue, rater) {
    this.queue.textContent = this.queue.title = queue;
    this.rater.textContent = rater;
    this.rater.title = `you label as ${rater}`;
  }

  /** Let the reader say that it is somebody else. */
  onRater(change) {
    const name = h("button.lm-fact.lm-rater.lm-rater-button", { type: "button", onclick: change });
    this.rater.replaceWith(name);
    this.rater = name;
  }

  /** `mine` of the `items` are labelled by this rater, `done` by all that were asked; `each` takes so many seconds. */
  progress({ items, done: known, mine, each }) {
    const done = Math.min(items, Math.max(known, 0));
    Object.assign(this, { done, items });
    this.meter.firstChild.style.width = items ? `${(100 * done) / items}%` : "0";
    this.meter.setAttribute("aria-valuenow", done);
    this.meter.setAttribute("aria-valuemax", items);
    this.far.replaceChildren(h("b", {}, count(done)), ` of ${count(items)}`);
    this.far.title = `done by all that were asked; ${plural(mine, "label")} by you`;
    const left = done < items ? ` · ${timeLeft(((items - done) * each) / 60)} left` : "";
    this.pace.textContent = each === null ? "" : `${each < 10 ? each.toFixed(1) : Math.round(each)} s each${left}`;
  }

  /** `state`: yes, saving, no, offline, waiting for the kernel; `n` acts are not acknowledged, because of `why`. */
  saved(state, n, why, isKept) {
    const where = isKept ? "kept in this browser until it is saved" : "only in this page: do not close it";
    const unsaved = `${count(n)} unsaved${isKept ? "" : ", only here"}`;
    const words = { no: unsaved, saving: `saving ${count(n)}`, offline: "offline", waiting: "no answer", yes: "saved" }[
      state
    ];
    this.state.replaceChildren(icon(SIGNS[state] ?? "warn"), h("span", {}, words));
    const all = "everything that you decided is in the store";
    this.state.title = n ? `${why ?? "on its way"}; ${where}` : why ? `${why}; ${all}` : all;
    this.state.className = `lm-saved lm-saved-${state}`;
  }

  /** What was refused for good, one line each. */
  refused(found) {
    this.refusals.hidden = !found.length;
    this.refusals.replaceChildren(icon("warn"), h("span", {}, `${found.length} not kept`));
    this.refusals.title = found.join("\n");
  }
}
