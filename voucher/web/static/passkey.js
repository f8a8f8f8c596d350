/* Passkeys (WebAuthn): asks our server for a challenge, the device for its answer, and sends both with the form around the button.

   The markup is templates/passkey.html. Without this file, or where a browser knows no passkey, the page says so: its other ways in
   stay as they are. Read by older browsers too: they have no PublicKeyCredential.parseRequestOptionsFromJSON. */
"use strict";

(() => {
  const TIMEOUT_MS = 15000;

  class Refusal extends Error {}

  function bytes(text) {
    const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(plain, (character) => character.charCodeAt(0));
  }

  function text(buffer) {
    const plain = String.fromCharCode(...new Uint8Array(buffer));
    return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  function withBytes(options) {
    const keys = (list) => (list ?? []).map((key) => ({ ...key, id: bytes(key.id) }));
    const read = { ...options, challenge: bytes(options.challenge) };
    if (options.user) read.user = { ...options.user, id: bytes(options.user.id) };
    if (options.excludeCredentials) read.excludeCredentials = keys(options.excludeCredentials);
    if (options.allowCredentials) read.allowCredentials = keys(options.allowCredentials);
    return read;
  }

  function asJson(credential) {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
      if (credential.response[name]) response[name] = text(credential.response[name]);
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response });
  }

  /* What a refusal of ours says, else what our error page would. */
  async function begin(area, form) {
    const body = new URLSearchParams({ csrf_token: form.querySelector("[name$=csrf_token]").value });
    const label = area.querySelector("[name=label]");
    if (label) body.set("label", label.value);
    const response = await fetch(area.dataset.begin, {
      method: "POST",
      headers: { Accept: "application/json" },
      body,
      signal: AbortSignal.timeout?.(TIMEOUT_MS),
    });
    const answer = await response.json();
    if (response.ok) return answer;
    throw new Refusal(answer.refusal ?? `${answer.title} ${answer.detail}`);
  }

  function sentenceFor(problem, area) {
    if (problem instanceof Refusal) return problem.message;
    switch (problem.name) {
      case "NotAllowedError":
        return `Votre appareil n’a pas répondu, ou vous avez annulé. Rien n’a changé. ${area.dataset.otherwise}`;
      case "InvalidStateError":
        return "Cet appareil a déjà une clé d’accès pour votre compte. Utilisez-la, ou prenez un autre appareil.";
      case "ConstraintError":
      case "NotSupportedError":
        return `Cet appareil n’a ni empreinte, ni visage, ni code pour vous reconnaître. ${area.dataset.otherwise}`;
      case "SecurityError":
        return `Les clés d’accès ne servent pas à cette adresse. ${area.dataset.otherwise}`;
      default:
        return "Le service n’a pas répondu. Vérifiez votre connexion, puis recommencez.";
    }
  }

  function prepare(area) {
    const form = area.closest("form");
    const button = area.querySelector("[data-passkey-button]");
    const status = area.querySelector("[data-passkey-status]");
    if (!window.PublicKeyCredential || !navigator.credentials || !window.fetch) return;
    const { party, address } = area.dataset;
    if (location.hostname !== party && !location.hostname.endsWith(`.${party}`)) {
      status.textContent = `Les clés d’accès servent à l’adresse ${address} seulement. ${area.dataset.otherwise}`;
      return;
    }
    status.textContent = "";
    button.hidden = false;
    button.addEventListener("click", async () => {
      if (button.hasAttribute("aria-disabled")) return;
      button.setAttribute("aria-disabled", "true");
      status.textContent = "Regardez votre appareil : il demande votre empreinte, votre visage ou votre code.";
      try {
        const { step, options } = await begin(area, form);
        const publicKey = withBytes(options);
        const credential = options.rp
          ? await navigator.credentials.create({ publicKey })
          : await navigator.credentials.get({ publicKey });
        area.querySelector("[data-passkey-step]").value = step;
        area.querySelector("[data-passkey-answer]").value = asJson(credential);
        status.textContent = "Un instant…";
        form.submit();
      } catch (problem) {
        status.textContent = sentenceFor(problem, area);
        button.removeAttribute("aria-disabled");
      }
    });
  }

  for (const area of document.querySelectorAll("[data-passkey]")) prepare(area);
  /* Coming back by the browser's arrow, the button serves again. */
  window.addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("[data-passkey-button]")) button.removeAttribute("aria-disabled");
  });
})();
