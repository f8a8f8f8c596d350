/* Shows the camera and reads the codes before it. The markup is templates/scanner.html; what is read goes to Pass.scanned.

   The picture comes first; the reader loads beside it. It is the browser's own where there is one that works, else zxing in a worker. */
"use strict";

(() => {
  const area = document.querySelector("[data-scanner]");
  if (!area || !navigator.mediaDevices?.getUserMedia) return;

  const LOOK_EVERY_MS = 120;
  const ADVICE_MS = 5000;
  const WIDTH_MAX = 1280;
  const part = (name) => area.querySelector(`[data-scanner-${name}]`);
  const [picture, video, outlines, status, toggle] = ["picture", "video", "outlines", "status", "toggle"].map(part);
  const [torch, zoom, zoomLabel] = ["torch", "zoom", "zoom-label"].map(part);
  const inView = new Pass.InView();
  let stream = null;
  let reading = null; // the reader, once asked for: a promise of a function from the video to its codes
  let lastReadAt = 0;
  let wasAsked = false;

  function say(sentence) {
    if (status.textContent !== sentence) status.textContent = sentence;
  }

  /* The picture as it is read: no wider than it needs to be. */
  function size() {
    const scale = Math.min(1, WIDTH_MAX / video.videoWidth);
    return { scale, width: Math.round(video.videoWidth * scale), height: Math.round(video.videoHeight * scale) };
  }

  /* ---- readers ---- */

  async function ownReader() {
    if (!("BarcodeDetector" in window)) return null;
    const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
    if (!formats.includes("qr_code")) return null;
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    return async () => {
      const found = await detector.detect(video);
      const { scale } = size();
      const scaled = ({ x, y }) => ({ x: x * scale, y: y * scale });
      return found.map(({ rawValue, cornerPoints }) => ({ text: rawValue, corners: cornerPoints.map(scaled) }));
    };
  }

  function bundledReader() {
    return new Promise((resolve, reject) => {
      const worker = new Worker(area.dataset.decoder);
      const asked = new Map();
      let lastId = 0;
      const read = async () => {
        const frame = await frameOf();
        return new Promise((found, failed) => {
          lastId += 1;
          asked.set(lastId, { found, failed });
          worker.postMessage({ picture: frame, id: lastId }, frame instanceof ImageData ? [frame.data.buffer] : [frame]);
        });
      };
      worker.onerror = () => reject(new Error("the reader did not load"));
      worker.onmessage = ({ data }) => {
        if (data.isReady) return resolve(read);
        if (data.id === undefined) return reject(new Error(data.problem));
        const { found, failed } = asked.get(data.id);
        asked.delete(data.id);
        return data.codes ? found(data.codes) : failed(new Error(data.problem));
      };
      worker.postMessage({ start: { script: area.dataset.zxing, wasm: area.dataset.wasm } });
    });
  }

  /* A picture to send: the worker draws it where it can, else it is drawn here. */
  async function frameOf() {
    const { width, height } = size();
    if ("OffscreenCanvas" in window && "createImageBitmap" in window) {
      return createImageBitmap(video, { resizeWidth: width, resizeHeight: height });
    }
    const canvas = (frameOf.canvas ??= document.createElement("canvas"));
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  }

  async function reader() {
    const own = await ownReader().catch(() => null);
    if (!own) return { read: await bundledReader(), isOwn: false };
    return { read: own, isOwn: true };
  }

  async function codesInView() {
    const { read, isOwn } = await reading;
    try {
      return await read();
    } catch (problem) {
      if (!isOwn) return [];
      reading = bundledReader().then((bundled) => ({ read: bundled, isOwn: false }));
      return codesInView();
    }
  }

  /* ---- looking ---- */

  async function look(looked) {
    if (stream !== looked) return;
    if (!document.hidden && video.readyState >= video.HAVE_CURRENT_DATA) {
      try {
        const codes = await codesInView();
        if (stream === looked) saw(codes);
      } catch {
        say("Cet appareil ne lit pas les codes par l’image. Tapez le code, ou prenez une douchette.");
        reading = null;
        return;
      }
    }
    setTimeout(() => look(looked), LOOK_EVERY_MS);
  }

  function saw(codes) {
    const now = performance.now();
    const { width, height } = size();
    const { aimed, isUnsure } = Pass.aim(codes, width, height);
    outline(codes, aimed, width, height);
    const isNew = inView.look(
      codes.map((code) => code.text),
      aimed?.text ?? null,
      now,
    );
    if (codes.length) lastReadAt = now;
    if (isUnsure) say("Plusieurs codes sont visibles. Placez le bon au milieu de l’image.");
    else if (now - lastReadAt > ADVICE_MS) {
      say("Rien n’est lu. Approchez le code, à plat, bien éclairé. Sinon, tapez ses douze caractères.");
    } else say("Montrez le code à la caméra.");
    if (isNew) Pass.scanned(Pass.typed.meant(aimed.text), "camera");
  }

  function outline(codes, aimed, width, height) {
    outlines.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const drawn = codes.map((code) => {
      const shape = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
      shape.setAttribute("points", code.corners.map(({ x, y }) => `${x},${y}`).join(" "));
      if (code === aimed) shape.setAttribute("class", "aimed");
      return shape;
    });
    outlines.replaceChildren(...drawn);
  }

  /* ---- on and off ---- */

  async function start() {
    toggle.disabled = true;
    wasAsked = true;
    say("La caméra s’allume…");
    /* Asked for now, waited for after the picture. */
    reading ??= reader();
    reading.catch(() => {});
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: { facingMode: { ideal: "environment" }, width: { ideal: WIDTH_MAX } },
      });
      const [track] = stream.getVideoTracks();
      track.addEventListener("ended", () => {
        stop();
        say("La caméra s’est coupée. Rallumez-la, ou tapez le code.");
      });
      video.srcObject = stream;
      picture.hidden = false;
      await video.play();
      toggle.textContent = "Éteindre la caméra";
      say("Le lecteur se charge. Vous pouvez déjà taper le code.");
      lastReadAt = performance.now();
      offer(track);
      look(stream);
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

  /* What this camera can do besides: its light, its zoom. */
  function offer(track) {
    const can = track.getCapabilities?.() ?? {};
    torch.hidden = !can.torch;
    torch.setAttribute("aria-pressed", "false");
    zoomLabel.hidden = !can.zoom;
    if (!can.zoom) return;
    zoom.min = can.zoom.min;
    zoom.max = can.zoom.max;
    zoom.step = can.zoom.step || 0.1;
    zoom.value = track.getSettings().zoom ?? can.zoom.min;
  }

  function apply(wish) {
    const [track] = stream?.getVideoTracks() ?? [];
    return track?.applyConstraints({ advanced: [wish] }).catch(() => {});
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    picture.hidden = true;
    torch.hidden = true;
    zoomLabel.hidden = true;
    outlines.replaceChildren();
    video.srcObject = null;
    toggle.textContent = "Allumer la caméra";
    say("La caméra est éteinte.");
  }

  function startWhereAllowed(permission) {
    if (permission.state === "granted" && !stream) start();
  }

  toggle.addEventListener("click", () => (stream ? stop() : start()));
  torch.addEventListener("click", () => {
    const isLit = torch.getAttribute("aria-pressed") !== "true";
    torch.setAttribute("aria-pressed", String(isLit));
    apply({ torch: isLit });
  });
  zoom.addEventListener("input", () => apply({ zoom: Number(zoom.value) }));
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", (event) => event.persisted && wasAsked && start());
  area.hidden = false;
  /* Allowed once, the camera starts by itself; given back, it starts again. */
  navigator.permissions
    ?.query({ name: "camera" })
    .then((permission) => {
      permission.addEventListener("change", () => startWhereAllowed(permission));
      startWhereAllowed(permission);
    })
    .catch(() => {});
})();
