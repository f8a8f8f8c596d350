/* What the camera has in view: which code is aimed at, and which were told already. No camera, no clock. */
"use strict";

globalThis.Pass ??= {};

/* `codes`: [{ text, corners: [{ x, y } × 4] }] in a picture of width × height. One alone is taken wherever it is; of several,
   the one that holds the middle, else the nearest to it within a quarter of the picture; else none: { aimed, isUnsure }. */
Pass.aim = (codes, width, height) => {
  if (codes.length < 2) return { aimed: codes[0] ?? null, isUnsure: false };
  const middle = { x: width / 2, y: height / 2 };
  const distance = ({ corners }) => {
    const x = corners.reduce((sum, corner) => sum + corner.x, 0) / corners.length;
    const y = corners.reduce((sum, corner) => sum + corner.y, 0) / corners.length;
    return Math.hypot(x - middle.x, y - middle.y);
  };
  const holds = ({ corners }) => {
    let isInside = false;
    for (const [rank, one] of corners.entries()) {
      const other = corners[(rank + 1) % corners.length];
      const crosses = one.y > middle.y !== other.y > middle.y;
      if (crosses && middle.x < ((other.x - one.x) * (middle.y - one.y)) / (other.y - one.y) + one.x) isInside = !isInside;
    }
    return isInside;
  };
  const nearest = [...codes].sort((one, other) => distance(one) - distance(other))[0];
  const aimed = codes.find(holds) ?? (distance(nearest) <= Math.min(width, height) / 4 ? nearest : null);
  return { aimed, isUnsure: aimed === null };
};

/* A code is told when it comes into view, and again only once it has left it: for a while, and for several looks, since a
   slow device looks seldom and a hand trembles. */
Pass.InView = class {
  static GONE_MS = 1500;
  static GONE_LOOKS = 3;

  #told = new Map();

  /* One look: the texts in view and the one aimed at. Returns whether that one is to be told. */
  look(texts, aimed, at) {
    for (const [text, seen] of this.#told) {
      if (texts.includes(text)) {
        seen.at = at;
        seen.missed = 0;
        continue;
      }
      seen.missed += 1;
      if (seen.missed >= Pass.InView.GONE_LOOKS && at - seen.at >= Pass.InView.GONE_MS) this.#told.delete(text);
    }
    if (aimed === null || this.#told.has(aimed)) return false;
    this.#told.set(aimed, { at, missed: 0 });
    return true;
  }
};
