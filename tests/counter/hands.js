/* What a test's page has besides: a browser's own reader that sees what is held before the camera, a network that is slow or loses
   answers, and hands that strike keys. Loaded before the page's scripts. */
"use strict";

window.held = [];
window.heard = [];
window.network = { delay: 0, losesRequest: 0, losesAnswer: 0 };
document.addEventListener("scanned", (event) => window.heard.push(event.detail.text), { capture: true });

window.BarcodeDetector = class {
  static async getSupportedFormats() {
    return ["qr_code"];
  }

  async detect() {
    return window.held.map((rawValue) => ({
      rawValue,
      cornerPoints: [[270, 190], [370, 190], [370, 290], [270, 290]].map(([x, y]) => ({ x, y })),
    }));
  }
};

/* The same dice for the same seed (mulberry32). */
window.dice = (seed) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};
window.throwDice = window.dice(1);

const send = window.fetch.bind(window);
window.fetch = async (address, options) => {
  const { delay, losesRequest, losesAnswer } = window.network;
  const thrown = window.throwDice();
  await new Promise((done) => setTimeout(done, delay * window.throwDice()));
  if (thrown < losesRequest) throw new TypeError("lost on the way");
  const answer = await send(address, options);
  if (thrown < losesRequest + losesAnswer) throw new TypeError("lost on the way back");
  return answer;
};

/* Strike keys on what has the focus, each with its instant; the page breathes now and then. `keys`: [{ key, code, shiftKey }]. */
window.strike = async (keys, gap) => {
  let at = performance.now();
  for (const [rank, key] of keys.entries()) {
    const event = new KeyboardEvent("keydown", { ...key, bubbles: true, cancelable: true });
    Object.defineProperty(event, "timeStamp", { value: at });
    const writes = (document.activeElement ?? document.body).dispatchEvent(event) && key.key.length === 1;
    const field = document.activeElement;
    if (writes && field?.matches("input:not([type=radio])")) field.value += key.key;
    if (!event.defaultPrevented && key.key === "Enter" && field?.matches("#code")) field.form.requestSubmit();
    at += gap;
    if (rank % 40 === 39) await new Promise((done) => setTimeout(done));
  }
};
