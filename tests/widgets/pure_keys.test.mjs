import assert from "node:assert/strict";
import { test } from "node:test";

import { load } from "./load.mjs";

const press = (key, more = {}) => ({ key, ...more });
const ticks = () => new Promise((done) => setTimeout(done));

/** A queue over lower-case letters; `n` needs what is in `pending`. */
async function made({ isReady = () => true } = {}) {
  const { KeyQueue, Pending } = await load("kit/keys");
  const done = [],
    pending = new Pending();
  const queue = new KeyQueue({
    commandOf: ({ key }) => (/^[a-z]$/.test(key) ? key : undefined),
    needed: ({ key }) => (key === "n" ? pending.all : undefined),
    isReady,
    perform: ({ key }) => {
      if (key === "x") throw new Error("no");
      done.push(key);
      return undefined;
    },
    failed: (words) => done.push(words),
  });
  return { queue, pending, done, type: (...keys) => keys.map((key) => queue.take(press(key))) };
}

test("a key that needs nothing acts before the call returns", async () => {
  const { type, done } = await made();
  assert.deepEqual(type("a", "7", "b"), [true, false, true]);
  assert.deepEqual(done, ["a", "b"]);
});

test("a key that needs something waits, and everything typed after it behind it, also what is no command", async () => {
  const { queue, type, done, pending } = await made();
  let come;
  pending.add(
    new Promise((resolve) => {
      come = resolve;
    }),
  );
  assert.deepEqual(type("a", "n", "b", "7"), [true, true, true, true]);
  assert.equal(queue.take(press("s", { ctrlKey: true })), false);
  assert.equal(queue.take(press("か", { isComposing: true })), false);
  await ticks();
  assert.deepEqual(done, ["a"]);
  come();
  await ticks();
  assert.deepEqual(done, ["a", "n", "b", "7"]);
  type("c");
  assert.equal(done.at(-1), "c");
});

test("with a kernel that is slow or gone keys act at once", async () => {
  let isReady = true;
  const { queue, type, done, pending } = await made({ isReady: () => isReady });
  pending.add(new Promise(() => {}));
  type("n", "n", "a");
  await ticks();
  assert.deepEqual(done, []);
  isReady = false;
  queue.hurry();
  await ticks();
  type("n");
  assert.deepEqual(done, ["n", "n", "a", "n"]);
});

test("what waits can be dropped, a held key does not pile up, and an error stops nothing", async () => {
  const { queue, type, done, pending } = await made();
  let come;
  pending.add(
    new Promise((resolve) => {
      come = resolve;
    }),
  );
  type("n", "b");
  queue.drop();
  await ticks();
  assert.deepEqual([done, queue.isBusy], [[], false]);
  type("n", "x");
  assert.equal(queue.take(press("j", { repeat: true })), true);
  type("c");
  come();
  await ticks();
  assert.deepEqual(done, ["n", "Error: no", "c"]);
});
