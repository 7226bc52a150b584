// The lines of the dashboard of monitors, without a page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./load.mjs";

const { BOX, alone, extent, heightOf, line, nearest } = await load("monitors/spark");
const { isMeant } = await load("monitors/dashboard");
const { said } = await load("monitors/tile");

test("a line ends where nothing is known and goes on after it", () => {
  const points = [0, 1, 2, 3, 4].map((at) => [at, 9, at === 2 ? null : at]);
  const path = line(points, [0, 4], [0, 4]);
  assert.equal(path.match(/M/g).length, 2);
  assert.equal(path.match(/L/g).length, 2);
  assert.ok(path.startsWith(`M0 ${BOX.height - BOX.edge}`));
});

test("a point between two gaps is a dot", () => {
  const points = [null, 5, null, 6, 7].map((value, at) => [at, 1, value]);
  assert.deepEqual(alone(points), [[1, 1, 5]]);
});

test("all that is drawn is in the box, a flat line in its middle", () => {
  const range = extent([[0, 1, 2]], [[0, 1, 9]], [4, 3, null]);
  assert.deepEqual(range, [2, 9]);
  assert.equal(heightOf(9, range), BOX.edge);
  const flat = extent([[0, 1, 5]], [], null);
  assert.equal(heightOf(5, flat), BOX.height / 2);
  assert.ok(Number.isFinite(heightOf(0, extent([[0, 1, 0]], [], null))));
  assert.equal(extent([[0, 0, null]], [], null), null);
});

test("the nearest point is by time, not by its place", () => {
  const points = [
    [0, 1, 1],
    [90, 1, 1],
    [100, 1, 1],
  ];
  assert.equal(nearest(points, 0.5), 1);
  assert.equal(nearest(points, 0.3), 0);
  assert.equal(nearest([], 0.3), -1);
});

test("a series is meant by words in any order and case", () => {
  const tile = { title: "latency of a query", series: "model gpt-5", monitor: "slow", status: "firing" };
  assert.ok(isMeant(tile, "GPT-5 latency"));
  assert.ok(isMeant(tile, ""));
  assert.ok(!isMeant(tile, "latency claude"));
});

test("numbers stand in their unit, and missing ones as a dash", () => {
  assert.deepEqual(
    [said(0.062, "share"), said(4310, "ms"), said(0.00033, "usd"), said(158.4, "characters"), said(null, "ms")],
    ["6.2 %", "4.31 s", "$0.000330", "158", "–"],
  );
});
