/* Tells a scanner from a person by the speed of its keys. No page, no clock: each key brings its instant. */
"use strict";

globalThis.Pass ??= {};

Pass.Bursts = class {
  static GAP_MS = 50; // between two keys of a scanner; nobody types so fast six times in a row
  static LEAST = 6;
  static RUN_MS = 400; // keys that follow each other so are one run: a scanner may stumble over its first ones
  static SILENCE_MS = 700; // after which a scanner has done, whatever it wrote: a radio link may stutter
  static WHOLE_MS = 60; // the same, once what it wrote is a whole code
  static TAIL_MS = 600; // in which a late Enter, or a second one, still belongs to the scanner

  #run = [];
  #fastFrom = 0; // where in the run the keys that follow each other without a gap begin
  #isScan = false;
  #lastAt = -Infinity;
  #endedAt = -Infinity;
  #isWhole;

  /* `isWhole` says of the keys of a burst whether they hold a whole code. */
  constructor(isWhole) {
    this.#isWhole = isWhole;
  }

  /* Whether what came so far is a scanner's. */
  get isScan() {
    return this.#isScan;
  }

  /* One key that writes: { character, code, isShifted, at }. Returns what the page must know: `ended`: the keys of a burst that was
     over before this one, or null; `isFirst`: a new run begins; `isScan`: it is a scanner's. */
  write(key) {
    const isFirst = !this.#run.length || this.#isOver(key.at);
    const ended = isFirst ? this.#end(this.#lastAt) : null;
    if (key.at - this.#lastAt > Pass.Bursts.GAP_MS) this.#fastFrom = this.#run.length;
    this.#run.push(key);
    this.#isScan ||= this.#run.length - this.#fastFrom >= Pass.Bursts.LEAST;
    this.#lastAt = key.at;
    this.#endedAt = -Infinity; // the Enter that follows belongs to what is written now
    return { ended, isFirst, isScan: this.isScan };
  }

  /* Enter or Tab: `ended` as above; `isScanners`: it is no press of a person. */
  finish(at) {
    const since = this.isScan ? this.#lastAt : this.#endedAt;
    const isScanners = at - since <= Pass.Bursts.TAIL_MS;
    return { ended: this.#end(at), isScanners };
  }

  /* Nothing came for a while: return the keys of the burst that is over, or null. */
  silence(at) {
    return this.isScan && this.#isOver(at) ? this.#end(this.#lastAt) : null;
  }

  #isOver(at) {
    const gap = at - this.#lastAt;
    if (gap <= Pass.Bursts.GAP_MS) return false;
    if (gap > (this.isScan ? Pass.Bursts.SILENCE_MS : Pass.Bursts.RUN_MS)) return true;
    if (!this.isScan) return false;
    return gap > Pass.Bursts.WHOLE_MS && this.#isWhole(this.#run);
  }

  #end(at) {
    const ended = this.isScan ? this.#ofScanner() : null;
    if (ended) this.#endedAt = at;
    this.#run = [];
    this.#fastFrom = 0;
    this.#isScan = false;
    return ended;
  }

  /* The whole run; but what a person typed just before a whole code is not part of it. */
  #ofScanner() {
    const fast = this.#run.slice(this.#fastFrom);
    return !this.#isWhole(this.#run) && this.#isWhole(fast) ? fast : this.#run;
  }
};
