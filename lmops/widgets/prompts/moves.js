// Promote and roll back: a form that shows what would happen before its button can be pressed.

import { button, h, icon, swap } from "../kit/dom.js";

export class MoveForm {
  /** host: {view, state, tryAsk, focus}; a state has aliases and can_undo. */
  constructor(host) {
    this.host = host;
    this.el = h("form.lm-menu.lm-move", { hidden: true, role: "dialog", "aria-label": "move an alias" });
    this.el.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.el.addEventListener("input", () => this.planSoon());
  }

  get isOpen() {
    return !this.el.hidden;
  }

  open(action, version = null) {
    const { state } = this.host,
      names = action === "rollback" ? state.can_undo : state.aliases.map((one) => one.alias);
    this.action = action;
    this.version = version;
    this.seen = new Map(state.aliases.map((one) => [one.alias, one.version]));
    const id = `${this.host.view}-aliases`,
      first = names.includes("production") ? "production" : (names[0] ?? "production");
    this.alias = h("input", { name: "alias", list: id, autocomplete: "off", spellcheck: "false", maxlength: 128 });
    this.alias.value = first;
    this.reason = h("input", {
      name: "reason",
      placeholder: "why: the audit chain keeps it",
      maxlength: 10_000,
      autocomplete: "off",
    });
    this.evidence = h("input", {
      name: "evidence",
      placeholder: "verdict-…",
      maxlength: 200,
      autocomplete: "off",
      spellcheck: "false",
    });
    this.force = h("input", { name: "force", type: "checkbox" });
    this.plan = h("p.lm-plan", { role: "status", "aria-live": "polite" });
    this.go = h("button.lm-button.lm-main-button", { type: "submit" }, action === "rollback" ? "Roll back" : "Promote");
    const field = (label, input) => h("label.lm-move-field", {}, h("span", {}, label), input);
    swap(
      this.el,
      ...[
        h("strong", {}, action === "rollback" ? "Roll back an alias" : `Promote version ${version}`),
        field("alias", this.alias),
        h(
          "datalist",
          { id },
          names.map((name) => h("option", { value: name })),
        ),
        field("reason", this.reason),
        action === "rollback" ? null : field("evidence", this.evidence),
        action === "rollback"
          ? null
          : h(
              "label.lm-move-check",
              { title: "promote to a protected alias without evidence that passed; needs a reason, which is audited" },
              this.force,
              "force without evidence",
            ),
        this.plan,
        h(
          "div.lm-move-buttons",
          {},
          button("", "Cancel", () => this.shut()),
          this.go,
        ),
      ].filter(Boolean),
    );
    this.el.hidden = false;
    this.reason.focus();
    this.check();
  }

  /** Shut it; false when it was not open. */
  shut() {
    if (!this.isOpen) return false;
    clearTimeout(this.timer);
    this.el.hidden = true;
    this.host.focus();
    return true;
  }

  params(isDry) {
    const alias = this.alias.value.trim();
    return {
      action: this.action,
      alias,
      version: this.version,
      reason: this.reason.value,
      evidence: this.evidence.value.trim(),
      force: this.force.checked,
      dry_run: isDry,
      expected: this.seen.get(alias) ?? (this.action === "rollback" ? undefined : null),
    };
  }

  planSoon() {
    this.go.disabled = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), 200);
  }

  async check() {
    const asked = (this.asked = (this.asked ?? 0) + 1);
    this.go.disabled = true;
    const answer = await this.host.tryAsk("move", this.params(true));
    if (asked !== this.asked || !this.isOpen) return;
    const isError = typeof answer === "string",
      words = isError
        ? answer
        : answer
          ? answer.is_nothing
            ? `${answer.words}: it is there already`
            : `${answer.words}${answer.is_forced ? "  forced, without evidence" : ""}`
          : "the kernel does not answer";
    const needsReason = this.action === "rollback" && !this.reason.value.trim();
    swap(
      this.plan,
      icon(isError ? "warn" : "right"),
      h("span", {}, words),
      needsReason && !isError ? h("span.lm-note", {}, "  give a reason") : "",
    );
    this.plan.classList.toggle("lm-s-error", isError);
    this.go.disabled = isError || !answer || answer.is_nothing || needsReason;
  }

  async send() {
    if (this.go.disabled) return;
    this.go.disabled = true;
    const answer = await this.host.tryAsk("move", this.params(false));
    if (typeof answer === "string") {
      swap(this.plan, icon("warn"), h("span", {}, answer));
      this.plan.classList.add("lm-s-error");
      return;
    }
    if (answer) this.shut();
  }
}
