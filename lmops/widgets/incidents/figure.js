// What the figure of an incident is drawn with: places of moments, numbers with their unit; pure.

import { dollars, duration } from "../kit/dom.js";

/** How far from the left a time is, as a share of the width; null where it is outside. */
export function shareOf(ms, [from, to]) {
  if (!(to > from) || ms < from || ms > to) return null;
  return (ms - from) / (to - from);
}

/** A value in the unit of its metric. */
export function numberOf(value, unit) {
  if (unit === "share") return `${+(value * 100).toFixed(1)} %`;
  if (unit === "usd") return dollars(value);
  if (unit === "ms") return duration(Math.max(value, 0));
  return String(+value.toPrecision(3));
}
