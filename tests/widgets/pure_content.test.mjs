import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const kinds = (blocks) => blocks.map((one) => one.kind);
/** The plain text of parts of a line. */
const flat = (parts) => parts.map((one) => one.text ?? one.words ?? flat(one.parts)).join("");

test("markdown has headings, lists in lists, tables, quotes, code and rules", async () => {
  const { blocksOf } = await load("kit/markdown");
  const text =
    "# Hi #\n\none\ntwo\n3. a\n   - b\n4. c\n\n> q\n> > r\n\n|a|b|\n|:-:|--:|\n|1|2|\n\n---\n```js\nlet a;\n```\nend";
  const found = blocksOf(text.split("\n"));
  assert.deepEqual(kinds(found), ["heading", "text", "list", "quote", "table", "rule", "code", "text"]);
  assert.deepEqual(found[0], { kind: "heading", level: 1, text: "Hi" });
  assert.equal(found[2].start, 3);
  assert.deepEqual(found[2].items.map(kinds), [["text", "list"], ["text"]]);
  assert.deepEqual(kinds(found[3].blocks), ["text", "quote"]);
  assert.deepEqual([found[4].sides, found[4].rows], [["center", "right"], [["1", "2"]]]);
  assert.deepEqual([found[6].name, found[6].text], ["js", "let a;"]);
});

test("emphasis, code, links and images are parts of a line; html and what is not closed stay text", async () => {
  const { inlineOf } = await load("kit/markdown");
  const found = inlineOf(
    "**b *c* d** `x*y` ~~no~~ [l](javascript:alert(1)) ![i](http://x/y.png) snake_case_name <img src=x>",
  );
  assert.deepEqual(kinds(found), [
    "strong", "text", "code", "text", "del", "text", "link", "text", "image", "text",
  ]); // prettier-ignore
  assert.deepEqual(kinds(found[0].parts), ["text", "em", "text"]);
  assert.equal(found[6].address, "javascript:alert(1)");
  assert.equal(found.at(-1).text, " snake_case_name <img src=x>");
  for (const text of ["**open", "a * b * c", "[x](", "`tick", "\\*no\\*", "***"])
    assert.deepEqual(kinds(inlineOf(text)), ["text"], text);
  assert.deepEqual(kinds(inlineOf("***both***")[0].parts), ["em"]);
});

test("hostile markdown loses no character and nests no deeper than a page can", async () => {
  const { blocksOf, inlineOf } = await load("kit/markdown");
  const size = 60_000;
  for (const one of ["[", "[](", "*a ", "_a", "` `` ", "~~", "![", "(", "]"]) {
    const text = one.repeat(size / one.length);
    assert.ok(flat(inlineOf(text)).length >= text.length / 4, one);
  }
  const nested = inlineOf("[".repeat(10_000) + "]".repeat(10_000));
  assert.deepEqual([nested.length, nested[0].text.length], [1, 20_000]);
  let depth = 0;
  for (let blocks = blocksOf(["> ".repeat(10_000) + "a"]); blocks?.[0]; blocks = blocks[0].blocks) depth++;
  assert.ok(depth < 10);
  assert.equal(blocksOf(Array.from({ length: 3_000 }, (_, i) => `${" ".repeat(i % 60)}- a`)).length > 0, true);
});

test("json that is no object, too deep or broken is no tree", async () => {
  const { indented, linesOf, parsed } = await load("kit/json_tree");
  for (const text of ["", null, "word", '"text"', "12", "{broken", "[".repeat(100_000) + "]".repeat(100_000)])
    assert.equal(parsed(text), undefined);
  assert.deepEqual(parsed('{"a": [1, null]}'), { a: [1, null] });
  assert.equal(indented('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.deepEqual(["word", "{broken", null].map(indented), ["word", "{broken", ""]);
  assert.ok(!indented('{"id":12345678901234567890}').includes("000"), "no digit is lost");
  assert.equal(linesOf({ a: [1, { b: 2 }], c: 3 }, 100), 6);
  assert.equal(linesOf(Array(1_000_000).fill(0), 24), 25);
});

test("the graph counts what places have in common and puts each after who calls it", async () => {
  const { arranged, beside, network } = await load("traces/graph");
  const root = { kind: "agent", name: "ask", index: 0 };
  const edges = [
    ["agent", "ask", "llm", "gpt", 2, 0, 50, 0.1, 1],
    ["agent", "ask", "tool", "price", 1, 0, 5, null, 2],
    ["agent", "ask", "agent", "policy", 1, 0, 9, null, 3],
    ["agent", "policy", "tool", "price", 1, 1, 7, null, 4],
    ["tool", "price", "agent", "ask", 1, 0, 1, null, 5],
  ];
  const { nodes, links, hidden } = network(edges, root);
  const of = Object.fromEntries(nodes.map((node) => [node.name, node]));
  assert.deepEqual([of.ask.layer, of.gpt.layer, of.policy.layer, of.price.layer], [0, 1, 1, 2]);
  assert.deepEqual([of.price.count, of.price.errors, of.price.latency, of.price.cost], [2, 1, 12, null]);
  assert.deepEqual([links.length, hidden], [5, 0]);
  for (const width of [300, 390, 900]) {
    const size = arranged(nodes, width);
    assert.ok(nodes.every((node) => node.x >= 0 && node.x + node.width <= size.width && node.y >= 0));
  }
  assert.equal(beside(nodes, of.ask, 1, 0).layer, 1);
  assert.equal(beside(nodes, of.gpt, 0, 1), of.policy);
  assert.equal(beside(nodes, of.ask, -1, 0), of.ask);
});

test("a graph without edges is its root, and one without end is cut and says so", async () => {
  const { network } = await load("traces/graph");
  const root = { kind: "llm", name: "gpt", index: 0 };
  assert.deepEqual([network([], root).nodes.length, network([], root).links.length], [1, 0]);
  const many = Array.from({ length: 500 }, (_, i) => ["llm", "gpt", "tool", `t${i}`, 1, 0, 1, null, i]);
  const found = network(many, root);
  assert.equal(found.nodes.length + found.hidden, 501);
});

test("a difference has its sign, and none where there is none or too little to be shown", async () => {
  const { signed } = await load("traces/turns");
  const { dollars, duration } = await load("kit/dom");
  assert.deepEqual(
    [-2e-8, -0.002].map((by) => signed(by, dollars)),
    ["≈ 0", "−$0.002000"],
  );
  assert.deepEqual(
    [1_300, -20, 0, null].map((by) => signed(by, duration)),
    ["+1.30 s", "−20 ms", "", ""],
  );
});

test("what was asked is the last words of the user", async () => {
  const { questionOf } = await load("traces/span");
  const said = (role, content) => ({ role, content });
  assert.equal(questionOf([said("system", "be kind"), said("user", "how?"), said("assistant", "")]), "how?");
  assert.equal(questionOf([said("tool", "4")]), "4");
  assert.equal(questionOf([]), "");
});

test("an axis of few marks has one besides its start", async () => {
  const { ticks } = await load("traces/waterfall");
  assert.deepEqual(ticks(4_200, 1), [0, 2_000]);
  assert.deepEqual(ticks(300, 1), [0, 200]);
  for (const total of [0.7, 3, 80, 501, 999, 1_500, 61_000, 4e6])
    assert.ok(ticks(total, 1).length === 2, String(total));
});
