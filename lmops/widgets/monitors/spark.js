// A line over time in a small box: paths of SVG out of points, pure.

/** The box of a line in its own units, which the style sheet stretches. */
export const BOX = { width: 240, height: 48, edge: 3 };

/** The least and greatest number that has to be seen: of the points, of both weeks, and of the band. */
export function extent(points, earlier, baseline) {
  const seen = [...points, ...earlier].map((point) => point[2]).filter((value) => value !== null);
  for (const limit of baseline ?? []) if (limit !== null) seen.push(limit);
  if (!seen.length) return null;
  const low = Math.min(...seen),
    high = Math.max(...seen);
  return low === high ? [low - Math.abs(low) / 2 - 1e-9, high + Math.abs(high) / 2 + 1e-9] : [low, high];
}

/** Where a value stands, from the top. */
export const heightOf = (value, [low, high]) =>
  BOX.edge + ((high - value) / (high - low)) * (BOX.height - 2 * BOX.edge);

/** A path through points [time, n, value]; where nothing is known the line ends, and goes on after it. */
export function line(points, [from, to], range) {
  let path = "",
    isDown = false;
  for (const [at, , value] of points) {
    if (value === null) {
      isDown = false;
      continue;
    }
    const x = to > from ? ((at - from) / (to - from)) * BOX.width : BOX.width / 2;
    path += `${isDown ? "L" : "M"}${+x.toFixed(1)} ${+heightOf(value, range).toFixed(1)}`;
    isDown = true;
  }
  return path;
}

/** The points that no line joins to a neighbour: they are drawn as dots. */
export const alone = (points) =>
  points.filter(
    ([, , value], i) =>
      value !== null && (points[i - 1]?.[2] ?? null) === null && (points[i + 1]?.[2] ?? null) === null,
  );

/** The place of the point that is nearest to a share of the width. */
export function nearest(points, share) {
  if (!points.length) return -1;
  const from = points[0][0],
    wanted = from + share * (points.at(-1)[0] - from);
  let best = 0;
  points.forEach(([at], i) => {
    if (Math.abs(at - wanted) < Math.abs(points[best][0] - wanted)) best = i;
  });
  return best;
}
