// Where a rater is in a queue: the cases at hand, the way through them, what was done and can be taken back.

/** Cases ahead: three for somebody who reads, more for somebody who presses keys faster than the kernel answers. */
const LEAST = 3;
const MOST = 60;
const WINDOW_MS = 2_000;
/** So many cases back are as they were read; older ones are read again. */
const READ = 300;

export class Work {
  constructor() {
    this.items = new Map(); // position -> what is known of it
    this.hand = []; // positions that were not shown yet
    this.trail = []; // positions in the order in which they were shown
    this.at = -1;
    this.acts = []; // of this page, not taken back
    this.times = []; // when something was decided
    this.seconds = []; // that cases took
    this.isEnd = false;
  }

  /** The position that is shown; null when there is none. */
  get current() {
    return this.trail[this.at] ?? null;
  }

  get item() {
    return this.items.get(this.current) ?? null;
  }

  /** How many cases to have ahead. */
  want(now) {
    this.times = this.times.filter((time) => now - time < WINDOW_MS);
    return Math.min(MOST, LEAST + Math.ceil(this.times.length * 0.75));
  }

  /** Know an item; one that is known keeps what was done here since. */
  learn(item) {
    const status = item.said ? "done" : "open";
    const known = this.items.get(item.position);
    if (known) {
      known.case ??= item.case;
      return known;
    }
    const found = { ...item, status };
    this.items.set(item.position, found);
    return found;
  }

  take(items) {
    for (const item of items) {
      const known = this.learn(item);
      // What was labelled before came back: an undo elsewhere, or new criteria.
      if (known.status === "open" && !this.hand.includes(item.position) && !this.trail.includes(item.position))
        this.hand.push(item.position);
      else if (known !== item && known.status !== "open" && !item.said && item.position !== this.current)
        this.hand.push(item.position);
    }
  }

  /** Go to an item; the one that is shown comes after it again. */
  visit(position) {
    this.hand = this.hand.filter((one) => one !== position);
    const known = this.trail.lastIndexOf(position);
    if (known >= 0) this.at = known;
    else this.trail.splice((this.at = Math.max(0, this.at)), 0, position);
  }

  /** Go on to the next case that is not decided: on the way first, then of the hand; false where there is none. */
  advance() {
    for (let i = this.at + 1; i < this.trail.length; i++)
      if (this.items.get(this.trail[i]).status === "open") {
        this.at = i;
        return true;
      }
    if (!this.hand.length) {
      this.at = this.trail.length;
      return false;
    }
    this.trail.push(this.hand.shift());
    this.at = this.trail.length - 1;
    const old = this.items.get(this.trail[this.at - READ]);
    if (old) old.case = null;
    return true;
  }

  /** Step through what was shown, and on to what is at hand; false at either end. */
  step(by) {
    const next = this.at + by;
    if (next >= 0 && next < this.trail.length) this.at = next;
    else if (by > 0 && this.hand.length) return this.advance() || true;
    else return false;
    return true;
  }

  /** Note what was done; `changes` says what of each position. */
  did(action, sequence, positions, change) {
    const before = positions.map((position) => {
      const { said, note, status } = this.items.get(position) ?? {};
      return { position, said: said ?? null, note: note ?? null, status: status ?? "open" };
    });
    this.acts.push({ action, sequence, positions, before, said: change.said });
    for (const position of positions)
      this.items.set(position, {
        position,
        case: null,
        said: null,
        note: null,
        ...this.items.get(position),
        ...change,
      });
  }

  /** Take the last act of this page back; undefined when there is none. */
  takeBack() {
    const act = this.acts.pop();
    for (const { position, ...before } of act?.before ?? [])
      this.items.set(position, { ...this.items.get(position), ...before });
    return act;
  }

  /** Forget an act that was refused: it was never done. */
  forget(sequence) {
    const place = this.acts.findIndex((one) => one.sequence === sequence);
    if (place < 0) return;
    const [{ before }] = this.acts.splice(place, 1);
    for (const { position, ...one } of before) this.items.set(position, { ...this.items.get(position), ...one });
  }

  count(status) {
    let sum = 0;
    for (const one of this.items.values()) sum += one.status === status;
    return sum;
  }
}
