// The feedback button: one answer, and a thumb, a comment and a correction of it.

import { button, h, isOurs, keyHelp, swap } from "../kit/dom.js";
import { commandIn } from "../kit/keys.js";
import { View, renders } from "../kit/view.js";

const BUTTON_KEYS = [
  ["u", "thumb up"],
  ["d", "thumb down"],
  ["c", "comment"],
  ["e", "what it should have been"],
  ["Enter", "keep the comment"],
  ["Shift+Enter", "keep the correction"],
  ["Esc", "leave the field, the view"],
  ["?", "these keys"],
];

/** What was typed and not kept, for the next view of the same model. */
const TYPED = new WeakMap();

/** What a key means; undefined leaves it to the page. */
export const buttonCommand = (event) =>
  commandIn(event, { u: "up", d: "down", c: "comment", e: "correct", "?": "help", Escape: "escape" });

export class FeedbackButtonView extends View {
  constructor(model, el) {
    super(model);
    this.question = h("div.lm-fb-question");
    this.answer = h("div.lm-fb-answer", { tabindex: -1 });
    const thumb = (value, words) =>
      button(value === "up" ? "thumbUp" : "thumbDown", words, () => this.thumb(value), {
        title: `${words}  ${value[0]}`,
        cls: "lm-fb-thumb",
      });
    this.thumbs = { up: thumb("up", "good"), down: thumb("down", "bad") };
    this.comment = h("textarea.lm-fb-comment", {
      rows: 1,
      maxlength: 100_000,
      placeholder: "comment  c",
      "aria-label": "comment",
    });
    this.open = button(null, "correct", () => this.correct(), { title: "say what it should have been  e" });
    this.text = h("textarea.lm-fb-text", {
      rows: 4,
      maxlength: 100_000,
      "aria-label": "what the answer should have been",
    });
    this.form = h(
      "div.lm-fb-form",
      { hidden: true },
      this.text,
      h(
        "div.lm-form-foot",
        {},
        button(null, "cancel", () => this.shut()),
        button(null, "keep the correction", () => this.keep(), { cls: "lm-main-button" }),
      ),
    );
    this.summary = h("span.lm-note");
    this.help = keyHelp(BUTTON_KEYS);
    this.foot = h("div.lm-foot", {}, this.summary, h("span.lm-gap"));
    const keys = button("help", "keys", () => this.toggleHelp(), { text: "", title: "keys  ?" });
    this.mount(
      el,
      h(
        "div.lm-root",
        {
          tabindex: 0,
          "data-lm": "feedback-button",
          "data-state": "loading",
          role: "region",
          "aria-label": "feedback",
        },
        this.question,
        this.answer,
        h("div.lm-fb-row", {}, this.thumbs.up, this.thumbs.down, this.comment, this.open, keys),
        this.form,
        this.foot,
        this.help,
      ),
    );
    this.ask("hello");
  }

  news(state, mine) {
    const isFirst = !this.state;
    this.state = state;
    this.root.dataset.state = "ready";
    this.root.dataset.value = state.value ?? "";
    swap(this.question, h("span", {}, state.is_there ? state.input : `${state.place} is not in the store yet`));
    swap(this.answer, h("span", {}, state.output ?? ""));
    this.question.title = state.place;
    for (const [value, el] of Object.entries(this.thumbs)) {
      el.classList.toggle("lm-on", state.value === value);
      el.setAttribute("aria-pressed", state.value === value);
    }
    this.open.classList.toggle("lm-on", Boolean(state.correction));
    this.summary.textContent = `${state.name} of ${state.user}`;
    if (document.activeElement !== this.comment) this.comment.value = state.comment ?? "";
    if (mine && state.said) this.say(state.said, "done");
    if (!isFirst) return;
    const typed = TYPED.get(this.model);
    TYPED.delete(this.model);
    if (typed?.comment) this.comment.value = typed.comment;
    if (typed?.text !== undefined) this.correct(typed.text);
  }

  thumb(value) {
    return this.ask("thumb", { value, comment: this.comment.value });
  }

  correct(text = this.state.correction ?? this.state.output ?? "") {
    this.form.hidden = false;
    this.text.value = text;
    this.text.focus();
  }

  async keep() {
    const answer = await this.ask("correct", { text: this.text.value });
    if (answer) this.leave();
  }

  shut() {
    if (this.form.hidden) return false;
    this.form.hidden = true;
    this.focus();
    return true;
  }

  /** Enter keeps a comment, which goes with the thumb; Shift+Enter a correction, which may have several lines. */
  async fieldKey(event, field) {
    if (event.key !== "Enter" || event.isComposing || !isOurs(event) || event.shiftKey !== (field === this.text)) {
      super.fieldKey(event, field);
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (field === this.text) await this.keep();
    else if (!this.state.value) this.say("choose a thumb: the comment goes with it", "error");
    else if (await this.thumb(this.state.value)) this.focus();
  }

  commandOf(key) {
    return buttonCommand(key);
  }

  commands() {
    return {
      up: () => this.thumb("up"),
      down: () => this.thumb("down"),
      comment: () => {
        this.comment.focus();
      },
      correct: () => {
        this.correct();
      },
      help: () => this.toggleHelp(),
      escape: () => this.escape(),
    };
  }

  close() {
    const comment = this.comment.value === (this.state?.comment ?? "") ? "" : this.comment.value;
    TYPED.set(this.model, { comment, text: this.form.hidden ? undefined : this.text.value });
    super.close();
  }
}

export default renders(FeedbackButtonView);
