// What stands above the table: the filter as chips and a text field, the time range, columns, live, refresh.

import { button, exact, h, icon, swap } from "../kit/dom.js";
import { arrows } from "../kit/keys.js";
import { Menus } from "./menus.js";

const RANGES = [
  ["1h", "1h"],
  ["24h", "24h"],
  ["7d", "7d"],
  ["30d", "30d"],
  ["", "all"],
];
const HINT = "words, or SQL such as  latency_ms > 2000";

/** What a datetime-local field says, as UTC; null when it is empty. */
export const utc = (text) => (text ? `${text.length === 16 ? `${text}:00` : text}+00:00` : null);

export class Bar {
  /** `host`: {ask, state, focus(), onTyped(promise of an answer), copySql(), refresh(), help()} */
  constructor(host) {
    this.host = host;
    this.chips = h("div.lm-chips", { role: "list", "aria-label": "filters" });
    this.input = h("input.lm-search", {
      type: "text",
      placeholder: HINT,
      "aria-label": "filter",
      spellcheck: "false",
      autocomplete: "off",
    });
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.ranges = h("div.lm-ranges", { role: "group", "aria-label": "time range" });
    arrows(this.ranges, "button");
    const field = (name, label) =>
      h("label", {}, h("span", {}, label), h("input", { name, type: "datetime-local", step: 1 }));
    this.custom = h(
      "form.lm-menu.lm-custom",
      { hidden: true, "aria-label": "custom time range" },
      field("since", "from (UTC)"),
      field("until", "until (UTC)"),
      h("div.lm-form-foot", {}, h("button.lm-button.lm-main-button", { type: "submit" }, "show")),
    );
    this.custom.addEventListener("submit", (event) => this.customRange(event));
    this.menu = h("div.lm-menu.lm-columns", { hidden: true, role: "group", "aria-label": "columns shown" });
    arrows(this.menu, "input");
    this.columnsButton = button("columns", "columns", () => this.open(this.menu), {
      text: "",
      title: "choose columns  c",
    });
    this.menus = new Menus({
      ...host,
      get state() {
        return host.state;
      },
      get root() {
        return host.root;
      },
      shut: () => this.shut(),
    });
    const opens = (icon, name, menu, key, title) =>
      button(icon, name, () => this.open(menu), { title: `${title}  ${key}` });
    this.groupButton = opens("group", "group", this.menus.groups, "b", "list groups of traces");
    this.viewsButton = opens("prompt", "views", this.menus.views, "v", "saved views");
    this.exportButton = opens("export", "export", this.menus.exports, "x", "as SQL, as a link, into a file");
    this.liveButton = button("live", "live", () => host.ask("live", { is_live: !host.state.is_live }), {
      title: "take in new traces on their own",
    });
    this.el = h(
      "div.lm-bar-top",
      {},
      h("label.lm-searchbox", {}, icon("search"), this.chips, this.input),
      this.ranges,
      this.groupButton,
      this.viewsButton,
      this.exportButton,
      this.columnsButton,
      this.liveButton,
      button("refresh", "refresh", () => host.refresh(), { text: "", title: "take in new traces" }),
      button("help", "keys", () => host.help(), { text: "", title: "keys  ?" }),
    );
  }

  draw() {
    const { state, ask } = this.host,
      { last, since, until, words } = state.range,
      isCustom = Boolean(since || until);
    swap(
      this.chips,
      ...state.chips.map(({ text, is_words: isWords }, i) =>
        h(
          `span.lm-chip${isWords ? ".lm-words" : ""}`,
          { role: "listitem" },
          h(
            "button.lm-chip-text",
            {
              type: "button",
              title: `${isWords ? `“${text}” in name, input or output, or a trace id` : text}\nclick to edit`,
              onclick: () => this.edit(i),
            },
            text,
          ),
          h(
            "button.lm-chip-close",
            {
              type: "button",
              "aria-label": `remove ${text.slice(0, 40)}`,
              title: "remove",
              onclick: () => ask("filter", { remove: i }),
            },
            icon("close"),
          ),
        ),
      ),
    );
    this.chips.scrollLeft = this.chips.scrollWidth;
    this.input.placeholder = state.chips.length ? "and …" : HINT;
    const range = (label, isOn, title, onclick) =>
      h(
        `button.lm-range${isOn ? ".lm-on" : ""}`,
        { type: "button", tabindex: isOn ? 0 : -1, "aria-pressed": String(Boolean(isOn)), title, onclick },
        label,
      );
    swap(
      this.ranges,
      ...RANGES.map(([value, label]) =>
        range(label, !isCustom && (last ?? "") === value, value ? `last ${label}` : "all times", () =>
          ask("range", { last: value || null }),
        ),
      ),
      range("custom", isCustom || (last && !RANGES.some(([value]) => value === last)), words, () => this.openCustom()),
    );
    this.liveButton.classList.toggle("lm-on", state.is_live);
    this.liveButton.setAttribute("aria-pressed", state.is_live);
    this.columnsButton.setAttribute("aria-expanded", !this.menu.hidden);
    const names = state.columns.map(({ name }) => name).join();
    if (this.menuOf !== names) this.buildMenu(names);
    const by = state.groupable.find(([name]) => name === state.group);
    this.groupButton.classList.toggle("lm-on", Boolean(by));
    this.groupButton.querySelector("span").textContent = by ? `by ${by[1]}` : "group";
    for (const box of this.menu.querySelectorAll("input")) box.checked = state.shown.includes(box.dataset.column);
  }

  buildMenu(names) {
    const { columns } = this.host.state;
    this.menuOf = names;
    this.menu.style.setProperty("--lm-menu-rows", Math.ceil(columns.length / 2));
    swap(
      this.menu,
      ...columns.map((column) => {
        const box = h("input", { type: "checkbox", "data-column": column.name });
        box.addEventListener("change", () => this.choose(box));
        return h("label", {}, box, column.label);
      }),
    );
  }

  /** Open a menu with the focus in it; shut it where it was open. */
  open(menu) {
    this.toggle(menu);
    if (menu.hidden) this.host.focus();
    else if (menu === this.menu) this.menu.querySelector("input").focus();
    else return this.menus.fill(menu);
    return undefined;
  }

  async choose(box) {
    const { state, ask } = this.host,
      { column } = box.dataset;
    const shown = state.columns
      .map((one) => one.name)
      .filter((name) => (name === column ? box.checked : state.shown.includes(name)));
    if (!shown.length || !(await ask("columns", { shown }))) box.checked = !box.checked;
  }

  edit(i) {
    this.input.value = this.host.state.chips[i].text;
    this.editing = i;
    this.input.focus();
  }

  /** Leave the field as it was found; what was typed is dropped. */
  reset() {
    this.input.value = "";
    this.editing = undefined;
  }

  key(event) {
    if (event.isComposing) return;
    const { host } = this,
      text = this.input.value.trim(),
      isEdit = this.editing !== undefined;
    if (event.key === "Enter") {
      event.preventDefault();
      if (text || isEdit) host.onTyped(this.send(text));
      else host.focus();
    } else if (event.key === "Backspace" && !this.input.value && host.state.chips.length)
      host.ask("filter", { remove: host.state.chips.length - 1 });
  }

  /** Filter by what was typed; it stays in the field until Python has taken it. */
  async send(text) {
    const answer = await this.host.ask("filter", { text, replace: this.editing ?? null });
    if (answer && this.input.value.trim() === text) this.reset();
    return answer;
  }

  /** The form starts with what is shown: the range in force, else from the first to the last trace. */
  async openCustom() {
    this.toggle(this.custom);
    if (this.custom.hidden) return;
    const { state, ask } = this.host,
      { since, until } = state.range;
    const local = (text) =>
      text ? exact(Date.parse(/[Z+]|-\d\d:\d\d$/.test(text.slice(10)) ? text : `${text}Z`)).replace(" ", "T") : "";
    const { since: from, until: to } = this.custom.elements;
    [from.value, to.value] = [local(since), local(until)];
    from.focus();
    if (since || until) return;
    const found = await ask("summary", { rev: state.rev, column: "start_at" });
    if (found?.bins?.length && !from.value && !to.value)
      [from.value, to.value] = [found.min, found.max + 1_000].map((ms) => exact(ms).replace(" ", "T"));
  }

  async customRange(event) {
    event.preventDefault();
    const form = new FormData(this.custom);
    if (await this.host.ask("range", { since: utc(form.get("since")), until: utc(form.get("until")) })) {
      this.custom.hidden = true;
      this.host.focus();
    }
  }

  toggle(menu) {
    for (const one of this.all) one.hidden = one !== menu || !one.hidden;
    if (menu) menu.style.top = `${this.el.offsetTop + this.el.offsetHeight + 2}px`;
    this.columnsButton.setAttribute("aria-expanded", !this.menu.hidden);
  }

  get all() {
    return [this.menu, this.custom, ...this.menus.all];
  }
  get isOpen() {
    return this.all.some((one) => !one.hidden);
  }
  shut() {
    this.toggle(null);
  }
}
