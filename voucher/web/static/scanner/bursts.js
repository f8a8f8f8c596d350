/* Tells a scanner from a person by the speed of its keys. No page, no clock: each key brings its instant. */
"use strict";

globalThis.Pass ??= {};

Pass.Bursts = class {
  static GAP_MS = 50; // between two keys of a scanner; nobody types so fast six times in a row
  static LEAST = 6;
  static SILENCE_MS = 700; // after which a scanner has done, whatever it wrote: a radio link may stutter
  static WHOLE_MS = 60; // the same, once what it wrote is a whole code
  static TAIL_MS = 600; // in which a late Enter, or a second one, still belongs to the scanner

  #run = [];
  #lastAt = -Infinity;
  #endedAt = -Infinity;
  #isWhole;

  /* `isWhole` says of the keys of a burst whether they hold a whole code. */
  constructor(isWhole) {
    this.#isWhole = isWhole;
  }

  /* Whether what came so far is a scanner's. */
  get isScan() {
    return this.#run.length >= Pass.Bursts.LEAST;
  }

  /* One key that writes: { character, code, isShifted, at }. Returns what the page must know: `ended`: the keys of a burst that was
     over before this one, or null; `isFirst`: a new run begins; `isScan`: it is a scanner's. */
  write(key) {
    const isFirst = !this.#run.length || this.#isOver(key.at);
    const ended = isFirst ? this.#end(this.#lastAt) : null;
    this.#run.push(key);
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
    if (!this.isScan || gap > Pass.Bursts.SILENCE_MS) return true;
    return gap > Pass.Bursts.WHOLE_MS && this.#isWhole(this.#run);
  }

  #end(at) {
    const ended = this.isScan ? this.#run : null;
    if (ended) this.#endedAt = at;
    this.#run = [];
    return ended;
  }
};
