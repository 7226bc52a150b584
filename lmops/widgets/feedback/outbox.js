// What a rater did and Python has not acknowledged yet: in order, kept in the browser, sent until it is in the store.

/** A browser's storage under one prefix; without one, or when it is full, things live as long as the page. */
export class Shelf {
  constructor(prefix, storage) {
    this.prefix = prefix;
    this.storage = storage;
    this.own = new Map();
    this.isKept = Boolean(storage);
  }

  get(key) {
    if (this.own.has(key)) return this.own.get(key);
    try {
      return JSON.parse(this.storage?.getItem(this.prefix + key) ?? "null");
    } catch {
      return null;
    }
  }

  set(key, value) {
    try {
      this.storage.setItem(this.prefix + key, JSON.stringify(value));
      this.own.delete(key);
      this.isKept = true;
    } catch {
      this.own.set(key, value);
      this.isKept = false;
    }
  }

  remove(key) {
    this.own.delete(key);
    try {
      this.storage?.removeItem(this.prefix + key);
    } catch {
      this.isKept = false;
    }
  }

  /** The keys that begin so, without the prefix. */
  keys(start) {
    const found = new Set([...this.own.keys()].filter((key) => key.startsWith(start)));
    const whole = this.prefix + start;
    for (let i = 0; i < (this.storage?.length ?? 0); i++) {
      const key = this.storage.key(i);
      if (key.startsWith(whole)) found.add(key.slice(this.prefix.length));
    }
    return [...found];
  }
}

const BATCH = 50;
const WAITS_MS = [500, 1_000, 2_000, 4_000, 8_000];
/** So long a page without locks counts as there after its last sign of life. */
const ALIVE_MS = 6_000;
const TICK_MS = 2_000;
/** What is typed and never sent is forgotten after so many days. */
const DRAFT_DAYS = 30;

/** Each act has its number for good: sent twice it is kept once. What pages that are gone have left is sent first. */
export class Outbox {
  /** `host`: {shelf, send(client, ops): answer or undefined, onKept(done, client), onRefused(op, message), onState(),
   *  locks: the browser's or undefined, hand(): positions that this page has before it} */
  constructor(host) {
    Object.assign(this, host);
    this.client = `p${Math.random().toString(36).slice(2, 10)}${Date.now().toString(36)}`;
    this.next = 1;
    this.clients = new Map(); // client -> its acts by number
    this.waiters = new Map();
    this.trouble = null;
    this.tries = 0;
    this.live();
    this.ticking = setInterval(() => this.tick(), TICK_MS);
  }

  /** Acts that are not acknowledged. */
  get size() {
    return [...this.clients.values()].reduce((sum, ops) => sum + ops.size, 0);
  }

  /** Positions that such acts are on. */
  get positions() {
    return [...this.clients.values()].flatMap((ops) => [...ops.values()].flatMap((op) => op.positions ?? []));
  }

  /** Take an act; returns its number. */
  add(op) {
    const sequence = this.next++;
    this.hold(this.client, { ...op, sequence });
    this.shelf.set(`op:${this.client}:${sequence}`, { ...op, sequence });
    this.onState();
    this.flush();
    return sequence;
  }

  /** Take an act and wait until it is in the store; null when it was refused. */
  async added(op) {
    const sequence = this.add(op);
    return new Promise((resolve) => this.waiters.set(sequence, resolve));
  }

  hold(client, op) {
    if (!this.clients.has(client)) this.clients.set(client, new Map());
    this.clients.get(client).set(op.sequence, op);
  }

  /** Send what is there, one batch at a time, until nothing is left or something stops it. */
  async flush() {
    if (this.isSending || this.isClosed) return;
    this.isSending = true;
    clearTimeout(this.again);
    while (this.size && !this.isClosed) {
      const [client, ops] = [...this.clients].sort(([a]) => (a === this.client ? 1 : -1)).find(([, one]) => one.size);
      const batch = [...ops.values()].sort((a, b) => a.sequence - b.sequence).slice(0, BATCH);
      const answer = await this.send(client, batch);
      for (const one of answer?.done ?? []) this.settle(client, one);
      if (answer?.done.length) this.onKept(answer.done, client);
      const stopped = answer ? answer.stopped : { why: "later", message: "the kernel does not answer" };
      if (stopped?.why === "refused") this.refuse(client, stopped);
      if (stopped?.why === "later") {
        this.trouble = stopped.message;
        this.again = setTimeout(() => this.flush(), WAITS_MS[Math.min(this.tries++, WAITS_MS.length - 1)]);
        break;
      }
      this.trouble = null;
      this.tries = 0;
      this.onState();
    }
    this.isSending = false;
    this.onState();
  }

  settle(client, one) {
    this.clients.get(client)?.delete(one.sequence);
    this.shelf.remove(`op:${client}:${one.sequence}`);
    if (client !== this.client) return;
    this.waiters.get(one.sequence)?.(one);
    this.waiters.delete(one.sequence);
  }

  /** What can never be kept gives its number to an act that does nothing, so that the next one is not missing one. */
  refuse(client, { sequence, message }) {
    const op = this.clients.get(client).get(sequence);
    const nothing = { action: "void", sequence };
    this.hold(client, nothing);
    this.shelf.set(`op:${client}:${sequence}`, nothing);
    if (op.action === "void") this.settle(client, nothing);
    else this.onRefused(op, message);
  }

  // -- pages that are gone, and those that are there -----------------------------------------------------------------

  /** Show that this page is there: by a lock, that a browser takes back whatever happens, and by a time. */
  live() {
    this.sign();
    this.locks?.request(`${this.shelf.prefix}${this.client}`, () => new Promise((free) => (this.unlock = free)));
  }

  sign() {
    if (!this.isGone) this.shelf.set(`live:${this.client}`, { at: Date.now(), hand: this.hand() });
  }

  /** Others may send what this page has: its kernel is gone, or it is. */
  leave() {
    this.isGone = true;
    this.unlock?.();
    this.shelf.remove(`live:${this.client}`);
  }

  /** Clients that are still there. */
  async others() {
    const held = await this.locks?.query();
    const locked = held && new Set(held.held.map((one) => one.name));
    const found = new Map();
    for (const key of this.shelf.keys("live:")) {
      const client = key.slice(5),
        sign = this.shelf.get(key);
      if (client === this.client || !sign) continue;
      if (locked ? locked.has(this.shelf.prefix + client) : Date.now() - sign.at < ALIVE_MS) found.set(client, sign);
      else this.shelf.remove(key);
    }
    return found;
  }

  /** Positions that other pages of this rater have before them. */
  async elsewhere() {
    return [...(await this.others()).values()].flatMap((sign) => sign.hand);
  }

  /** Take over what pages have left that are gone. */
  async adopt() {
    const left = this.shelf.keys("op:").filter((key) => !key.startsWith(`op:${this.client}:`));
    if (!left.length || this.isGone) return;
    const others = await this.others();
    for (const key of left) {
      const [, client] = key.split(":"),
        op = this.shelf.get(key);
      if (op && !others.has(client)) this.hold(client, op);
    }
    this.onState();
    await this.flush();
  }

  async tick() {
    this.sign();
    await this.adopt();
    if (!this.isGone) return;
    // The kernel of this page is gone: what another page has sent for it is no longer here to send.
    for (const [client, ops] of this.clients)
      for (const sequence of [...ops.keys()])
        if (!this.shelf.get(`op:${client}:${sequence}`)) this.settle(client, { sequence });
    this.onState();
  }

  /** Forget what was typed long ago and never sent. */
  tidy(now = Date.now()) {
    for (const key of this.shelf.keys("draft:"))
      if (now - (this.shelf.get(key)?.at ?? 0) > DRAFT_DAYS * 86_400_000) this.shelf.remove(key);
  }

  close() {
    this.isClosed = true;
    clearInterval(this.ticking);
    clearTimeout(this.again);
    this.leave();
  }
}
