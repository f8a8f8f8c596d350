/* Reads QR codes with the camera, for the counter and for hand-over. The markup is templates/scanner.html.

   A code that is read is first told to the page by the event `scanned` (detail.text). Unless a script stops it, the text goes
   into the field named `code` of the same form, and the form is sent. */
"use strict";

(() => {
  const area = document.querySelector("[data-scanner]");
  if (!area || !navigator.mediaDevices?.getUserMedia) return;

  const LOOK_EVERY_MS = 120;
  const SAME_CODE_MS = 3000;
  const WIDTH_MAX = 1280;
  const video = area.querySelector("[data-scanner-video]");
  const status = area.querySelector("[data-scanner-status]");
  const toggle = area.querySelector("[data-scanner-toggle]");
  const canvas = document.createElement("canvas");
  let stream = null;
  let read = null;
  let last = { text: "", at: 0 };
  let isPaused = false;

  function say(sentence) {
    status.textContent = sentence;
  }

  /* The browser's own reader where it knows QR codes, else zxing compiled to WebAssembly, from our own server. */
  async function reader() {
    if ("BarcodeDetector" in window) {
      const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
      if (formats.includes("qr_code")) {
        const detector = new BarcodeDetector({ formats: ["qr_code"] });
        return async (source) => (await detector.detect(source))[0]?.rawValue ?? "";
      }
    }
    await load(area.dataset.zxing);
    const locateFile = (path, prefix) => (path.endsWith(".wasm") ? area.dataset.wasm : prefix + path);
    await ZXingWASM.prepareZXingModule({ overrides: { locateFile }, fireImmediately: true });
    const options = { formats: ["QRCode"], maxNumberOfSymbols: 1, tryHarder: true };
    return async (source) => {
      const context = canvas.getContext("2d", { willReadFrequently: true });
      const scale = Math.min(1, WIDTH_MAX / source.videoWidth);
      canvas.width = Math.round(source.videoWidth * scale);
      canvas.height = Math.round(source.videoHeight * scale);
      context.drawImage(source, 0, 0, canvas.width, canvas.height);
      const image = context.getImageData(0, 0, canvas.width, canvas.height);
      return (await ZXingWASM.readBarcodes(image, options))[0]?.text ?? "";
    };
  }

  function load(address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.onload = resolve;
      script.onerror = () => reject(new Error("the reader did not load"));
      document.head.append(script);
    });
  }

  async function look() {
    if (!stream) return;
    if (!isPaused && !document.hidden && video.readyState >= video.HAVE_CURRENT_DATA) {
      const text = await read(video).catch(() => "");
      if (text && stream && !isPaused) found(text);
    }
    setTimeout(look, LOOK_EVERY_MS);
  }

  function found(text) {
    const now = Date.now();
    if (text === last.text && now - last.at < SAME_CODE_MS) {
      last.at = now;
      return;
    }
    last = { text, at: now };
    const event = new CustomEvent("scanned", { detail: { text }, bubbles: true, cancelable: true });
    if (!area.dispatchEvent(event)) return;
    const form = area.closest("form") ?? document.querySelector("form:has([name=code])");
    form.elements.namedItem("code").value = text;
    stop();
    form.requestSubmit();
  }

  async function start() {
    toggle.disabled = true;
    say("La caméra s’allume…");
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: "environment" }, width: { ideal: WIDTH_MAX } },
      });
      read ??= await reader();
      video.srcObject = stream;
      video.hidden = false;
      await video.play();
      toggle.textContent = "Éteindre la caméra";
      say("Montrez le code à la caméra.");
      look();
    } catch (problem) {
      stop();
      say(
        problem.name === "NotAllowedError"
          ? "La caméra n’est pas autorisée. Autorisez-la dans le navigateur, ou tapez le code."
          : "La caméra ne répond pas. Tapez le code, ou rechargez la page.",
      );
    }
    toggle.disabled = false;
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.hidden = true;
    video.srcObject = null;
    toggle.textContent = "Allumer la caméra";
    say("La caméra est éteinte.");
  }

  toggle.addEventListener("click", () => (stream ? stop() : start()));
  area.addEventListener("scanner:pause", () => (isPaused = true));
  area.addEventListener("scanner:resume", () => (isPaused = false));
  window.addEventListener("pagehide", stop);
  area.hidden = false;
  /* Allowed once, the camera starts by itself. */
  navigator.permissions
    ?.query({ name: "camera" })
    .then((permission) => permission.state === "granted" && start())
    .catch(() => {});
})();
