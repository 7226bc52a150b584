// The menus of the bar: what traces are grouped by, saved views, and ways out of the browser.

import { button, copy, h, swap } from "../kit/dom.js";
import { arrows } from "../kit/keys.js";

const choice = (text, isOn, onclick, more = {}) =>
  h(
    `button.lm-choice${isOn ? ".lm-on" : ""}`,
    { type: "button", role: "menuitemradio", "aria-checked": String(isOn), onclick, ...more },
    text,
  );

export class Menus {
  /** `host`: {ask, state, root, say(text, kind), focus(), shut(), copySql()} */
  constructor(host) {
    this.host = host;
    const menu = (name) => {
      const el = h(`div.lm-menu.lm-choices-menu`, { hidden: true, tabindex: -1, role: "menu", "aria-label": name });
      arrows(el, "button, input");
      return el;
    };
    [this.groups, this.views, this.exports] = ["group by", "saved views", "export"].map(menu);
  }

  get all() {
    return [this.groups, this.views, this.exports];
  }

  /** Fill a menu that was opened. It takes the focus at once, what it offers when that has come: keys are never the
   *  page's in between, nor where it offers nothing. */
  async fill(menu) {
    menu.focus({ preventScroll: true });
    if (menu === this.groups) this.fillGroups();
    else if (menu === this.views) await this.fillViews();
    else this.fillExports();
    if (document.activeElement === menu) (menu.querySelector(".lm-on") ?? menu.querySelector("button, input"))?.focus();
  }

  /** Ask for another list; the menu goes when there is one. */
  async take(kind, params) {
    if (await this.host.ask(kind, params)) await this.done();
  }

  fillGroups() {
    const { state } = this.host;
    swap(
      this.groups,
      choice("no groups", state.group === null, () => this.take("group", { column: null })),
      ...state.groupable.map(([name, label]) =>
        choice(`by ${label}`, state.group === name, () => this.take("group", { column: name })),
      ),
    );
  }

  async fillViews() {
    const { state } = this.host,
      name = h("input", {
        type: "text",
        name: "view",
        maxlength: 128,
        required: true,
        placeholder: "name, such as slow-refunds",
        "aria-label": "name of the view",
        autocomplete: "off",
        spellcheck: "false",
      });
    const form = h(
      "form.lm-save-view",
      { "aria-label": "save this view" },
      name,
      h("button.lm-button.lm-main-button", { type: "submit" }, "save"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.change("save", name.value.trim());
    });
    const list = h("div.lm-saved");
    const why = state.can_write ? "this store takes nothing new" : "this page is for reading";
    swap(this.views, list, state.can_save ? form : h("span.lm-note", {}, why));
    const answer = await this.host.ask("views");
    const rows = (answer?.views ?? []).map((one) =>
      h(
        "div.lm-saved-row",
        {},
        choice(one, state.link === one, () => this.take("view", { name: one })),
        state.can_save ? button("close", `remove ${one}`, () => this.change("remove", one), { text: "" }) : null,
      ),
    );
    list.append(...(rows.length ? rows : [h("span.lm-note", {}, "no saved view yet")]));
  }

  /** Save or remove a view, and say so. */
  async change(kind, name) {
    const answer = await this.host.ask(kind, { name });
    if (!answer) return;
    this.host.say(answer.message, "done");
    await (kind === "save" ? this.done() : this.fillViews());
  }

  fillExports() {
    const { link, state } = this.host;
    const item = (text, title, onclick) => choice(text, false, onclick, { role: "menuitem", title });
    const files = [
      item("CSV file", "write all of the list into the working directory", () => this.write("csv")),
      item("Parquet file", "write all of the list into the working directory", () => this.write("parquet")),
    ];
    swap(
      this.exports,
      item("copy SQL", "the list as a query for ws.sql(...)", () => this.done(this.host.copySql())),
      item("copy link", link() ?? "open a trace, or save the view", () => this.copyLink()),
      ...(state.can_write ? files : []),
    );
  }

  /** Shut the menu once something is done. */
  async done(what) {
    await what;
    this.host.shut();
    this.host.focus();
  }

  async copyLink() {
    const link = this.host.link();
    if (!link) this.host.say("a trace that is open, or a saved view, has a link: v saves this one");
    else this.host.say((await copy(link, this.host.root)) ? `copied: ${link}` : link, "done");
    await this.done();
  }

  async write(format) {
    await this.done();
    this.host.say(`writing ${format} …`);
    const answer = await this.host.ask("export", { format });
    if (answer) this.host.say(answer.message, "done");
  }
}
