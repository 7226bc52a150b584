// Another widget below this one, in the same output: what was opened from here, until it is shut.

import { button, copy, h } from "./dom.js";

/** Whether the page of a view can show another widget (JupyterLab and Notebook can). */
export const canOpenBelow = (view) => Boolean(view.model.widget_manager?.create_view);

/** Show the widget of a model below a view. */
export async function openBelow(view, id) {
  const manager = view.model.widget_manager;
  const shown = await manager.create_view(await manager.get_model(id));
  const shut = () => {
    shown.remove();
    el.remove();
  };
  const close = button("close", "close what was opened", () => {
    shut();
    view.focus();
  });
  const el = h("div.lm-below", { "data-lm-below": id }, close, shown.el);
  view.below?.();
  view.below = shut;
  view.undo.push(shut);
  view.root.after(el);
  el.scrollIntoView({ block: "nearest" });
  shown.el.querySelector(".lm-root")?.focus({ preventScroll: true });
}

/** Where a page shows no other widget: the call that does, copied, for it may be longer than the line that says it. */
export async function sayCall(view, call) {
  const isCopied = await copy(call, view.root);
  view.say(`${isCopied ? "copied; " : ""}in a cell: ${call}`, "", true);
}
