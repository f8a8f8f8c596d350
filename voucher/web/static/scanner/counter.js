/* The counter: what is scanned or typed goes on the tray, the tray is redeemed in one request, the answer fills the screen.

   The id of a request is made here before it leaves, and kept as long as no answer came: sent again, it changes nothing twice. */
"use strict";

(() => {
  const form = document.querySelector("[data-counter]");
  if (!form || !window.fetch || !window.crypto) return;

  const RESULT_MS = 2000;
  const TIMEOUT_MS = 15000;
  const field = form.elements.namedItem("code");
  const service = form.elements.namedItem("service");
  const tray = form.querySelector("[data-tray]");
  const trayTotal = form.querySelector("[data-tray-total]");
  const trayIsEmpty = form.querySelector("[data-tray-empty]");
  const act = form.querySelector("[data-main-act]");
  const network = document.querySelector("[data-network]");
  const result = document.querySelector("[data-result]");
  const lastOne = form.querySelector("[data-last]");
  const voice = document.querySelector("[data-say]");
  const meta = document.querySelector("meta[name=csrf-token]");
  const usesMouse = window.matchMedia("(pointer: fine)").matches;
  let attempt = null; // the request that has no answer yet
  let lastId = null;
  let isBusy = false;
  let closing = 0;

  /* UUIDv7 (RFC 9562): 48 bits of time, then randomness. */
  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const now = Date.now();
    for (let place = 0; place < 6; place += 1) bytes[place] = Math.floor(now / 2 ** (8 * (5 - place))) & 0xff;
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  function euros(cents) {
    const digits = cents % 100 === 0 ? 0 : 2;
    return `${(cents / 100).toLocaleString("fr-FR", { minimumFractionDigits: digits })} €`;
  }

  function vouchers(count) {
    return count < 2 ? `${count} chèque` : `${count} chèques`;
  }

  /* ---- the server ---- */

  function limit() {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), TIMEOUT_MS);
    return controller.signal;
  }

  async function ask(address, body) {
    const send = () =>
      fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": meta.content },
        body: JSON.stringify(body),
        signal: limit(),
      });
    let response = await send();
    if (response.status === 400) {
      /* The page stayed open longer than its token. */
      const fresh = await fetch(form.dataset.token, { headers: { Accept: "application/json" } });
      if (fresh.ok) {
        meta.content = (await fresh.json()).token;
        response = await send();
      }
    }
    if (response.status === 401) {
      window.location.reload();
      return new Promise(() => {});
    }
    const answer = await response.json();
    if (!answer.outcome) throw new Error(answer.title ?? "no answer");
    return answer;
  }

  function tellNetwork() {
    network.hidden = false;
    network.textContent = navigator.onLine
      ? "Réseau : connecté."
      : "Réseau : coupé. Vous pourrez encaisser dès son retour.";
    network.classList.toggle("is-off", !navigator.onLine);
  }

  /* ---- the answer, across the room ---- */

  function sound(isGood) {
    try {
      const audio = (sound.context ??= new AudioContext());
      const gain = audio.createGain();
      gain.gain.value = 0.2;
      gain.connect(audio.destination);
      for (const [rank, pitch] of (isGood ? [660, 880] : [220, 160]).entries()) {
        const tone = audio.createOscillator();
        tone.type = isGood ? "sine" : "square";
        tone.frequency.value = pitch;
        tone.connect(gain);
        tone.start(audio.currentTime + rank * 0.14);
        tone.stop(audio.currentTime + rank * 0.14 + 0.12);
      }
    } catch {
      /* A silent device shows and writes the answer all the same. */
    }
    navigator.vibrate?.(isGood ? 80 : [120, 80, 120]);
  }

  function show(kind, word, text, more, { mayRetry = false } = {}) {
    clearTimeout(closing);
    result.className = `result result-${kind}`;
    for (const shape of result.querySelectorAll("[data-shape]")) shape.toggleAttribute("hidden", shape.dataset.shape !== kind);
    result.querySelector("[data-result-word]").textContent = word;
    result.querySelector("[data-result-text]").textContent = text;
    result.querySelector("[data-result-more]").textContent = more;
    result.querySelector("[data-result-again]").hidden = !mayRetry;
    if (!result.open) result.showModal();
    result.querySelector("[data-result-word]").focus();
    sound(kind === "yes");
    if (kind === "yes") closing = setTimeout(() => result.close(), RESULT_MS);
  }

  result.addEventListener("close", () => {
    if (usesMouse) field.focus();
  });
  result.querySelector("[data-result-close]").addEventListener("click", () => result.close());
  result.querySelector("[data-result-again]").addEventListener("click", () => {
    result.close();
    redeem();
  });

  function refuse(answer) {
    const more = answer.code === "busy" ? "" : "Rien n’a été débité.";
    show("no", "Non", answer.sentence, more);
  }

  /* ---- the tray ---- */

  function lines() {
    return [...tray.children].map((line) => ({
      code: line.querySelector("[name=tray]").value,
      cents: Number(line.querySelector("[name=cents]").value),
    }));
  }

  function tellTray() {
    const laid = lines();
    const total = laid.reduce((sum, line) => sum + line.cents, 0);
    trayIsEmpty.hidden = laid.length > 0;
    trayTotal.textContent = laid.length ? ` : ${vouchers(laid.length)}, ${euros(total)}` : "";
    act.textContent = laid.length ? `Encaisser ${vouchers(laid.length)} — ${euros(total)}` : "Encaisser";
  }

  function hidden(name, value) {
    const input = document.createElement("input");
    input.type = "hidden";
    input.name = name;
    input.value = value;
    return input;
  }

  function lay(code, answer) {
    const labels = [...tray.querySelectorAll("[name=label]")].map((input) => input.value);
    if (labels.includes(answer.label)) {
      voice.textContent = `${answer.label} est déjà posé.`;
      return;
    }
    const line = document.createElement("li");
    const label = document.createElement("span");
    label.textContent = answer.label;
    const value = document.createElement("span");
    value.className = "number";
    value.textContent = answer.face_value;
    const off = document.createElement("button");
    off.type = "button";
    off.className = "button quiet";
    off.textContent = "Retirer";
    off.setAttribute("aria-label", `Retirer le ${answer.label}`);
    off.dataset.off = "";
    line.append(hidden("tray", code), hidden("label", answer.label), hidden("cents", answer.face_value_cents));
    line.append(label, " ", value, off);
    tray.append(line);
    attempt = null;
    tellTray();
    voice.textContent = `${answer.label} posé. ${act.textContent}.`;
    navigator.vibrate?.(40);
  }

  tray.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    event.preventDefault();
    button.closest("li").remove();
    attempt = null;
    tellTray();
    voice.textContent = "Chèque retiré.";
    act.focus();
  });

  /* ---- acts ---- */

  /* Codes that came while another was checked, in their order. */
  const waiting = [];

  async function next() {
    while (waiting.length && !isBusy) await check(waiting.shift(), false);
  }

  async function alone(work) {
    if (isBusy) return;
    isBusy = true;
    act.setAttribute("aria-disabled", "true");
    try {
      await work();
    } catch {
      show(
        "wait",
        "Pas de réponse",
        "Le réseau est coupé ou lent. Vérifiez-le, puis réessayez.",
        attempt ? "Nous ne savons pas si l’encaissement est passé. « Réessayer » ne débite jamais deux fois." : "Rien n’a été débité.",
        { mayRetry: attempt !== null },
      );
    } finally {
      isBusy = false;
      act.removeAttribute("aria-disabled");
      next();
    }
  }

  function check(text, onlyTest) {
    return alone(async () => {
      const code = Pass.typed.meant(text);
      const mistake = Pass.typed.mistakeSentence(code);
      if (mistake) return show("no", "Non", mistake, "Rien n’a été débité.");
      const answer = await ask(form.dataset.check, { code });
      if (answer.outcome === "refused") return refuse(answer);
      field.value = "";
      if (onlyTest) {
        const left = `Il reste ${vouchers(answer.remaining_count)} dans le carnet. Ce test n’a rien changé.`;
        return show("yes", "Valable", answer.sentence, left);
      }
      return lay(code, answer);
    });
  }

  function redeem() {
    return alone(async () => {
      attempt ??= { id: newId(), codes: lines().map((line) => line.code), service: service.value };
      const answer = await ask(form.dataset.redeem, attempt);
      attempt = null;
      if (answer.outcome === "refused") {
        refuse(answer);
        return;
      }
      tray.replaceChildren();
      tellTray();
      lastId = answer.id;
      lastOne.hidden = false;
      lastOne.querySelector("[data-last-text]").textContent = `${answer.sentence} ${answer.remains}`;
      const address = form.dataset.receipt.replace("00000000-0000-0000-0000-000000000000", answer.id);
      lastOne.querySelector("[data-last-receipt]").href = address;
      show("yes", "Encaissé", answer.sentence, answer.remains);
    });
  }

  async function redeemTyped() {
    if (!lines().length && field.value.trim()) await check(field.value, false);
    if (lines().length || !field.value.trim()) await redeem();
  }

  lastOne.querySelector("[data-undo-last]").addEventListener("click", () =>
    alone(async () => {
      const answer = await ask(form.dataset.undo, { id: lastId });
      if (answer.outcome === "refused") {
        show("no", "Non", answer.sentence, "L’encaissement compte toujours.");
        return;
      }
      lastOne.hidden = true;
      show("yes", "Annulé", answer.sentence, "");
    }),
  );

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const action = event.submitter?.value ?? "ajouter";
    if (action === "encaisser") redeemTyped();
    else check(field.value, action === "tester");
  });

  document.addEventListener("scanned", (event) => {
    event.preventDefault();
    waiting.push(event.detail.text);
    voice.textContent = "Code lu.";
    next();
  });

  document.addEventListener("typing", () => result.open && result.close());
  window.addEventListener("online", tellNetwork);
  window.addEventListener("offline", tellNetwork);
  tellNetwork();
  tellTray();
  if (usesMouse) field.focus();
})();
