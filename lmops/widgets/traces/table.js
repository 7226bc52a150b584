// The table of traces: what its cells say.

import { chatFirst, count, dollars, duration, exact, h, icon, relative } from "../kit/dom.js";
import { RowTable } from "../kit/row_table.js";

export function cellText(column, value, now, isExact) {
  if (value === null || value === undefined) return column.name === "value" ? "missing" : "";
  if (column.kind === "time") return isExact ? exact(value) : relative(value, now);
  if (/_ms$/.test(column.name)) return duration(value);
  if (column.name === "error_rate") return `${+(100 * value).toFixed(1)}%`;
  if (column.name === "cost_usd") return dollars(value);
  if (column.kind === "number") return count(value);
  if (column.name === "models") {
    const [first, ...others] = chatFirst(value.split(", "));
    return others.length ? `${first} +${others.length}` : first;
  }
  if (column.kind === "text") return value.replace(/\s+/g, " ") + (value.length > 64 ? "…" : "");
  return String(value);
}

/** The order of columns in a narrow list: status, the first text, when and how long, then the rest as it was. */
export function compact(columns) {
  const named = (name) => columns.find((column) => column.name === name);
  const first = [
    named("status"),
    columns.find((column) => column.kind === "text"),
    named("start_at"),
    named("latency_ms"),
  ].filter(Boolean);
  return [...first, ...columns.filter((column) => !first.includes(column))];
}

/** Below so many pixels the status is a sign, and when and how long stand beside a text without scrolling. */
const NARROW = 560;
const NARROW_WIDTHS = { status: 40, start_at: 96, latency_ms: 68, traces: 60, errors: 56, error_rate: 74 };

/** The first columns as wide as a narrow list has room for. */
export function fitted(columns, width) {
  const taken = columns.slice(0, 4).reduce((sum, { name }) => sum + (NARROW_WIDTHS[name] ?? 0), 26);
  return columns.map((column, i) => {
    if (column.kind === "text" && i < 4) return { ...column, width: Math.max(110, width - taken) };
    return column.name in NARROW_WIDTHS ? { ...column, width: NARROW_WIDTHS[column.name] } : column;
  });
}

export class TraceTable extends RowTable {
  get label() {
    return "traces";
  }

  /** The columns from left to right with their place in a row; beside an open trace what tells rows apart is first. */
  get columns() {
    const byName = new Map(this.host.state.columns.map((column) => [column.name, column]));
    const shown = this.host.state.shown.map((name, i) => Object.assign(byName.get(name), { at: i + 1 }));
    if (this.isNarrow) return fitted(compact(shown), this.el.clientWidth);
    return this.host.isCompact() ? compact(shown) : shown;
  }

  get isNarrow() {
    return this.el.clientWidth > 0 && this.el.clientWidth < NARROW;
  }

  layout() {
    super.layout();
    if (!this.host.state) return;
    this.el.classList.toggle("lm-narrow", this.isNarrow);
    this.host.onColumns(this.columns);
  }

  /** How it ended, what was asked, how long it took. */
  rowName(data) {
    const named = ["status", "input", "name", "latency_ms", "value", "traces"].map((name) => {
      const column = this.shown.find((one) => one.name === name);
      return column ? cellText(column, data[column.at], this.host.now()) : "";
    });
    const [status, input, name, latency, value, traces] = named;
    return (
      [status, input || name, latency, value, traces].filter(Boolean).join(", ").slice(0, 80) || data[0].slice(0, 8)
    );
  }

  fillCell(cell, column, value, minute) {
    const isTime = column.kind === "time",
      key = `${column.name}|${value}${isTime ? `|${minute}|${this.isExact}` : ""}`;
    if (cell.key === key) return;
    cell.key = key;
    cell.className = `lm-cell lm-k-${column.kind}${column.kind === "number" ? " lm-number" : ""}`;
    if (column.name === "status" && value) {
      const known = value === "error" || value === "ok" ? value : "unset";
      cell.className += ` lm-s-${known}`;
      cell.replaceChildren(icon(known), h("span", {}, value));
      return;
    }
    const text = cellText(column, value, this.host.now(), this.isExact);
    cell.textContent = text;
    if (isTime) cell.title = value ? `${exact(value)} UTC` : "";
    else cell.title = column.kind === "text" || column.kind === "number" ? "" : (value ?? "");
  }
}
