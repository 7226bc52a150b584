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

test("scores line up, missing ones are a dash, small ones are not zero", async () => {
  const { scoreText, changeText } = await load("evals/grid");
  assert.deepEqual([1, 0, 0.5, 0.0004, 9, 42, 12345, null, undefined].map(scoreText), [
    "1.00",
    "0.00",
    "0.50",
    "0.0004",
    "9",
    "42",
    "12.3k",
    "–",
    "–",
  ]);
  assert.deepEqual([0.25, -0.25, 0, null].map(changeText), ["+0.25", "−0.25", "±0.00", ""]);
});

test("a score passes from its mark on, or up to it where less is better", async () => {
  const { passes } = await load("evals/grid");
  assert.deepEqual(
    [passes(0.5, 0.5, true), passes(0.49, 0.5, true), passes(0.5, 0.5, false), passes(0.51, 0.5, false)],
    [true, false, true, false],
  );
  assert.deepEqual(
    [passes(1, null, true), passes("unmeasured", 0.5, true), passes(null, 0.5, true)],
    [null, null, null],
  );
});

test("the meter needs a scale with ends", async () => {
  const { shareOf } = await load("evals/grid");
  assert.deepEqual(
    [shareOf(3, 1, 5), shareOf(9, 1, 5), shareOf(3, null, 5), shareOf(3, 1, null), shareOf("failed", 0, 1)],
    [0.5, 1, null, null, null],
  );
});

test("intervals of few cases do not flatten the others", async () => {
  const { reachOf, placed } = await load("evals/panels");
  const reach = reachOf([
    [-0.1, -0.2, 0],
    [0.2, -9, 9],
  ]);
  assert.equal(reach, 0.5);
  assert.deepEqual(placed([0.25, -9, 9], reach), [0.75, 0, 1]);
  assert.deepEqual(placed([0, null, null], reach), [0.5, null, null]);
  assert.equal(reachOf([[null, null, null]]), 1);
  assert.ok(reachOf([[0, 0, 0]]) > 0);
});

test("keys", async () => {
  const { exploreCommand } = await load("evals/explorer");
  assert.equal(exploreCommand(key("r")), "regressions");
  assert.equal(exploreCommand(key("3")), "scorer:3");
  assert.equal(exploreCommand(key(" ")), "mark");
  for (const more of [{ ctrlKey: true }, { metaKey: true }, { altKey: true }, { isComposing: true }])
    assert.equal(exploreCommand(key("f", more)), undefined);
  for (const name of ["0", "constructor", "Tab", "F"]) assert.equal(exploreCommand(key(name)), undefined);
});
