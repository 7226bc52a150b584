// What every view does: ask Python and say what came of it, take keys in their order, keep the focus, clean up.

import { Channel, StatusLine, claimKeys, isOurs, keepFocus } from "./dom.js";
import { KeyQueue, Pending, typeInto } from "./keys.js";

export class View {
  /** Subclasses build their parts after `super(model)`, put the root on the page with `mount`, and ask `hello`. */
  constructor(model) {
    this.model = model;
    this.state = null;
    this.seq = 0;
    this.undo = [];
    this.channel = new Channel(model, {
      onNews: (message, mine) => this.heard(message, mine),
      onError: (message) => this.failed(message),
      onSilence: (why) => this.silence(why),
    });
    this.view = this.channel.view;
    // a kernel that restarts leaves the model without a connection: asking says so at once
    const lost = () => this.state && this.ask("hello");
    model.on("comm_live_update", lost);
    this.undo.push(() => model.off("comm_live_update", lost));
    //: what the next key waits for
    this.pending = new Pending();
    this.keys = new KeyQueue({
      commandOf: (key) => this.commandOf(key),
      needed: (key) => this.neededBy(key),
      perform: (key) => this.perform(key),
      isReady: () => this.root.dataset.state === "ready",
      failed: (message) => this.say(message, "error"),
    });
  }

  /** What the parts of a view may ask of it, and `more`. */
  host(more = {}) {
    const self = this;
    return Object.defineProperties(
      more,
      Object.getOwnPropertyDescriptors({
        view: this.view,
        ask: (kind, params) => this.ask(kind, params),
        tryAsk: (kind, params) => this.tryAsk(kind, params),
        say: (text, kind) => this.say(text, kind),
        focus: () => this.focus(),
        now: () => Date.now(),
        get state() {
          return self.state;
        },
        get root() {
          return self.root;
        },
      }),
    );
  }

  /** Put the root on the page, the status line in its foot. */
  mount(el, root) {
    this.root = root;
    this.status = new StatusLine(root);
    this.foot.append(this.status.el);
    root.addEventListener("keydown", (event) => this.key(event));
    root.addEventListener("pointerdown", (event) => this.pointed(event));
    this.undo.push(claimKeys(root, isOurs), keepFocus(root)); // plain keys stay; Ctrl+S still saves
    el.append(root);
  }

  ask(kind, params) {
    return this.channel.ask(kind, params);
  }
  say(text, kind, isSticky) {
    this.status.say(text, kind, isSticky);
  }

  /** Ask; an error comes back as its words instead of on the status line. */
  async tryAsk(kind, params) {
    let said = null;
    this.caught = (message) => {
      said = message;
    };
    const answer = await this.ask(kind, params);
    this.caught = null;
    return said ?? answer;
  }

  failed(message) {
    if (this.caught) this.caught(message);
    else this.say(message, "error");
  }

  silence(why) {
    this.status.silence(why);
    if (why) this.keys.hurry();
  }

  /** What was said before is old: answers and news are numbered. */
  heard(message, mine) {
    if (message.seq <= this.seq) return;
    this.seq = message.seq;
    this.news(message, mine);
  }

  /** Keys with Ctrl that are the view's and not the cell's; JupyterLab looks for the attribute in the same event. */
  keepCtrl(isOwn) {
    return claimKeys(this.root, (event) => ((event.ctrlKey || event.metaKey) && isOwn(event)) || undefined);
  }

  focus() {
    this.root.focus({ preventScroll: true });
  }

  /** Clicks beside what takes the focus leave it with the view; they shut the help. */
  pointed({ target }) {
    if (!this.help.contains(target)) this.help.hidden ||= !target.closest("[aria-label=keys]");
    if (target.closest("input, select, textarea, label")) return;
    setTimeout(() => {
      if (!this.root.contains(document.activeElement)) this.focus();
    });
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden;
  }

  // -- keys: `commandOf` says what one means, `commands` what it does, `needed` what it waits for ---------------------

  /** The field of this view that has the focus. */
  get field() {
    const found = document.activeElement?.closest?.("input, textarea, select");
    return found && this.root.contains(found) ? found : null;
  }

  key(event) {
    if (!this.state) return;
    const field = event.target.closest("input, textarea, select");
    if (field) {
      this.fieldKey(event, field);
      return;
    }
    if (event.target.closest("button, summary") && ["Enter", " "].includes(event.key)) return;
    if (!this.keys.take(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  fieldKey(event, field) {
    if (isOurs(event)) event.stopPropagation();
    if (event.key !== "Escape" || event.isComposing) return;
    event.preventDefault();
    this.leave(field);
  }

  neededBy(key) {
    const command = this.field ? undefined : this.commandOf(key);
    return command && this.needed(command);
  }

  needed(_command) {}

  /** Escape in a field: shut what it belongs to, give the focus back to the view. */
  leave() {
    this.shut();
    this.focus();
  }

  /** Shut what is open; false when nothing is. */
  shut() {
    return false;
  }

  /** Do what a key means; what comes after it waits for the promise that is returned. */
  perform(key) {
    const { field } = this;
    if (field) {
      typeInto(field, key.key);
      return undefined;
    }
    return this.commands()[this.commandOf(key)]?.();
  }

  /** Escape: shut what is open, then give the focus back to the cell. What was typed after it is not the view's. */
  escape() {
    if (!this.help.hidden) {
      this.help.hidden = true;
      return;
    }
    if (this.shut()) return;
    this.keys.drop();
    (this.root.closest(".jp-Cell") ?? this.root.parentElement)?.focus?.();
  }

  close(...parts) {
    this.keys.drop();
    for (const undo of this.undo) undo();
    for (const part of [...parts, this.status, this.channel]) part?.close();
    this.root.remove();
  }
}

/** What a widget exports: a function that renders a view, and returns how to end it. */
export const renders = (Shown) => ({
  render({ model, el }) {
    const view = new Shown(model, el);
    return () => view.close();
  },
});
