// All monitors on one page: what fires, how each series is, and the way to the traces behind it.

import { button, h, icon, keyHelp, plural, relative, swap } from "../kit/dom.js";
import { canOpenBelow, openBelow, sayCall } from "../kit/below.js";
import { commandIn } from "../kit/keys.js";
import { View, renders } from "../kit/view.js";
import { tileOf } from "./tile.js";

const KEYS = [
  ["j k ↑ ↓ ← →", "next, previous"],
  ["Enter", "the traces behind it"],
  ["[ ]", "a shorter, a longer range"],
  ["w", "beside the week before"],
  ["/", "only some series"],
  ["a", "acknowledge the alert"],
  ["s", "silence it for a day"],
  ["r", "look again"],
  ["?", "these keys"],
  ["Esc", "back to the cell"],
];
const COMMANDS = {
  j: "next",
  k: "previous",
  ArrowDown: "below",
  ArrowUp: "above",
  ArrowRight: "next",
  ArrowLeft: "previous",
  Home: "first",
  End: "last",
  Enter: "open",
  " ": "open",
  "[": "shorter",
  "]": "longer",
  w: "compare",
  "/": "search",
  a: "acknowledge",
  s: "silence",
  r: "refresh",
  "?": "help",
  Escape: "escape",
};

/** Whether a series is meant by the words of a search: all of them are in its title, series or monitor. */
export function isMeant(tile, words) {
  const text = `${tile.title} ${tile.series} ${tile.monitor} ${tile.status}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export class Dashboard extends View {
  constructor(model, el) {
    super(model);
    this.isCompared = false;
    this.ranges = h("div.lm-ranges", { role: "radiogroup", "aria-label": "range" });
    this.search = h("input.lm-search", {
      type: "search",
      placeholder: "only some series  /",
      "aria-label": "only some series",
      maxlength: 100,
      oninput: () => this.drawTiles(),
    });
    this.compared = button(null, "week before", () => this.compare(), { title: "beside the week before  w" });
    this.bar = h(
      "header.lm-bar",
      {},
      this.ranges,
      this.compared,
      this.search,
      h("span.lm-gap"),
      button("refresh", "look again", () => this.refresh(), { text: "", title: "look again  r" }),
      button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" }),
    );
    this.alerts = h("ul.lm-alerts", { "aria-label": "alerts" });
    this.tiles = h("div.lm-tiles", { role: "group", "aria-label": "monitors" });
    this.main = h("div.lm-main", { tabindex: -1 }, this.alerts, this.tiles);
    this.help = keyHelp(KEYS);
    this.count = h("span.lm-note");
    this.foot = h("footer.lm-foot", {}, this.count);
    this.mount(
      el,
      h(
        "div.lm-root",
        { tabindex: 0, "data-lm": "monitor-dashboard", "data-state": "loading", "aria-label": "monitors" },
        this.bar,
        this.main,
        this.help,
        this.foot,
      ),
    );
    this.root.style.maxHeight = `${this.model.get("_height")}px`;
    this.ask("hello");
  }

  news(state) {
    this.state = state;
    this.root.dataset.state = "ready";
    this.drawBar();
    this.drawAlerts();
    this.drawTiles();
    if (state.said) this.say(state.said, "done");
  }

  drawBar() {
    const { ranges, last } = this.state;
    swap(
      this.ranges,
      ...ranges.map((range) =>
        h(
          `button.lm-range${range === last ? ".lm-on" : ""}`,
          {
            type: "button",
            role: "radio",
            tabindex: range === last ? 0 : -1,
            "aria-checked": String(range === last),
            onclick: () => this.ask("range", { last: range }),
          },
          range,
        ),
      ),
    );
    this.compared.classList.toggle("lm-on", this.isCompared);
    this.compared.setAttribute("aria-pressed", String(this.isCompared));
  }

  drawAlerts() {
    const { alerts, refused } = this.state;
    const act = (alert, what, text, title) =>
      button(null, text, () => this.ask("move", { alert: alert.alert, what }), {
        title: refused || title,
        disabled: Boolean(refused),
      });
    swap(
      this.alerts,
      ...alerts.map((alert) =>
        h(
          "li.lm-alert",
          { tabindex: -1, "data-alert": alert.alert, "data-severity": alert.severity, "data-status": alert.status },
          h(
            `span.lm-state.${alert.status === "firing" ? "lm-s-error" : "lm-s-unset"}`,
            {},
            icon("warn"),
            h("b", {}, alert.severity),
          ),
          h("span.lm-alert-words", {}, alert.words),
          h(
            "span.lm-note",
            {},
            [
              alert.status === "firing" ? "" : alert.status,
              alert.since_ms === null ? "" : `since ${relative(alert.since_ms, Date.now())}`,
              alert.times > 1 ? `came back ${plural(alert.times - 1, "time")}` : "",
            ]
              .filter(Boolean)
              .join(" · "),
          ),
          h(
            "span.lm-alert-acts",
            {},
            alert.examples
              ? button(null, "traces", () => this.openAlert(alert), { title: "its worst traces  Enter" })
              : null,
            alert.status === "firing" ? act(alert, "acknowledge", "acknowledge", "somebody looks into it  a") : null,
            alert.status === "silenced" ? null : act(alert, "silence", "silence", "say nothing for a day  s"),
          ),
        ),
      ),
    );
    this.alerts.hidden = !alerts.length;
  }

  drawTiles() {
    const { tiles, more_tiles: more, last } = this.state,
      shown = tiles.filter((tile) => isMeant(tile, this.search.value)),
      host = {
        open: (tile) => this.openTile(tile),
        isCompared: this.isCompared,
        now: Date.now(),
        say: (text) => this.say(text),
      };
    const empty = tiles.length ? "no series has these words" : "no monitor watches anything yet: ws.monitors.save(...)";
    swap(this.tiles, ...(shown.length ? shown.map((tile) => tileOf(tile, host)) : [h("p.lm-note", {}, empty)]));
    const firing = shown.filter((tile) => tile.status === "firing").length;
    this.count.textContent =
      `${plural(shown.length, "series").replace("seriess", "series")}, last ${last}` +
      `${firing ? `, ${firing} firing` : ""}${more ? `; ${more} more are not shown` : ""}`;
    this.mark();
  }

  /** The alerts and tiles in their order, through which keys go. */
  get stops() {
    return [...this.alerts.children, ...this.tiles.querySelectorAll(".lm-tile")];
  }

  get cursor() {
    return this.stops.find((stop) => this.idOf(stop) === this.at);
  }

  idOf = (stop) => stop.dataset.key ?? `alert ${stop.dataset.alert}`;

  mark() {
    for (const stop of this.stops) stop.classList.toggle("lm-cursor", this.idOf(stop) === this.at);
  }

  go(to) {
    const { stops } = this,
      stop = stops[Math.min(stops.length - 1, Math.max(0, to))];
    if (!stop) return;
    this.at = this.idOf(stop);
    this.mark();
    stop.scrollIntoView({ block: "nearest" });
    this.say(stop.getAttribute("aria-label") ?? stop.querySelector(".lm-alert-words")?.textContent ?? "");
  }

  step(by) {
    const { stops, cursor } = this;
    this.go(cursor ? stops.indexOf(cursor) + by : by > 0 ? 0 : stops.length - 1);
  }

  /** How many tiles stand side by side: so far is the one below. */
  get across() {
    const tiles = [...this.tiles.querySelectorAll(".lm-tile")];
    return Math.max(1, tiles.filter((tile) => tile.offsetTop === tiles[0].offsetTop).length);
  }

  openCursor() {
    const { cursor } = this;
    if (!cursor) return undefined;
    if (cursor.dataset.alert) return this.openAlert(this.alertAt(cursor));
    return this.openTile(this.state.tiles.find((tile) => tile.key === cursor.dataset.key));
  }

  alertAt(stop) {
    return this.state.alerts.find((alert) => String(alert.alert) === stop?.dataset.alert);
  }

  openTile = (tile) => this.open({ key: tile.key });
  openAlert = (alert) => this.open({ alert: alert.alert });

  async open(what) {
    const answer = await this.ask("traces", { ...what, is_shown: canOpenBelow(this) });
    if (answer?.model) await openBelow(this, answer.model);
    else if (answer) await sayCall(this, answer.call);
  }

  /** Move the alert under the cursor, or the first one where no alert is. */
  move(what) {
    const alert = this.alertAt(this.cursor) ?? this.state.alerts.find((one) => one.status === "firing");
    if (!alert) {
      this.say("no alert fires");
      return undefined;
    }
    if (this.state.refused) {
      this.say(this.state.refused, "error");
      return undefined;
    }
    return this.ask("move", { alert: alert.alert, what });
  }

  range(by) {
    const { ranges, last } = this.state,
      to = ranges[ranges.indexOf(last) + by];
    return to ? this.ask("range", { last: to }) : undefined;
  }

  compare() {
    this.isCompared = !this.isCompared;
    this.drawBar();
    this.drawTiles();
  }

  refresh() {
    return this.ask("hello");
  }

  commandOf(key) {
    return commandIn(key, COMMANDS);
  }

  commands() {
    return {
      next: () => this.step(1),
      previous: () => this.step(-1),
      below: () => this.step(this.alertAt(this.cursor) ? 1 : this.across),
      above: () => this.step(this.alertAt(this.cursor) ? -1 : -this.across),
      first: () => this.go(0),
      last: () => this.go(1e9),
      open: () => this.openCursor(),
      shorter: () => this.range(-1),
      longer: () => this.range(1),
      compare: () => this.compare(),
      search: () => this.search.focus(),
      acknowledge: () => this.move("acknowledge"),
      silence: () => this.move("silence"),
      refresh: () => this.refresh(),
      help: () => this.toggleHelp(),
      escape: () => this.escape(),
    };
  }

  /** Escape in the search empties it and goes back to the tiles. */
  leave(field) {
    field.value = "";
    this.drawTiles();
    this.focus();
  }
}

export default renders(Dashboard);
