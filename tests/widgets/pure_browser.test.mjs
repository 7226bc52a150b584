import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

test("keys lead from heading to heading, into what it holds, and back to the rows", async () => {
  const { nextHead } = await load("kit/row_table"),
    heads = [
      { things: 1, isRow: false },
      { things: 5, isRow: true },
      { things: 3, isRow: false },
    ];
  assert.deepEqual(nextHead([0, 0], "ArrowRight", heads), [1, 0]);
  assert.deepEqual(nextHead([2, 0], "ArrowRight", heads), [2, 0]);
  assert.deepEqual(nextHead([1, 0], "ArrowDown", heads), [1, 1]);
  assert.deepEqual(nextHead([1, 1], "ArrowRight", heads), [1, 2]);
  assert.deepEqual(nextHead([1, 4], "ArrowRight", heads), [1, 4]);
  assert.deepEqual(nextHead([1, 3], "ArrowUp", heads), [1, 0]);
  assert.deepEqual(nextHead([2, 1], "ArrowDown", heads), [2, 2]);
  for (const at of [
    [0, 0],
    [1, 2],
    [2, 2],
  ])
    assert.equal(nextHead(at, "ArrowDown", heads), "rows");
  assert.deepEqual(nextHead([1, 3], "Escape", heads), [1, 0]);
  assert.equal(nextHead([1, 0], "Escape", heads), "rows");
  assert.deepEqual(nextHead([1, 3], "End", heads), [2, 0]);
  assert.equal(nextHead([1, 0], "j", heads), undefined);
});

test("a brush is one bar that keys move, and with Shift it grows to one side and back", async () => {
  const { barAt, brushed } = await load("traces/over_time");
  assert.deepEqual(brushed(null, "ArrowRight", false, 10), [0, 0]);
  assert.deepEqual(brushed(null, "ArrowLeft", true, 10), [9, 9]);
  assert.deepEqual(brushed([3, 3], "ArrowRight", true, 10), [3, 4]);
  assert.deepEqual(brushed([3, 4], "ArrowLeft", true, 10), [3, 3]);
  assert.deepEqual(brushed([3, 6], "ArrowRight", false, 10), [7, 7]);
  assert.deepEqual(brushed([3, 3], "End", true, 10), [3, 9]);
  assert.equal(brushed([3, 3], "Enter", false, 10), undefined);
  assert.deepEqual(
    [-5, 0, 55, 99.9, 100, 400].map((x) => barAt(x, 100, 10)),
    [0, 0, 5, 9, 9, 9],
  );
});

test("figures say what was before, and a sign only where the interval leaves no doubt", async () => {
  const { figures } = await load("traces/over_time"),
    of = (traces, errors, more) => ({ traces, errors, p50_ms: 900, p95_ms: null, cost_usd: null, ...more });
  const sure = figures({ now: of(100, 30), before: of(100, 5), error_change: [0.14, 0.35] });
  assert.deepEqual(
    sure.map(([label, now, before, , sign]) => [label, now, before, sign]),
    [
      ["traces", "100", "100", 0],
      ["failed", "30%", "5%", 1],
      ["median", "900 ms", "900 ms", 0],
      ["p95", "–", "–", 0],
      ["cost", "–", "–", 0],
    ],
  );
  assert.match(sure[1][3], /14 to \+35 percentage points/);
  assert.equal(figures({ now: of(9, 3), before: of(9, 1), error_change: [-0.1, 0.5] })[1][4], 0);
  assert.equal(figures({ now: of(9, 3), before: null, error_change: null })[1][2], null);
  assert.equal(figures({ now: of(9, 3), before: of(0, 0), error_change: null })[1][2], "–");
});

test("a narrow list has status, text, time and latency without scrolling", async () => {
  const { compact, fitted } = await load("traces/table"),
    column = (name, kind = "number") => ({ name, kind, width: 90 });
  const columns = [
    column("status", "category"),
    column("start_at", "time"),
    column("name", "category"),
    column("input", "text"),
    column("latency_ms"),
    column("output", "text"),
  ];
  const shown = fitted(compact(columns), 380).slice(0, 4);
  assert.deepEqual(
    shown.map(({ name }) => name),
    ["status", "input", "start_at", "latency_ms"],
  );
  assert.equal(
    shown.reduce((sum, { width }) => sum + width, 26),
    380,
  );
});

test("a model is named, others are counted", async () => {
  const { cellText } = await load("traces/table");
  assert.equal(cellText({ name: "models", kind: "list" }, "text-embedding-3, gpt-5", 0), "gpt-5 +1");
  assert.equal(cellText({ name: "value", kind: "text" }, null, 0), "missing");
  assert.equal(cellText({ name: "error_rate", kind: "number" }, 0.125, 0), "12.5%");
});
