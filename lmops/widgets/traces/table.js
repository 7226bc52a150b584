// The table of traces: what its cells say.

import { chatFirst, count, dollars, duration, exact, h, icon, relative } from "../kit/dom.js";
import { RowTable } from "../kit/row_table.js";

export function cellText(column, value, now, isExact) {
  if (value === null || value === undefined) return "";
  if (column.kind === "time") return isExact ? exact(value) : relative(value, now);
  if (column.name === "latency_ms") return duration(value);
  if (column.name === "cost_usd") return dollars(value);
  if (column.kind === "number") return count(value);
  if (column.name === "models") return chatFirst(value.split(", ")).join(", ");
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

export class TraceTable extends RowTable {
  get label() {
    return "traces";
  }

  /** The columns from left to right with their place in a row; beside an open trace what tells rows apart is first. */
  get columns() {
    const byName = new Map(this.host.state.columns.map((column) => [column.name, column]));
    const shown = this.host.state.shown.map((name, i) => Object.assign(byName.get(name), { at: i + 1 }));
    return this.host.isCompact() ? compact(shown) : shown;
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
    else cell.title = column.kind === "text" || column.kind === "number" ? "" : text;
  }
}
