import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";
const key = (name, more = {}) => ({
  key: name,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  isComposing: false,
  ...more,
});

/** Every row of a layout once: what is shown and what is folded. */
const rowsOf = (parts) =>
  parts.flatMap((part) =>
    part.type === "message" ? [] : Array.from({ length: part.count }, (_, i) => part.start + i),
  );

test("unchanged stretches are folded, three lines around a change are shown", async () => {
  const { layoutOf } = await load("prompts/rows");
  const parts = layoutOf([["user", 1, 0, 100]], [[50, 2]], 3, new Set());
  assert.deepEqual(parts, [
    { type: "message", place: 0 },
    { type: "fold", start: 0, count: 47 },
    { type: "rows", start: 47, count: 8 },
    { type: "fold", start: 55, count: 45 },
  ]);
});

test("changes that are near each other are one stretch, and no single line is folded", async () => {
  const { layoutOf } = await load("prompts/rows");
  const parts = layoutOf(
    [["user", 1, 0, 21]],
    [
      [4, 1],
      [12, 1],
      [16, 1],
    ],
    3,
    new Set(),
  );
  assert.deepEqual(parts.slice(1), [{ type: "rows", start: 0, count: 21 }]);
});

test("a layout has every row once, whatever changed and whatever is open", async () => {
  const { layoutOf } = await load("prompts/rows");
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let round = 0; round < 300; round++) {
    const messages = [],
      hunks = [];
    let at = 0;
    for (let i = 0; i < 1 + random(3); i++) {
      const count = 1 + random(40),
        start = at;
      for (let row = start + random(6); row < start + count; row += 2 + random(12)) {
        const size = Math.min(1 + random(3), start + count - row);
        hunks.push([row, size]);
        row += size;
      }
      messages.push(["user", 1, start, count]);
      at += count;
    }
    const folds = layoutOf(messages, hunks, 3, new Set()).filter((part) => part.type === "fold");
    for (const open of [
      new Set(),
      new Set(folds.slice(0, 1).map((part) => part.start)),
      new Set(folds.map((part) => part.start)),
    ]) {
      const parts = layoutOf(messages, hunks, 3, open);
      assert.deepEqual(
        rowsOf(parts),
        Array.from({ length: at }, (_, i) => i),
      );
      if (open.size === folds.length) assert.ok(parts.every((part) => part.type !== "fold"));
    }
  }
});

test("sections cover a run", async () => {
  const { sectionsOf } = await load("prompts/rows");
  assert.deepEqual(sectionsOf(10, 170), [
    [10, 80],
    [90, 80],
    [170, 10],
  ]);
});

test("the settings are the first difference", async () => {
  const { stopsOf } = await load("prompts/diff");
  assert.deepEqual(
    stopsOf({
      changes: [1],
      hunks: [
        [0, 1],
        [9, 2],
      ],
    }),
    [-1, 0, 1],
  );
  assert.deepEqual(stopsOf({ changes: [], hunks: [] }), []);
});

test("template code is told from text, across lines too", async () => {
  const { pieces } = await load("prompts/fields");
  assert.deepEqual(pieces("Hi {{ a }}!{% if b\n%}"), [
    ["Hi ", false],
    ["{{ a }}", true],
    ["!", false],
    ["{% if b\n%}", true],
  ]);
  assert.deepEqual(pieces("{{ open"), [["{{ open", false]]);
  assert.deepEqual(pieces(""), []);
});

test("sums over answers keep what is unknown apart", async () => {
  const { totalsOf } = await load("prompts/playground");
  const trials = [
    { error: null, cost_usd: 0.5 },
    { error: null, cost_usd: null },
    { error: "no", cost_usd: null },
  ];
  assert.deepEqual(totalsOf(trials), { answers: 2, failed: 1, cost: 0.5, unpriced: 1, isPriced: true });
});

test("numbers of a unit read well, differences have a sign", async () => {
  const { inUnit, isTold, scaleOf, signed } = await load("prompts/measures");
  assert.deepEqual(
    [
      inUnit(1_240, "ms"),
      inUnit(0.125, "rate"),
      inUnit(0.0004, "rate"),
      inUnit(0.00012, "usd"),
      inUnit(71.12, "tokens"),
      inUnit(null, "ms"),
    ],
    ["1.24 s", "12.5 %", "0.04 %", "$0.000120", "71.1", ""],
  );
  assert.deepEqual([signed(440, "ms"), signed(-0.034, "rate"), signed(0, "tokens")], ["+440 ms", "−3.4 pp", "±0"]);
  assert.deepEqual(
    [isTold([1, 0.5, 2]), isTold([1, -1, 2]), isTold([1, null, 2]), isTold(null)],
    [true, false, false, false],
  );
  assert.equal(scaleOf([[null, null, null, 0, 0]]), null);
  const [from, to] = scaleOf([
    [0.1, 0.05, 0.2],
    [0.4, 0.3, 0.5],
  ]);
  assert.ok(from === 0 && to > 0.5);
});

test("keys mean what the help says, and never with Ctrl", async () => {
  const { diffCommand } = await load("prompts/diff"),
    { playCommand } = await load("prompts/playground"),
    { compareCommand } = await load("prompts/compare");
  assert.deepEqual(
    [diffCommand(key("n")), playCommand(key("e")), compareCommand(key("d"))],
    ["next", "edit", "different"],
  );
  for (const command of [diffCommand, playCommand, compareCommand]) {
    assert.equal(command(key("?")), "help");
    assert.equal(command(key("s", { ctrlKey: true })), undefined);
    assert.equal(command(key("n", { isComposing: true })), undefined);
    assert.equal(command(key("constructor")), undefined);
  }
});
