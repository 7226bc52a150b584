import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

test("durations, money and counts read well", async () => {
  const { count, dollars, duration, plural, short } = await load("kit/dom");
  assert.deepEqual([0.5, 12, 999, 1_000, 12_345, 75_000, 7.3e6].map(duration), [
    "0.5 ms",
    "12 ms",
    "999 ms",
    "1.00 s",
    "12.3 s",
    "1 m 15 s",
    "2.0 h",
  ]);
  assert.deepEqual([0, 0.000123, 0.0123, 1.5, 1234].map(dollars), ["$0", "$0.000123", "$0.0123", "$1.50", "$1,234.00"]);
  assert.equal(duration(null) + dollars(null) + count(null) + short(null), "");
  assert.equal(plural(1, "trace") + plural(2_000, "trace"), "1 trace2,000 traces");
  assert.deepEqual([999, 12_345, 1_234_567].map(short), ["999", "12.3k", "1.23M"]);
});

test("what was not reported is a dash, and a tiny cost is not nothing", async () => {
  const { dollars, tokenPair } = await load("kit/dom");
  assert.deepEqual([tokenPair(16, null), tokenPair(16, 4), tokenPair(null, null)], ["16 → –", "16 → 4", ""]);
  assert.equal(dollars(4e-8), "<$0.000001");
});

test("times are relative while that helps", async () => {
  const { relative } = await load("kit/dom");
  const now = Date.UTC(2026, 0, 10);
  assert.deepEqual(
    [10e3, 120e3, 7_200e3, 172_800e3].map((ago) => relative(now - ago, now)),
    ["10 s ago", "2 min ago", "2 h ago", "Jan 8 00:00"],
  );
  assert.equal(relative(now - 1e10, now), "2025-09-16");
  assert.equal(relative(now + 60e3, now), "Jan 10 00:01");
});

test("exact times are in UTC, as SQL and exported tables have them", async () => {
  const { exact } = await load("kit/dom");
  assert.equal(exact(Date.UTC(2026, 0, 10, 23, 59, 5)), "2026-01-10 23:59:05");
  assert.equal(exact(null), "");
});

test("models that only embed come last", async () => {
  const { chatFirst } = await load("kit/dom");
  assert.deepEqual(chatFirst(["text-embedding-3-small", "gpt-5", "gpt-5-mini"]), [
    "gpt-5",
    "gpt-5-mini",
    "text-embedding-3-small",
  ]);
});

test("a time axis has round marks, at most five, whatever the length", async () => {
  const { ticks } = await load("traces/waterfall");
  assert.deepEqual(ticks(4_270), [0, 2_000, 4_000]);
  assert.deepEqual(ticks(122_000), [0, 60_000, 120_000]);
  assert.deepEqual(ticks(0.8), [0, 0.2, 0.4, 0.6, 0.8]);
  for (const total of [1e-6, 0.3, 7, 99, 2_000, 2_001, 61_000, 3.7e6, 9e7, 4e9]) {
    const marks = ticks(total);
    assert.ok(marks.length >= 2 && marks.length <= 5 && marks.at(-1) <= total, `${total}: ${marks}`);
  }
});

test("beside a trace the list has first what tells rows apart", async () => {
  const { compact } = await load("traces/table");
  const column = (name, kind) => ({ name, kind });
  const names = compact([
    column("status", "category"),
    column("start_at", "time"),
    column("name", "category"),
    column("input", "text"),
    column("output", "text"),
    column("latency_ms", "number"),
  ]).map((one) => one.name);
  assert.deepEqual(names, ["status", "input", "start_at", "latency_ms", "name", "output"]);
});

test("a range in words of one day has minutes, else days", async () => {
  const { days } = await load("traces/summaries");
  const day = Date.UTC(2026, 0, 10);
  assert.equal(days(day, day + 3.6e6), "00:00 – 01:00");
  assert.equal(days(day, day + 8.64e7), "01-10 – 01-11");
});

test("a date field means UTC", async () => {
  const { utc } = await load("traces/bar");
  assert.deepEqual(["2026-01-10T08:30", "2026-01-10T08:30:15", ""].map(utc), [
    "2026-01-10T08:30:00+00:00",
    "2026-01-10T08:30:15+00:00",
    null,
  ]);
});

test("a scrollbar of any height reaches the first and the last row", async () => {
  const { scrollMap } = await load("kit/row_table");
  for (const total of [0, 1, 100, 1_000_000, 1_400_000, 50_000_000]) {
    const map = scrollMap(total, 400),
      last = Math.max(0, total * 24 - 400),
      track = Math.max(0, map.height - 400);
    assert.ok(map.height <= 15_000_000);
    assert.equal(map.toPixels(0), 0);
    assert.ok(Math.abs(map.toPixels(track) - last) < 1e-3);
    assert.ok(Math.abs(map.toScroll(map.toPixels(track / 2)) - track / 2) < 1e-3);
  }
});

test("columns are seen whole or not at all: what is left goes to the texts that are seen", async () => {
  const { widen } = await load("kit/row_table");
  const columns = ["word", "text", "number", "text"].map((kind) => ({ kind }));
  const of = (room) => {
    const widths = [100, 200, 80, 300];
    widen(widths, columns, room);
    return widths;
  };
  assert.deepEqual(of(780), [100, 250, 80, 350]);
  assert.deepEqual(of(450), [100, 270, 80, 300]);
  assert.deepEqual(of(310), [100, 210, 80, 300]);
  assert.deepEqual(of(90), [100, 200, 80, 300]);
});

test("pages cover the screen and one ahead", async () => {
  const { pagesFor } = await load("kit/row_table");
  assert.deepEqual(pagesFor(0, 30, 1_000, 1), [0, 1]);
  assert.deepEqual(pagesFor(95, 125, 1_000, -1), [0, 1]);
  assert.deepEqual(pagesFor(995, 999, 1_000, 1), [9]);
  assert.deepEqual(pagesFor(0, 30, 0, 1), []);
});

test("pages are forgotten oldest first", async () => {
  const { Pages } = await load("kit/row_table");
  const pages = new Pages();
  for (let i = 0; i < 70; i++) {
    pages.put(i, [[`t${i}`]]);
    pages.get(0);
  }
  assert.ok(pages.get(0) && !pages.get(1) && pages.get(69));
  assert.equal(pages.indexOf("t69"), 6_900);
  assert.equal(pages.indexOf("gone"), -1);
});

test("depths and folding of a tree", async () => {
  const { depthsOf, visibleSpans } = await load("traces/waterfall");
  const depths = depthsOf([-1, 0, 1, 0, 9]);
  assert.deepEqual([...depths], [0, 1, 2, 1, 0]);
  assert.deepEqual(visibleSpans(depths, new Set([1])), [0, 1, 3, 4]);
  assert.deepEqual(visibleSpans(depths, new Set([0])), [0, 4]);
});

test("keys mean what the help says, and never with Ctrl", async () => {
  const { commandFor } = await load("traces/keys");
  const key = (name, more = {}) => ({
    key: name,
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    isComposing: false,
    ...more,
  });
  assert.equal(commandFor(key("j"), "list"), "down");
  assert.equal(commandFor(key("Enter"), "list"), "open");
  assert.equal(commandFor(key("Enter"), "tree"), "fold");
  assert.equal(commandFor(key("s", { ctrlKey: true }), "list"), undefined);
  assert.equal(commandFor(key("j", { isComposing: true }), "list"), undefined);
  assert.equal(commandFor(key("z"), "list"), undefined);
});

test("cells are text, cut with a sign", async () => {
  const { cellText } = await load("traces/table");
  assert.equal(cellText({ kind: "text", name: "input" }, "a\n b", 0, false), "a b");
  assert.ok(cellText({ kind: "text", name: "input" }, "x".repeat(65), 0, false).endsWith("…"));
  assert.equal(cellText({ kind: "number", name: "cost_usd" }, null, 0, false), "");
});

test("rare values stay visible in a histogram", async () => {
  const { barHeights } = await load("traces/summaries");
  const heights = barHeights([{ count: 1_000_000 }, { count: 1 }, { count: 0 }]);
  assert.equal(heights[0], 1);
  assert.ok(heights[1] >= 0.05);
  assert.equal(heights[2], 0);
});
