import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const field = (name, kind, more = {}) => ({ name, kind, criteria: "", options: [], keys: {}, tags: [], ...more });
const VERDICT = field("verdict", "pass_fail", {
  is_required: true,
  keys: { pass: "p", fail: "f", "cannot tell": "c" },
});
const TONE = field("tone", "scale", { low: 1, high: 3, keys: { 1: "1", 2: "2", 3: "3" } });
const SEEN = field("seen", "choices", { options: ["price", "place"], keys: { price: "1", place: "2" } });

/** A browser's storage that takes `room` entries. */
class Storage {
  constructor(room = Infinity) {
    this.map = new Map();
    this.room = room;
  }
  get length() {
    return this.map.size;
  }
  key(i) {
    return [...this.map.keys()][i];
  }
  getItem(key) {
    return this.map.get(key) ?? null;
  }
  setItem(key, value) {
    if (!this.map.has(key) && this.map.size >= this.room) throw new Error("QuotaExceededError");
    this.map.set(key, value);
  }
  removeItem(key) {
    this.map.delete(key);
  }
}

/** A store that keeps every act once and in order, and forgets to answer when it is told. */
class Store {
  constructor() {
    this.kept = [];
    this.last = new Map();
    this.trouble = [];
  }
  send(client, ops) {
    const trouble = this.trouble.shift();
    if (trouble === "lost") return undefined;
    const done = [];
    for (const op of ops) {
      const last = this.last.get(client) ?? 0;
      if (op.sequence > last + 1) return { done, stopped: { sequence: op.sequence, why: "later", message: "missing" } };
      if (op.words === "bad") return { done, stopped: { sequence: op.sequence, why: "refused", message: "no" } };
      if (op.sequence === last + 1) {
        this.last.set(client, op.sequence);
        this.kept.push(op.words ?? op.action);
      }
      done.push({ sequence: op.sequence, action: op.action, positions: [] });
    }
    return trouble === "unheard" ? undefined : { done, stopped: null };
  }
}

async function made({ storage = new Storage(), store = new Store(), ...more } = {}) {
  const { Outbox, Shelf } = await load("feedback/outbox");
  const refused = [];
  const box = new Outbox({
    shelf: new Shelf("s:", storage),
    send: async (client, ops) => store.send(client, structuredClone(ops)),
    onKept: () => {},
    onRefused: (op, message) => refused.push([op.words, message]),
    onState: () => {},
    hand: () => [],
    ...more,
  });
  return { box, storage, store, refused };
}

const note = (words) => ({ action: "note", positions: [1], words });
const settled = async (box) => {
  for (let i = 0; i < 400 && box.size; i++) await new Promise((done) => setTimeout(done, 10));
};

test("acts are kept once and in order, whatever is lost on the way", async () => {
  const { box, store, storage } = await made();
  store.trouble = ["unheard", null, "lost", "unheard"];
  for (let i = 0; i < 120; i++) box.add(note(String(i)));
  await settled(box);
  box.close();
  assert.deepEqual(
    store.kept,
    Array.from({ length: 120 }, (_, i) => String(i)),
  );
  assert.equal(storage.length, 0);
});

test("a page takes over what another left, before its own; not what belongs to one that is there", async () => {
  const storage = new Storage(),
    store = new Store();
  const gone = await made({ storage, store: { send: () => undefined } });
  gone.box.add(note("left"));
  const there = await made({ storage, store: { send: () => undefined } });
  there.box.add(note("theirs"));
  gone.box.close();
  const { box } = await made({ storage, store });
  await box.adopt();
  box.add(note("own"));
  await settled(box);
  assert.deepEqual(store.kept, ["left", "own"]);
  there.box.leave();
  await box.tick();
  await settled(box);
  assert.deepEqual(store.kept, ["left", "own", "theirs"]);
  await there.box.tick();
  assert.equal(there.box.size, 0);
  for (const one of [box, there.box]) one.close();
});

test("what is refused gives its number to nothing, and the rest goes on", async () => {
  const { box, store, refused } = await made();
  for (const words of ["a", "bad", "b"]) box.add(note(words));
  await settled(box);
  box.close();
  assert.deepEqual(store.kept, ["a", "void", "b"]);
  assert.deepEqual(refused, [["bad", "no"]]);
});

test("a full storage is said and loses nothing as long as the page is there", async () => {
  const { box, store } = await made({ storage: new Storage(1) });
  box.add(note("a"));
  assert.equal(box.shelf.isKept, false);
  await settled(box);
  box.close();
  assert.deepEqual(store.kept, ["a"]);
});

test("drafts are forgotten after a month", async () => {
  const { box } = await made();
  box.shelf.set("draft:1", { values: {}, at: 0 });
  box.shelf.set("draft:2", { values: {}, at: 29 * 86_400_000 });
  box.tidy(31 * 86_400_000);
  assert.deepEqual(box.shelf.keys("draft:"), ["draft:2"]);
  box.close();
});

test("every choice has a key of its own", async () => {
  const { isAtOnce, keysOf } = await load("feedback/answers");
  const keys = keysOf({ fields: [VERDICT, TONE, SEEN] });
  const found = [...keys].map(([key, [{ name }, option]]) => [key, name, option]);
  assert.deepEqual(found.slice(-2), [
    ["4", "seen", "price"],
    ["5", "seen", "place"],
  ]);
  assert.equal(new Set(found.map(([key]) => key)).size, 8);
  const written = keysOf({ fields: [field("tags", "tags"), field("better", "text"), TONE] });
  assert.deepEqual(
    [...written].slice(-2).map(([key, [{ name }, option]]) => [key, name, option]),
    [
      ["4", "tags", null],
      ["5", "better", null],
    ],
  );
  assert.equal(isAtOnce({ fields: [VERDICT] }), true);
  assert.equal(isAtOnce({ fields: [VERDICT, TONE] }), false);
});

test("a choice is made, taken back, missed, and kept as far as the criteria still have it", async () => {
  const { chosen, fitting, given, inWords, missing } = await load("feedback/answers");
  const schema = { fields: [VERDICT, TONE, SEEN] };
  let values = chosen({ verdict: { critique: "why" } }, VERDICT, "fail");
  assert.deepEqual(values.verdict, { critique: "why", value: "fail" });
  values = chosen(chosen(chosen(values, TONE, "3"), SEEN, "price"), SEEN, "price");
  assert.deepEqual(given(values), { verdict: { critique: "why", value: "fail" }, tone: 3 });
  assert.deepEqual(missing(schema, { tone: 3 }), ["verdict"]);
  assert.deepEqual(missing({ fields: [TONE] }, {}), ["tone"]);
  assert.deepEqual(fitting({ fields: [{ ...TONE, high: 2 }, VERDICT] }, values), { verdict: values.verdict });
  assert.equal(inWords(given(values)), "fail · 3");
  assert.deepEqual(fitting(schema, { verdict: { critique: "why" } }), { verdict: { critique: "why" } });
});

test("places in a text are characters for Python", async () => {
  const { sentences, toCharacters, toUnits } = await load("feedback/answers");
  const text = "Yes 🚢. No.";
  assert.equal(toCharacters(text, text.indexOf("No")), 7);
  assert.equal(toUnits(text, 7), text.indexOf("No"));
  assert.deepEqual(
    sentences(text).map(([from, to]) => text.slice(from, to)),
    ["Yes 🚢.", "No."],
  );
});

test("a choice comes before the labeler's own keys; a capital one asks for the reason", async () => {
  const { labelCommand } = await load("feedback/commands");
  const { keysOf } = await load("feedback/answers");
  const own = keysOf({
    fields: [field("ok", "category", { options: ["no", "yes"], keys: { no: "n", yes: "s" } }), VERDICT],
  });
  const say = (key, more = {}) => labelCommand({ key, ...more }, own);
  assert.deepEqual(
    ["n", "s", "p", "P", "N", "u", ";"].map((key) => say(key)),
    ["choose", "choose", "choose", "write", undefined, "undo", "note"],
  );
  assert.equal(say("p", { ctrlKey: true }), undefined);
});

test("the way through a queue: what is taken back comes again, then what was shown, then the next", async () => {
  const { Work } = await load("feedback/work");
  const work = new Work();
  work.take([1, 2, 3].map((position) => ({ position, said: null, note: null, case: {} })));
  work.advance();
  work.did("label", 1, [1], { said: { a: 1 }, status: "done" });
  work.advance();
  work.did("skip", 2, [2], { said: null, status: "skipped" });
  work.advance();
  assert.equal(work.current, 3);
  work.visit(work.takeBack().positions[0]);
  work.visit(work.takeBack().positions[0]);
  assert.deepEqual([work.current, work.items.get(1).said, work.takeBack()], [1, null, undefined]);
  work.did("label", 3, [1], { said: { a: 2 }, status: "done" });
  work.advance();
  assert.equal(work.current, 2);
  work.forget(3);
  assert.equal(work.items.get(1).status, "open");
  assert.equal(work.step(1) && work.current, 3);
  assert.equal(work.step(1), false);
});

test("how long it takes is said in words", async () => {
  const { pace } = await load("feedback/answers");
  const { timeLeft } = await load("feedback/bar");
  assert.equal(pace([1, 2]), null);
  assert.equal(pace([1, 100, 2]), 2);
  assert.deepEqual([0.5, 12.4, 120].map(timeLeft), ["under a minute", "12 min", "2.0 h"]);
});
