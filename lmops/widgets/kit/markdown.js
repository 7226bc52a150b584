// Markdown that a model wrote, as elements without markup: headings, lists, tables, quotes, code, emphasis. HTML stays
// text, a link is its words with the address beside them and leads nowhere, an image is its address and never fetched.
// Hostile texts are bounded: characters and depth; each is walked through once.

import { h } from "./dom.js";

const READ_AT_MOST = 60_000; // characters that are read as Markdown; what comes after them stays plain
const DEEPEST_BLOCK = 6; // quotes and lists in each other
const DEEPEST_EMPHASIS = 8; // emphasis in emphasis
const LONGEST_LINK = 4_000; // characters of its words and its address
const MOST_CELLS = 40;

const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]|$)/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}>/;
const ITEM = /^( {0,12})(?:[-*+]|(\d{1,9})[.)])(?:[ \t]+|$)/;
const DIVIDER = /^:?-+:?$/;

/** The cells of a line of a table. */
function cellsOf(line) {
  const cells = [""];
  for (let i = 0; i < line.length && cells.length <= MOST_CELLS; i++) {
    if (line[i] === "\\" && line[i + 1] === "|") cells[cells.length - 1] += line[++i];
    else if (line[i] === "|") cells.push("");
    else cells[cells.length - 1] += line[i];
  }
  if (cells.length > 1 && !cells[0].trim()) cells.shift();
  if (cells.length > 1 && !cells.at(-1).trim()) cells.pop();
  return cells.map((cell) => cell.trim());
}

/** Whether a line and the one below it begin a table: how its columns are aligned; else undefined. */
function tableAt(lines, at) {
  if (!lines[at].includes("|") || !lines[at + 1]?.includes("-")) return undefined;
  const dividers = cellsOf(lines[at + 1]);
  if (!dividers.every((cell) => DIVIDER.test(cell)) || dividers.length !== cellsOf(lines[at]).length) return undefined;
  return dividers.map((cell) => (!cell.endsWith(":") ? "left" : cell.startsWith(":") ? "center" : "right"));
}

const startsBlock = (lines, at) =>
  [FENCE, HEADING, RULE, QUOTE, ITEM].some((one) => one.test(lines[at])) || tableAt(lines, at) !== undefined;

/** The blocks of some lines as plain data: {kind, ...} with `text` or `blocks` inside. */
export function blocksOf(lines, depth = 0) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    const line = lines[at],
      fence = FENCE.exec(line),
      heading = HEADING.exec(line);
    if (!line.trim()) at++;
    else if (fence) at = takeCode(lines, at, fence, found);
    else if (heading) {
      const text = line.slice(heading[0].length).trim().replace(/ #+$/, "");
      found.push({ kind: "heading", level: heading[1].length, text });
      at++;
    } else if (RULE.test(line)) {
      found.push({ kind: "rule" });
      at++;
    } else if (QUOTE.test(line) && depth < DEEPEST_BLOCK) {
      const inner = [];
      for (; at < lines.length && QUOTE.test(lines[at]); at++) inner.push(lines[at].replace(/^ {0,3}> ?/, ""));
      found.push({ kind: "quote", blocks: blocksOf(inner, depth + 1) });
    } else if (ITEM.test(line) && depth < DEEPEST_BLOCK) at = takeList(lines, at, depth, found);
    else if (tableAt(lines, at)) at = takeTable(lines, at, found);
    else {
      const from = at++;
      while (at < lines.length && lines[at].trim() && !startsBlock(lines, at)) at++;
      found.push({ kind: "text", text: lines.slice(from, at).join("\n") });
    }
  }
  return found;
}

function takeCode(lines, from, [, marks, name], found) {
  let at = from + 1;
  const isEnd = (line) => {
    const trimmed = line.trim();
    return trimmed.length >= marks.length && trimmed === marks[0].repeat(trimmed.length);
  };
  while (at < lines.length && !isEnd(lines[at])) at++;
  found.push({ kind: "code", name: name.trim(), text: lines.slice(from + 1, at).join("\n") });
  return at + 1;
}

function takeTable(lines, from, found) {
  const sides = tableAt(lines, from);
  let at = from + 2;
  while (at < lines.length && lines[at].includes("|")) at++;
  found.push({ kind: "table", sides, head: cellsOf(lines[from]), rows: lines.slice(from + 2, at).map(cellsOf) });
  return at;
}

const indentOf = (line) => line.length - line.trimStart().length;

/** A list: its items have one indent, and own what is further in. */
function takeList(lines, from, depth, found) {
  const first = ITEM.exec(lines[from]),
    items = [];
  let at = from;
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || item[1].length > first[1].length + 1 || Boolean(item[2]) !== Boolean(first[2])) break;
    if (item[1].length < first[1].length || RULE.test(lines[at])) break;
    const inner = [lines[at++].slice(item[0].length)];
    for (; at < lines.length; at++) {
      const isBlank = !lines[at].trim();
      if (!isBlank && indentOf(lines[at]) <= item[1].length) break;
      if (isBlank && !(lines[at + 1]?.trim() && indentOf(lines[at + 1]) > item[1].length)) break;
      inner.push(lines[at].slice(Math.min(indentOf(lines[at]), item[0].length)));
    }
    items.push(blocksOf(inner, depth + 1));
    if (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] ?? "")) at++;
  }
  found.push({ kind: "list", start: first[2] ? Number(first[2]) : null, items });
  return at;
}

// -- inside a line ---------------------------------------------------------------------------------------------------

/** Where each bracket of a text is closed: by its place, 0 where it is not, or opens nothing. One walk for all. */
function closings(text, open, close) {
  const found = new Int32Array(text.length),
    waiting = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === open) waiting.push(at);
    else if (text[at] === close && waiting.length) found[waiting.pop()] = at;
  }
  return found;
}

/** Finds links and images of a text: their words, their address, and where they end. */
class Links {
  constructor(text) {
    this.text = text;
    this.brackets = text.includes("](") ? [closings(text, "[", "]"), closings(text, "(", ")")] : null;
  }

  /** The link of which the words begin with the bracket at `from`; else null. */
  at(from) {
    const { text, brackets } = this,
      end = brackets?.[0][from],
      last = end && text[end + 1] === "(" && brackets[1][end + 1];
    if (!last || last - from > LONGEST_LINK) return null;
    const inner = text.slice(end + 2, last).trim();
    const address = inner.startsWith("<") ? inner.slice(1).split(">", 1)[0] : inner.split(/\s/, 1)[0];
    return { words: text.slice(from + 1, end), address, last };
  }
}

/** Where runs of backticks are, by their length, so that each looks for its end once. */
function ticksOf(text) {
  const found = new Map();
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    if (!found.has(run.length)) found.set(run.length, []);
    found.get(run.length).push(index);
  }
  return found;
}

const WORD = /[\p{L}\p{N}]/u;

/** The parts of a text as plain data: {kind: text, code, strong, em, del, link or image, ...}. */
export function inlineOf(text, isInLink = false) {
  const stack = [{ kind: null, parts: [] }],
    ticks = ticksOf(text),
    links = new Links(text);
  const add = (part) => {
    const { parts } = stack.at(-1);
    if (part.kind === "text" && parts.at(-1)?.kind === "text") parts.at(-1).text += part.text;
    else parts.push(part);
  };
  const drop = () => {
    const { mark, parts } = stack.pop();
    add({ kind: "text", text: mark });
    for (const part of parts) add(part);
  };
  const emphasis = (at) => {
    const char = text[at],
      kinds = char === "~" ? { "~~": "del" } : { [char + char]: "strong", [char]: "em" };
    let end = at;
    while (text[end] === char) end++;
    const before = text[at - 1] ?? " ",
      after = text[end] ?? " ";
    const opens = !/\s/.test(after) && (char !== "_" || !WORD.test(before)),
      closes = !/\s/.test(before) && (char !== "_" || !WORD.test(after));
    let left = end - at;
    while (left > 0) {
      const mark = closes && stack.findLast((one) => kinds[one.mark] && one.mark.length <= left)?.mark;
      if (mark) {
        while (stack.at(-1).mark !== mark) drop();
        const { parts } = stack.pop();
        add({ kind: kinds[mark], parts });
        left -= mark.length;
        continue;
      }
      const opening = [char + char, char].find((one) => kinds[one] && one.length <= left);
      if (opening && opens && stack.length <= DEEPEST_EMPHASIS)
        stack.push({ kind: kinds[opening], mark: opening, parts: [] });
      else add({ kind: "text", text: opening ?? char.repeat(left) });
      left -= opening?.length ?? left;
    }
    return end;
  };
  for (let at = 0; at < text.length;) {
    const char = text[at];
    if (char === "\\" && /[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) {
      add({ kind: "text", text: text[at + 1] });
      at += 2;
    } else if (char === "`") {
      const size = /^`+/.exec(text.slice(at, at + 100))[0].length,
        places = ticks.get(size) ?? [];
      while (places.length && places[0] <= at) places.shift();
      if (places.length) {
        add({ kind: "code", text: text.slice(at + size, places[0]).replace(/^ (.*) $/s, "$1") });
        at = places[0] + size;
      } else {
        add({ kind: "text", text: text.slice(at, at + size) });
        at += size;
      }
    } else if (char === "[" || (char === "!" && text[at + 1] === "[")) {
      const isImage = char === "!",
        found = isInLink ? null : links.at(at + isImage);
      if (found) add({ kind: isImage ? "image" : "link", ...found });
      else add({ kind: "text", text: char });
      at = found ? found.last + 1 : at + 1;
    } else if (char === "*" || char === "_" || (char === "~" && text[at + 1] === "~")) at = emphasis(at);
    else {
      let end = at + 1;
      while (end < text.length && !"\\`[!*_~".includes(text[end])) end++;
      add({ kind: "text", text: text.slice(at, end) });
      at = end;
    }
  }
  while (stack.length > 1) drop();
  return stack[0].parts;
}

// -- as elements -----------------------------------------------------------------------------------------------------

/** `words`: makes the nodes of a text, such as with hits marked. */
class MarkdownWriter {
  constructor(words) {
    this.words = words;
  }

  inline(text, isInLink = false) {
    return this.parts(inlineOf(text, isInLink));
  }

  parts(found) {
    return found.map((part) => {
      if (part.kind === "text") return this.words(part.text);
      if (part.kind === "code") return h("code", {}, this.words(part.text));
      if (part.kind === "image")
        return h("span.lm-md-address", { title: "an image is never fetched" }, [
          "image ",
          this.words(part.words),
          part.address && part.address !== part.words ? [" (", this.words(part.address), ")"] : null,
        ]);
      if (part.kind === "link")
        return [
          h("span.lm-md-link", {}, this.inline(part.words, true)),
          part.address && part.address !== part.words
            ? h("span.lm-md-address", {}, " (", this.words(part.address), ")")
            : null,
        ];
      return h(part.kind, {}, this.parts(part.parts));
    });
  }

  blocks(found) {
    return found.map((block) => this[block.kind](block));
  }
  text({ text }) {
    return h("p", {}, this.inline(text));
  }
  heading({ level, text }) {
    return h(`div.lm-md-h${Math.min(level, 4)}`, { role: "heading", "aria-level": level }, this.inline(text));
  }
  rule() {
    return h("hr");
  }
  quote({ blocks }) {
    return h("blockquote", {}, this.blocks(blocks));
  }
  code({ name, text }) {
    return h("pre.lm-md-code", { title: name || null }, this.words(text));
  }
  list({ start, items }) {
    const made = items.map((blocks) => h("li", {}, this.item(blocks)));
    return start === null ? h("ul", {}, made) : h("ol", { start }, made);
  }
  /** One line of text in an item is no paragraph of its own. */
  item(blocks) {
    const [first, ...rest] = blocks;
    return first?.kind === "text" ? [this.inline(first.text), this.blocks(rest)] : this.blocks(blocks);
  }
  table({ sides, head, rows }) {
    const line = (tag, cells) =>
      h(
        "tr",
        {},
        sides.map((side, i) => h(`${tag}.lm-md-${side}`, {}, this.inline(cells[i] ?? ""))),
      );
    const body = rows.map((cells) => line("td", cells));
    return h("div.lm-md-table", {}, h("table", {}, h("thead", {}, line("th", head)), h("tbody", {}, body)));
  }
}

/** A text as Markdown; `words` makes the nodes of each piece of plain text. */
export function markdown(source, words = (text) => [text]) {
  const lines = source.slice(0, READ_AT_MOST).replaceAll("\r\n", "\n").replaceAll("\t", "    ").split("\n");
  const rest = source.length > READ_AT_MOST ? h("pre.lm-text", {}, words(source.slice(READ_AT_MOST))) : null;
  return h("div.lm-md", {}, new MarkdownWriter(words).blocks(blocksOf(lines)), rest);
}
