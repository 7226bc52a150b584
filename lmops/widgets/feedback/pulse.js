// Whether the kernel still answers somebody who is at work: it is asked now and then, with one question at a time.

const EVERY_MS = 500;
/** So long an answer may take; with the time between two questions silence is seen within a second. */
const PATIENCE_MS = 450;
/** Who has touched nothing for so long is not at work. */
const AT_WORK_MS = 20_000;

export class Pulse {
  /** `host`: {ask(): resolves when there is an answer, touched(): when somebody did something, onBeat(isAnswered)} */
  constructor(host) {
    this.host = host;
    this.timer = setInterval(() => this.beat(), EVERY_MS);
  }

  async beat(now = Date.now()) {
    if (this.isAsking || document.hidden || now - this.host.touched() > AT_WORK_MS) return;
    this.isAsking = true;
    const late = setTimeout(() => this.host.onBeat(false), PATIENCE_MS);
    const answer = await this.host.ask();
    clearTimeout(late);
    this.isAsking = false;
    if (answer && !this.isClosed) this.host.onBeat(true);
  }

  close() {
    this.isClosed = true;
    clearInterval(this.timer);
  }
}
