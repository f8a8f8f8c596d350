/* Asks the server, and says in words how the network is, from the last request alone. */
"use strict";

globalThis.Pass ??= {};

Pass.Server = class {
  static TIMEOUT_MS = 10_000;
  static SLOW_MS = 3000;

  #form;
  #meta = document.querySelector("meta[name=csrf-token]");
  #network = document.querySelector("[data-network]");
  #isSilent = false;

  constructor(form) {
    this.#form = form;
    this.#tell("Réseau : bon.", false); // the page has just come
  }

  /* Return the answer. Throws one of: "silent" (no answer came), "signed_out", "forbidden", "broken" (the server did not understand). */
  async ask(address, body) {
    let response = await this.#send(address, body);
    if (response.status === 400) {
      /* The page stayed open longer than its token. */
      const fresh = await this.#fetch(this.#form.dataset.token, {});
      if (fresh.ok) this.#meta.content = (await fresh.json()).token;
      if (fresh.ok || fresh.status === 401) response = fresh.ok ? await this.#send(address, body) : fresh;
    }
    if (response.status === 401) throw new Error("signed_out");
    if (response.status === 403) throw new Error("forbidden");
    const answer = await response.json().catch(() => ({}));
    if (answer.outcome) return answer;
    if (response.status >= 500 || response.ok) this.#tell("Réseau : le service ne répond pas.", true);
    throw new Error(response.status >= 500 || response.ok ? "silent" : "broken");
  }

  #send(address, body) {
    return this.#fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": this.#meta.content },
      body: JSON.stringify(body),
    });
  }

  async #fetch(address, { headers, ...options }) {
    const limit = new AbortController();
    const clock = setTimeout(() => limit.abort(), Pass.Server.TIMEOUT_MS);
    const began = performance.now();
    try {
      const accepted = { Accept: "application/json", ...headers };
      const response = await fetch(address, { ...options, headers: accepted, signal: limit.signal });
      const seconds = Math.round((performance.now() - began) / 1000);
      if (performance.now() - began < Pass.Server.SLOW_MS) this.#tell("Réseau : bon.", false);
      else this.#tell(`Réseau : lent (${seconds} s).`, false);
      return response;
    } catch {
      const hour = new Date().toLocaleTimeString("fr-FR", { hour: "numeric", minute: "2-digit" }).replace(":", " h ");
      if (!this.#isSilent) this.#tell(`Réseau : pas de réponse depuis ${hour}.`, true);
      throw new Error("silent");
    } finally {
      clearTimeout(clock);
    }
  }

  #tell(words, isSilent) {
    this.#isSilent = isSilent;
    this.#network.hidden = false;
    if (this.#network.textContent !== words) this.#network.textContent = words;
    this.#network.classList.toggle("is-off", isSilent);
  }
};
