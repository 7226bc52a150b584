// The labeler: one case at a time and one key a choice; the browser owns the place, Python says what is kept.

import { button, count, h, keyHelp, plural } from "../kit/dom.js";
import { View, renders } from "../kit/view.js";
import { chosen, fitting, given, inWords, isAtOnce, keysOf, missing, pace, typed } from "./answers.js";
import { Bar, hints } from "./bar.js";
import { CasePane } from "./case.js";
import { KEYS, NEEDS_CASE, ONCE, labelCommand } from "./commands.js";
import { LabelForm } from "./form.js";
import { ItemList } from "./list.js";
import { Marking } from "./marking.js";
import { Outbox, Shelf } from "./outbox.js";
import { Pulse } from "./pulse.js";
import { AWAY, Seat } from "./seat.js";
import { Work } from "./work.js";

const SAVING_MS = 900;
const LOOK_AGAIN_MS = 15_000;
const RENEW_MS = 60_000;
const AWAY_MS = 300_000;

const storage = () => {
  try {
    return window.localStorage;
  } catch {
    return undefined;
  }
};

export class LabelerView extends View {
  constructor(model, el) {
    super(model);
    this.seat = new Seat(this, storage());
    this.work = new Work();
    this.values = {};
    this.touched = Date.now();
    this.keyMap = new Map();
    this.base = { done: 0, items: 0, mine: 0 };
    this.build(el);
    this.hear = (message) => this.heardKept(message);
    // What has no connection any more cannot send: trying says so.
    this.gone = () => this.outbox && this.ask("progress");
    this.left = () => this.outbox?.leave();
    window.addEventListener("pagehide", this.left);
    model.on("msg:custom", this.hear);
    model.on("comm_live_update", this.gone);
    this.undo.push(
      () => model.off("msg:custom", this.hear),
      () => model.off("comm_live_update", this.gone),
      () => window.removeEventListener("pagehide", this.left),
      this.keepCtrl(({ key }) => key === "Enter" || key === "z"),
    );
    this.lookAgain = setInterval(() => this.again(), LOOK_AGAIN_MS);
    this.pulse = new Pulse({
      ask: () => this.ask("ping"),
      touched: () => (this.root.dataset.state === "ready" ? (this.touched ?? 0) : 0),
      onBeat: (isAnswered) => this.outbox && isAnswered === Boolean(this.isSlow) && this.drawSaved(!isAnswered),
    });
    this.start();
  }

  build(el) {
    this.bar = new Bar({
      jump: (position) => this.jump(position),
      list: () => this.list.toggle(),
      help: () => this.toggleHelp(),
      showRefused: () => this.showRefused(),
    });
    this.help = keyHelp(KEYS);
    this.list = new ItemList({
      ...this.host(),
      ask: (kind, params) => this.ask(kind, params),
      focus: () => this.focus(),
      open: (position) => this.jump(position),
      onMarks: () => this.marked(),
      statusOf: (position) => this.work.items.get(position)?.status,
    });
    this.pane = new CasePane({
      ask: (kind, params) => this.ask(kind, params),
      stretches: () => this.marking.stretches,
      cursor: () => this.marking.place,
      isDone: (item) => item.status === "done" && !this.outbox.positions.includes(item.position),
      words: inWords,
      again: () => this.lookNow(),
    });
    const self = this;
    this.marking = new Marking({
      say: (words, kind) => this.say(words, kind),
      focus: () => this.focus(),
      set: (values) => this.set(values, true),
      pane: this.pane,
      get schema() {
        return self.state?.schema;
      },
      get values() {
        return self.values;
      },
      get output() {
        return self.output;
      },
    });
    this.form = new LabelForm({
      values: () => this.values,
      set: (values, isDrawn) => this.set(values, isDrawn),
      choose: (field, option) => this.choose(field, option),
      output: () => this.output,
      mark: (field, name) => this.marking.mark(field, name),
      find: (field, words) => this.marking.find(field, words),
      save: () => this.commit(),
      onNote: (words, isLeft) => this.noted(words, isLeft),
    });
    this.form.tools.append(
      this.form.saveButton,
      button("right", "skip", () => this.skip(), { title: "skip  s" }),
      button("refresh", "undo", () => this.takeBack(), { title: "take the last one back  u" }),
    );
    this.foot = h("div.lm-foot", {}, hints(), h("span.lm-gap"));
    this.main = h("div.lm-label-main", {}, this.list.el, this.pane.el, this.form.el);
    this.mount(
      el,
      h(
        "div.lm-root.lm-labeler",
        { tabindex: 0, "data-lm": "feedback-labeler", "data-state": "loading", "aria-label": "labeler" },
        this.bar.el,
        h("div.lm-sized", {}, this.main),
        this.foot,
        this.help,
      ),
    );
    this.root.style.height = `${this.model.get("_height")}px`;
  }

  // -- what is asked, and what is at hand ----------------------------------------------------------------------------

  async start() {
    const hello = this.pending.add(this.hello());
    // Asked for at once, as most pages come alone and with nothing left over: then the first case is there sooner.
    const early = this.ask("ahead", { n: this.work.want(Date.now()), have: [] });
    const answer = await hello;
    const isKnown = answer?.kind !== "who";
    const state = isKnown ? answer : await this.seat.take(answer);
    if (!state || this.isClosed) return;
    this.outbox = new Outbox({
      shelf: new Shelf(`lmops:label:${state.store}:${state.queue}:${state.rater}:`, storage()),
      send: (client, ops) => this.send(client, ops),
      onKept: (done, client) => this.kept(done, client),
      onRefused: (op, message) => this.wasRefused(op, message),
      onState: () => this.drawSaved(),
      locks: navigator.locks,
      hand: () => [this.work.current, ...this.work.hand].filter((one) => one !== null),
    });
    this.outbox.tidy();
    const isFirst = !this.outbox.shelf.keys("op:").length && !(await this.outbox.elsewhere()).length;
    await this.pending.add(this.outbox.adopt());
    this.drawRefused();
    this.fill(isFirst && isKnown ? early : undefined);
  }

  /** Ask for what is asked until there is an answer: a kernel that starts beside many others may take its time. */
  async hello() {
    for (;;) {
      const answer = await this.ask("hello");
      if (answer || this.isClosed || this.root.dataset.state !== "slow") return answer;
    }
  }

  /** Each message says the name, where the page had to ask for it. */
  ask(kind, params) {
    return super.ask(kind, this.seat.signed(params));
  }

  heard(message, mine) {
    if (this.seat.isFor(message)) super.heard(message, mine);
  }

  news(state) {
    const before = this.state?.schema.version;
    this.state = state;
    this.root.dataset.state = "ready";
    this.bar.name(state.queue, state.rater);
    this.took(state.progress);
    if (before === state.schema.version) return;
    this.keyMap = keysOf(state.schema);
    this.form.build(state.schema, this.keyMap);
    this.form.saveButton.classList.toggle("lm-faint", isAtOnce(state.schema));
    this.values = fitting(state.schema, this.values);
    if (before)
      this.say(`the criteria changed: this is ${state.schema.name}@${state.schema.version} now`, "done", true);
    this.drawForm();
  }

  took(progress) {
    this.base = { ...progress, mine: progress.mine?.done ?? 0, seconds: progress.mine?.seconds ?? 0 };
    this.since = { done: 0 };
    this.drawProgress();
  }

  /** Have the next cases ready before they are needed. */
  fill(early) {
    const n = this.work.want(Date.now()) - this.work.hand.length;
    if (!this.filling && n > 0 && !this.work.isEnd && !this.isClosed)
      this.filling = this.take(n, early).finally(() => {
        this.filling = null;
        if (this.work.current === null) this.drawEnd();
      });
    if (this.filling && this.work.current === null) this.pending.add(this.filling);
    return this.filling;
  }

  async take(n, early) {
    const { work, outbox } = this;
    const have = () => [...new Set([...outbox.positions, ...outbox.hand()])];
    const others = async () => [...have(), ...(await outbox.elsewhere())].slice(0, 10_000);
    const answer = (await early) ?? (await this.ask("ahead", { n, have: await others() }));
    if (!answer) work.isEnd = true; // it is looked for again after a while
    if (!answer || this.isClosed) return;
    // Another tab of this rater may have asked at the same time.
    const taken = new Set(await others());
    work.take(answer.items.filter((one) => !taken.has(one.position)));
    work.isEnd = answer.items.length < n;
    if (answer.version !== this.state.schema.version) this.ask("hello");
    if (work.current === null) this.advance();
    outbox.sign();
  }

  /** Look again where the queue had no more, and hold on to what is being read; not for somebody who is away. */
  again() {
    if (!this.outbox || document.hidden || Date.now() - this.touched > AWAY_MS) return;
    const now = Date.now();
    if (this.work.current === null) {
      this.work.isEnd = false;
      this.fill();
    } else if (now - (this.renewed ?? now) > RENEW_MS) {
      this.renewed = now;
      this.ask("ahead", { n: 0, have: this.outbox.hand() });
    }
    this.renewed ??= now;
    // a page of its own hears from nobody that its kernel is gone: it asks
    if ((this.isStale || this.seat.isAsked) && !this.outbox.size) {
      this.isStale = false;
      this.ask("progress").then((answer) => answer && this.took(answer.progress));
    }
  }

  advance() {
    this.work.advance();
    this.show();
    this.fill();
  }

  /** Show the case that the work is at. */
  show() {
    const { item } = this.work;
    this.outbox.sign();
    this.marking.place = null;
    this.root.dataset.position = item?.position ?? "";
    if (!item) {
      this.values = {};
      this.drawEnd();
      return;
    }
    if (!this.list.marks.size) this.values = this.valuesOf(item);
    this.noteWords = this.outbox.shelf.get(`draft:${item.position}`)?.note ?? item.note ?? "";
    this.began = Date.now();
    if (this.pane.item?.position !== item.position) this.form.el.scrollTop = 0;
    this.pane.draw(item);
    this.drawForm(this.noteWords);
    this.list.draw(item.position);
    this.root.dataset.status = item.status;
    if (!item.case) this.pending.add(this.read(item.position));
  }

  /** What was chosen for a case so far, else what was said of it. */
  valuesOf(item) {
    const draft = this.outbox.shelf.get(`draft:${item.position}`);
    return fitting(this.state.schema, draft?.values ?? item.said);
  }

  async read(position) {
    const answer = await this.ask("case", { position });
    if (!answer) return;
    const item = this.work.items.get(position);
    item.case = answer.case;
    if (this.work.current === position) this.show();
  }

  async jump(position) {
    this.focus();
    if (!Number.isInteger(position) || position < 1 || position > this.base.items) {
      this.say(`give a number from 1 to ${count(this.base.items)}`, "error");
      return;
    }
    const known = this.work.items.get(position);
    if (!known?.case || known.status === "open") {
      const answer = await this.pending.add(this.ask("jump", { position }));
      if (!answer) return;
      this.work.learn(answer.item);
    }
    this.work.visit(position);
    this.bar.go.value = "";
    this.show();
  }

  // -- what the rater does -------------------------------------------------------------------------------------------

  get output() {
    return this.work.item?.case?.output ?? "";
  }

  /** The positions that a choice is for: the marked ones, else the case that is shown. */
  get targets() {
    if (this.list.marks.size) return [...this.list.marks].sort((a, b) => a - b);
    return this.work.item ? [this.work.current] : [];
  }

  set(values, isDrawn = false) {
    this.values = values;
    this.keepDraft();
    if (isDrawn) this.drawForm();
  }

  keepDraft() {
    const { item } = this.work;
    if (!item) return;
    const note = this.noteWords === (item.note ?? "") ? undefined : this.noteWords;
    const values = this.list.marks.size ? this.valuesOf(item) : this.values;
    this.outbox.shelf.set(`draft:${item.position}`, { values, note, at: Date.now() });
    this.drawSaved();
  }

  choose(field, option) {
    if (option === null) {
      this.form.focusOn(field.name);
      return;
    }
    if (field.kind === "spans") {
      this.marking.mark(field, option);
      return;
    }
    this.set(chosen(this.values, field, option), true);
    if (isAtOnce(this.state.schema)) this.commit();
    else this.form.reveal(field.name);
  }

  /** Choose and write why. */
  write(key) {
    const [field, option] = this.keyMap.get(key);
    this.set(chosen(this.values, field, option), true);
    this.form.focusOn(field.name);
  }

  commit() {
    const { targets, work, state } = this;
    if (!targets.length) {
      this.say("there is no case to label");
      return;
    }
    const lacking = missing(state.schema, this.values);
    if (lacking.length) {
      this.say(`${lacking.join(", ")}: choose first`, "error");
      return;
    }
    this.sayNote();
    const values = given(this.values),
      isBulk = this.list.marks.size > 0;
    const seconds = isBulk ? null : Math.min(86_400, (Date.now() - this.began) / 1e3);
    const op = { action: "label", positions: targets, values, version: state.schema.version, seconds, at: Date.now() };
    const sequence = this.outbox.add(op);
    this.did("label", sequence, targets, { said: values, status: "done" });
    for (const position of targets) this.outbox.shelf.remove(`draft:${position}`);
    if (isBulk) {
      this.list.clear();
      this.marked();
      this.say(`${plural(targets.length, "case")} labelled at once: u takes all of it back`, "done");
      if (!targets.includes(work.current)) {
        this.show();
        return;
      }
    } else if (seconds !== null) work.seconds.push(Math.min(120, seconds));
    this.focus();
    this.advance();
  }

  did(action, sequence, positions, change) {
    const before = this.work.count("done");
    this.work.did(action, sequence, positions, change);
    this.counted(before);
    this.work.times.push(Date.now());
  }

  /** Count what changed since Python said how far it is. */
  counted(before) {
    this.since.done += this.work.count("done") - before;
    this.isStale = true;
    this.drawProgress();
    this.list.draw();
  }

  skip() {
    const { item } = this.work;
    if (!item) return;
    this.sayNote();
    const sequence = this.outbox.add({ action: "skip", positions: [item.position] });
    this.did("skip", sequence, [item.position], { said: null, status: "skipped" });
    this.focus();
    this.advance();
  }

  /** Take the last act back: of this page, else what this rater did last wherever it was. */
  takeBack() {
    this.focus();
    this.sayNote();
    const before = this.work.count("done"),
      act = this.work.takeBack();
    if (!act) return this.pending.add(this.takeBackEarlier());
    this.outbox.add({ action: "undo", of: act.sequence });
    this.counted(before);
    const [position] = act.positions;
    if (act.action === "label") this.keepTyped(position, act.said);
    this.work.visit(position);
    this.show();
    return undefined;
  }

  keepTyped(position, values) {
    const written = typed(this.state.schema, values);
    if (written) this.outbox.shelf.set(`draft:${position}`, { values: written, at: Date.now() });
  }

  async takeBackEarlier() {
    const kept = await this.outbox.added({ action: "undo" });
    if (!kept?.positions?.length) {
      this.say("there is nothing to take back");
      return;
    }
    for (const position of kept.positions) this.work.items.delete(position);
    if (kept.undid) this.keepTyped(kept.positions[0], kept.undid);
    this.isStale = true;
    await this.jump(kept.positions[0]);
    const answer = await this.ask("progress");
    if (answer) this.took(answer.progress);
  }

  noted(words, isLeft) {
    this.noteWords = words;
    this.keepDraft();
    if (isLeft) this.sayNote();
  }

  /** Keep the note, where it changed. */
  sayNote() {
    const { item } = this.work;
    if (!item || (this.noteWords ?? "") === (item.note ?? "")) return;
    const words = this.noteWords;
    const sequence = this.outbox.add({ action: "note", positions: [item.position], words });
    this.did("note", sequence, [item.position], { note: words });
    this.keepDraft();
  }

  // -- what Python says ----------------------------------------------------------------------------------------------

  async send(client, ops) {
    const slow = setTimeout(() => this.drawSaved(true), SAVING_MS);
    const answer = await this.ask("ops", { client, ops });
    clearTimeout(slow);
    this.isSlow = false;
    return answer;
  }

  kept(_done, client) {
    this.root.dataset.kept = Number(this.root.dataset.kept ?? 0) + _done.length;
    if (client !== this.outbox.client) this.isStale = true;
  }

  /** Another view of this rater kept something. */
  heardKept(message) {
    if (message.kind !== "kept" || !this.outbox || message.origin === this.view || !this.seat.isFor(message)) return;
    const theirs = new Set(message.done.flatMap((one) => one.positions));
    this.work.hand = this.work.hand.filter((position) => !theirs.has(position));
    this.isStale = true;
    if (message.client !== this.outbox.client && theirs.has(this.work.current))
      this.say("another page of yours did something with this case", "", true);
  }

  wasRefused(op, message) {
    const before = this.work.count("done");
    this.work.forget(op.sequence);
    for (const position of op.positions ?? []) {
      this.outbox.shelf.set(`refused:${position}`, { message, at: Date.now() });
      if (op.action === "label") this.outbox.shelf.set(`draft:${position}`, { values: op.values, at: Date.now() });
    }
    this.counted(before);
    this.drawRefused();
    this.say(`not kept: ${message}`, "error", true);
  }

  drawRefused() {
    const { shelf } = this.outbox;
    this.bar.refused(shelf.keys("refused:").map((key) => `${key.slice(8)}: ${shelf.get(key)?.message}`));
  }

  /** Go to what was refused: its values are there as they were chosen. */
  async showRefused() {
    const [key] = this.outbox.shelf.keys("refused:");
    if (!key) return;
    const { message } = this.outbox.shelf.get(key);
    this.outbox.shelf.remove(key);
    this.drawRefused();
    await this.jump(Number(key.slice(8)));
    this.say(message, "error", true);
  }

  silence(why) {
    super.silence(why);
    if (why === "dead") {
      this.outbox?.leave();
      const kept = this.outbox?.size ? " What is not saved is kept in this browser." : "";
      this.say(`The kernel is gone.${kept} Run the cell again to go on.`, "error", true);
    }
    if (why && this.seat.isAsked) this.say(AWAY, "error", true);
    if (this.outbox) this.drawSaved();
  }

  // -- drawing -------------------------------------------------------------------------------------------------------

  drawForm(note) {
    this.form.show(this.values, note);
    this.drawTarget();
  }

  /** Marked cases are labelled from nothing, and not with what was chosen for the case that is shown. */
  marked() {
    const isBulk = this.list.marks.size > 0;
    if (isBulk !== this.isBulk) {
      this.isBulk = isBulk;
      this.values = !isBulk && this.work.item ? this.valuesOf(this.work.item) : {};
      this.drawForm();
      if (this.work.item?.case && this.marking.field) this.pane.drawOutput();
    } else this.drawTarget();
  }

  drawTarget() {
    const n = this.list.marks.size;
    this.root.dataset.marked = n;
    const { item } = this.work;
    const words = n ? `for ${this.list.words}` : item ? { done: "labelled", skipped: "skipped" }[item.status] : "";
    this.form.title.hidden = !words;
    this.form.title.replaceChildren(words ? h("span", {}, words) : "");
    this.form.title.classList.toggle("lm-on", n > 0);
    this.list.draw();
  }

  drawProgress() {
    if (!this.state) return;
    const mine = this.base.mine + this.since.done;
    this.root.dataset.done = mine;
    const each = pace(this.work.seconds) ?? (this.base.mine >= 3 ? this.base.seconds / this.base.mine : null);
    // Where several are asked, Python alone knows what all of them have done.
    const done = this.state.k === 1 ? this.base.done + this.since.done : Math.max(this.base.done, mine);
    this.bar.progress({ items: this.base.items, done, mine, each });
  }

  drawSaved(isSlow = this.isSlow) {
    this.isSlow = isSlow;
    const { outbox, root } = this;
    const isDead = root.dataset.state === "dead" || (this.seat.isAsked && root.dataset.state === "slow");
    const why = outbox.trouble ?? (isDead ? "the kernel is gone" : isSlow ? "no answer from the kernel yet" : null);
    root.dataset.unsaved = outbox.size;
    root.dataset.saved = outbox.size ? (why ? "no" : "saving") : isDead ? "offline" : isSlow ? "waiting" : "yes";
    this.bar.saved(root.dataset.saved, outbox.size, why, outbox.shelf.isKept);
    if (outbox.trouble && outbox.trouble !== this.told) this.say(`not saved yet: ${outbox.trouble}`, "error", true);
    else if (this.told && !outbox.trouble) this.say("");
    this.told = outbox.trouble;
  }

  drawEnd() {
    const isReading = this.filling || !this.work.isEnd;
    const { done, items } = this.bar;
    this.pane.end({ isReading, isDone: done >= items, skipped: this.work.count("skipped") });
    this.drawForm("");
  }

  lookNow() {
    this.work.isEnd = false;
    this.fill();
    this.drawEnd();
  }

  // -- keys ----------------------------------------------------------------------------------------------------------

  key(event) {
    this.touched = Date.now();
    const isCtrl = (event.ctrlKey || event.metaKey) && !event.altKey && !event.isComposing;
    const inField = event.target.closest("input, textarea, select");
    const command = isCtrl && (event.key === "Enter" ? "save" : event.key === "z" && !inField ? "undo" : null);
    if (command && this.state) {
      event.preventDefault();
      event.stopPropagation();
      inField?.blur();
      this.keys.take(new KeyboardEvent("keydown", { key: command === "save" ? "Ctrl+Enter" : "Backspace" }));
      return;
    }
    if (event.repeat && !inField && ONCE.has(this.commandOf(event))) {
      event.preventDefault();
      event.stopPropagation();
      return;
    }
    super.key(event);
  }

  pointed(event) {
    this.touched = Date.now();
    super.pointed(event);
  }

  commandOf(event) {
    return labelCommand(event, this.keyMap);
  }

  /** A choice waits until the case is there: nobody decides on what was not shown. */
  needed(command) {
    const isThere = this.work.item?.case && !this.isTakingBack;
    return NEEDS_CASE.has(command) && !isThere ? this.pending.all : undefined;
  }

  perform(pressed) {
    const { key } = pressed;
    if (!this.outbox || this.field) return super.perform(pressed);
    // What was pressed before the list was there is meant for it.
    if (document.activeElement === this.list.rows && this.list.press(key)) return undefined;
    const command = this.commandOf(pressed);
    if (command === "choose") return this.choose(...this.keyMap.get(key));
    if (command === "write") return this.write(key.toLowerCase());
    return super.perform(pressed);
  }

  commands() {
    const { el } = this.pane,
      by = (top) => {
        el.scrollBy({ top });
      };
    return {
      skip: () => this.skip(),
      undo: () => this.takeBack(),
      note: () => this.form.note.focus(),
      save: () => this.commit(),
      next: () => this.step(1),
      previous: () => this.step(-1),
      down: () => by(40),
      up: () => by(-40),
      pageDown: () => by(el.clientHeight - 40),
      pageUp: () => by(40 - el.clientHeight),
      first: () => by(-1e9),
      last: () => by(1e9),
      go: () => this.bar.go.focus(),
      list: () => this.list.toggle(),
      folds: () => this.pane.folds(),
      turns: () => this.pane.turnsButton && !this.pane.turnsButton.disabled && this.pane.showTurns(),
      raw: () => this.pane.raw(),
      sentenceBefore: () => this.marking.sentence(-1),
      sentenceNext: () => this.marking.sentence(1),
      mark: () => this.marking.field && this.marking.mark(this.marking.field, null),
      help: () => this.toggleHelp(),
      escape: () => this.escape(),
    };
  }

  step(by) {
    this.sayNote();
    if (this.work.step(by)) {
      this.show();
      this.fill();
    } else this.say(by > 0 ? "this is the last case at hand" : "this is the first case of this page");
  }

  /** Escape in a field only leaves it. */
  leave() {
    this.focus();
  }

  shut() {
    if (this.list.marks.size) {
      this.list.clear();
      this.marked();
      return true;
    }
    if (!this.list.isOpen) return false;
    this.list.toggle();
    return true;
  }

  close() {
    this.isClosed = true;
    clearInterval(this.lookAgain);
    this.pulse.close();
    super.close(this.pane, this.outbox);
  }
}

export default renders(LabelerView);
