/* The reader of QR codes, in a worker: zxing compiled to WebAssembly, so that decoding never holds the page.

   In: { start: { script, wasm } }, then { picture, id } with an ImageBitmap or an ImageData. Out: { isReady }, then { id, codes }. */
"use strict";

const OPTIONS = { formats: ["QRCode"], maxNumberOfSymbols: 8, tryHarder: true };
let canvas = null;

function pixels(picture) {
  if (picture instanceof ImageData) return picture;
  canvas ??= new OffscreenCanvas(1, 1);
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  picture.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

async function start({ script, wasm }) {
  importScripts(script);
  const locateFile = (path, prefix) => (path.endsWith(".wasm") ? wasm : prefix + path);
  await ZXingWASM.prepareZXingModule({ overrides: { locateFile }, fireImmediately: true });
  postMessage({ isReady: true });
}

async function read({ picture, id }) {
  const found = await ZXingWASM.readBarcodes(pixels(picture), OPTIONS);
  const codes = found
    .filter((one) => one.isValid !== false && one.text)
    .map(({ text, position: at }) => ({ text, corners: [at.topLeft, at.topRight, at.bottomRight, at.bottomLeft] }));
  postMessage({ id, codes });
}

onmessage = ({ data }) => {
  const work = data.start ? start(data.start) : read(data);
  work.catch((problem) => postMessage({ id: data.id, problem: String(problem) }));
};
