// One hit of a ranking, and the lines from a place on one side to the place on the other.

import { h, icon } from "../kit/dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WORD = /[\p{L}\p{N}]+/gu;
/** Words that stand in every sentence are not worth a mark. */
const SHORTEST = 4;

/** The words of a query that are marked in texts, in lower case. */
export const pieces = (query) =>
  (query.toLowerCase().match(WORD) ?? []).filter((word) => word.length >= SHORTEST || /[^ -~]/.test(word));

/** A text as nodes; the words that begin with one of `stems` are marked: those that scored, or those of the query. */
export function marked(text, stems) {
  const found = [],
    known = stems.filter(Boolean).map((stem) => stem.toLowerCase());
  let at = 0;
  for (const match of text.matchAll(WORD)) {
    const word = match[0].toLowerCase();
    if (!known.some((stem) => word.startsWith(stem))) continue;
    found.push(text.slice(at, match.index), h("mark", {}, match[0]));
    at = match.index + match[0].length;
  }
  return [...found, text.slice(at)];
}

/** What became of a place: [word, icon, kind]; `other` is the rank on the other side. */
export function moved(place, other, side) {
  if (other === null || other === undefined) return side ? ["only in b", "close", "gone"] : ["only in a", "add", "new"];
  const by = other - (place + 1);
  if (!by) return ["same place", "unset", "same"];
  return by > 0
    ? [`${by} higher than in ${side ? "a" : "b"}`, "up", "up"]
    : [`${-by} lower than in ${side ? "a" : "b"}`, "down", "down"];
}

function bars(title, rows) {
  if (!rows.length) return "";
  const most = Math.max(1e-9, ...rows.map(([, value]) => Math.abs(value)));
  return h(
    "div.lm-rank-why",
    {},
    h("span.lm-note", {}, title),
    rows.map(([name, value]) => {
      const bar = h("i");
      bar.style.width = `${(100 * Math.abs(value)) / most}%`;
      return h(
        "div",
        {},
        h("span", {}, name),
        h("span.lm-rank-part", {}, bar),
        h("span", {}, String(+value.toPrecision(3))),
      );
    }),
  );
}

/** One hit: [id, start, end, text, score, grade, other, parts, terms]. */
export function hitCard(hit, { side, place, words, isOpen, around, best, onclick }) {
  const [id, start, end, text, score, grade, other, parts, terms] = hit,
    [said, sign, kind] = moved(place, other, side);
  const isGold = grade > 0,
    share = h("i");
  share.style.width = `${best > 0 && score > 0 ? Math.min(100, (100 * score) / best) : 0}%`;
  const told =
    grade === null
      ? ""
      : isGold
        ? h("span.lm-rank-grade", {}, icon("ok"), `relevant ${grade}`)
        : h("span.lm-note", {}, "judged 0");
  return h(
    `div.lm-rank-hit${isGold ? ".lm-gold" : ""}`,
    { role: "listitem", "data-place": place, "data-move": kind, "aria-expanded": isOpen },
    h(
      "div.lm-rank-line",
      { onclick },
      h("b.lm-rank-number", {}, place + 1),
      h("span.lm-rank-id", { title: id }, id),
      told,
      h("span.lm-gap"),
      h(
        "span.lm-rank-move",
        { title: said },
        icon(sign),
        other && kind !== "same" ? Math.abs(other - place - 1) : kind === "same" ? "" : kind,
      ),
      h("span.lm-rank-score", { title: `score ${score}` }, String(+score.toPrecision(3)), h("span", {}, share)),
    ),
    text
      ? h(
          `div.lm-rank-text${isOpen ? "" : ".lm-shut"}`,
          isOpen ? {} : { onclick },
          isOpen && around?.before ? h("span.lm-rank-around", {}, around.before) : "",
          h("span.lm-rank-chunk", {}, marked(text, terms.length ? terms.map(([term]) => term) : words)),
          isOpen && around?.after ? h("span.lm-rank-around", {}, around.after) : "",
        )
      : "",
    isOpen
      ? h(
          "div.lm-rank-more",
          {},
          h(
            "span.lm-note",
            {},
            end > start ? `characters ${start} to ${end}` : "its place in the document is not known",
            ` · ${said}`,
          ),
          bars("score", parts),
          bars("terms", terms),
        )
      : "",
  );
}

/** Draw a line from each hit of a to the same one of b; what moved up, down, or is the one under the cursor. */
export function drawMoves(svg, columns, pair, [side, place]) {
  const box = svg.getBoundingClientRect();
  svg.replaceChildren();
  if (!pair || !box.width) return;
  const middle = (column, at) => {
    const line = columns[column].querySelector(`[data-place="${at}"] .lm-rank-line`);
    if (!line) return null;
    const found = line.getBoundingClientRect();
    return found.top + found.height / 2 - box.top;
  };
  pair.a.forEach((hit, at) => {
    if (!hit[6]) return;
    const from = middle(0, at),
      to = middle(1, hit[6] - 1);
    if (from === null || to === null) return;
    const path = document.createElementNS(SVG, "path"),
      half = box.width / 2,
      isHere = side ? hit[6] - 1 === place : at === place;
    path.setAttribute("d", `M0 ${from}C${half} ${from} ${half} ${to} ${box.width} ${to}`);
    path.setAttribute("data-move", moved(at, hit[6], 0)[2]);
    if (hit[5] > 0) path.classList.add("lm-gold");
    if (isHere) path.classList.add("lm-cursor");
    svg.append(path);
  });
}
