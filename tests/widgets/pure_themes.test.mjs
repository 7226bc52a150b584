import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const key = (name) => ({ key: name, ctrlKey: false, metaKey: false, altKey: false, isComposing: false });

test("digits are the places of modes, 0 takes a note out of its mode", async () => {
  const { themeCommand } = await load("feedback/themes");
  assert.deepEqual(
    ["1", "9", "0", "m", "z", "q"].map((name) => themeCommand(key(name))),
    ["to1", "to9", "off", "move", "undo", undefined],
  );
  assert.equal(themeCommand({ ...key("1"), ctrlKey: true }), undefined);
});

test("the cursor stays in its column at its height, or goes to what is nearest", async () => {
  const { placed } = await load("feedback/themes");
  const columns = [
    { key: "open", cards: [1, 2, 3] },
    { key: "m1", cards: [] },
  ];
  assert.deepEqual(placed(columns, { key: "open", at: 7 }), { key: "open", at: 2 });
  assert.deepEqual(placed(columns, { key: "m1", at: 2 }), { key: "m1", at: 0 });
  assert.deepEqual(placed(columns, { key: "gone", at: 1 }), { key: "open", at: 1 });
});

test("a share says of what it is one", async () => {
  const { shareText } = await load("feedback/themes");
  const share = { values: [0.125, 0.05, 0.3], of: "traffic", n: 1200, is_rate: true };
  assert.equal(shareText(share), "12.5 % (5.0 % – 30.0 %) of traffic, n 1,200");
  assert.equal(shareText({ ...share, is_rate: false, n: 8, values: [0, null, null] }), "0.0 % of 8 chosen items");
  assert.equal(shareText({ ...share, values: [null, null, null] }), "");
});

test("versions are short on a card", async () => {
  const { shortRefs } = await load("feedback/themes");
  assert.equal(shortRefs("support-answer@2, a@b@12"), "v2, v12");
});
