/* The counter: what is scanned or typed is checked in its turn and laid on the tray, the tray is redeemed in one request.

   All that lies there is stored before anything is sent (store.js); what it becomes is decided in desk.js. An act without an answer goes
   again by itself, the same, and nothing else is sent before it is settled: done twice, it changes nothing twice. */
"use strict";

(() => {
  const form = document.querySelector("[data-counter]");
  if (!form || !window.fetch || !window.crypto || !Pass.result) return;

  const { place, placeName, person } = form.dataset;
  const part = (name) => document.querySelector(`[data-${name}]`);
  const field = form.elements.namedItem("code");
  const act = part("main-act");
  const tab = newId();
  const server = new Pass.Server(form);
  const drawing = Pass.drawTray(form, { off: remove, more: (label) => count(label, 1), fewer: (label) => count(label, -1) });
  const store = new Pass.Store(Pass.desk.empty(person), heard);
  const toldWaiting = new Set();
  let desk = Pass.desk.empty(person);
  let working = null;
  let again = 0;
  let isStopped = false; // signed out, or no longer allowed: nothing is sent until the page is opened anew

  /* UUIDv7 (RFC 9562): 48 bits of time, then randomness. */
  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const now = Date.now();
    for (let at = 0; at < 6; at += 1) bytes[at] = Math.floor(now / 2 ** (8 * (5 - at))) & 0xff;
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  function say(words) {
    part("say").textContent = words;
  }

  async function change(step) {
    desk = await store.change(step);
    draw();
  }

  function draw() {
    drawing.draw(desk);
    part("unkept").hidden = store.isKept;
    part("waiting").hidden = !desk.attempt;
    if (desk.attempt) part("waiting-text").textContent = drawing.sentenceOf(desk.attempt, placeName, place);
  }

  /* ---- one thing after the other ---- */

  function work() {
    clearTimeout(again);
    working ??= run().finally(() => (working = null));
    return working;
  }

  async function run() {
    while (!isStopped && (await store.alone(turn)));
  }

  /* Settle the act without an answer, else check the code that came first. Returns whether to go on. */
  async function turn() {
    desk = await store.look();
    if (desk.attempt) return settle(desk.attempt);
    const scan = desk.queue.find((one) => one.tab === tab);
    return scan ? check(scan) : false;
  }

  async function settle(attempt) {
    /* Another person's request cannot be sent again; what it was answered can be asked. */
    const isAnothers = attempt.act === "redeem" && attempt.person !== person;
    const address = isAnothers ? form.dataset.answer : form.dataset[attempt.act];
    const body = isAnothers ? { place: attempt.place, id: attempt.id } : attempt.body;
    const isLate = desk.tries > 0 || attempt.tab !== tab;
    const answer = await answerTo(address, body);
    if (!answer) {
      if (!isStopped && !toldWaiting.has(attempt.id)) {
        toldWaiting.add(attempt.id);
        Pass.result.show("wait", "En attente de réponse", "Le réseau ne répond pas. Votre demande repart toute seule.", "Ne la refaites pas.");
      }
      return false;
    }
    await change((now) => Pass.desk.belongTo(Pass.desk.settle(now, attempt.id, answer), person));
    drawing.tell(attempt, answer, isLate);
    return true;
  }

  async function check({ id, text, isTest }) {
    const mistake = Pass.typed.mistakeSentence(text);
    const answer = mistake ? { outcome: "refused", sentence: mistake } : await answerTo(form.dataset.check, { place, code: text });
    if (!answer) return false;
    const line = isTest ? null : drawing.lineOf(text, answer);
    const before = desk.tray.length;
    await change((now) => {
      const answered = Pass.desk.answered(now, id);
      return line ? Pass.desk.lay(answered, line) : answered;
    });
    drawing.tellCheck(answer, line, { isTest, isNew: desk.tray.length > before });
    return true;
  }

  /* Return the answer, or null: none came, and it is asked again later, or the page may ask no more. */
  async function answerTo(address, body) {
    try {
      return await server.ask(address, body);
    } catch (problem) {
      if (problem.message === "broken") {
        return { outcome: "refused", code: "broken", sentence: "La demande n’a pas été comprise. Rechargez la page, puis recommencez." };
      }
      isStopped = ["signed_out", "forbidden"].includes(problem.message);
      if (isStopped) part(problem.message.replace("_", "-")).hidden = false;
      else {
        await change(Pass.desk.missed);
        again = setTimeout(work, Pass.desk.delay(desk.tries, Math.random()));
      }
      return null;
    }
  }

  /* ---- acts ---- */

  function take(text, isTest = false) {
    say("Code lu.");
    Pass.result.close();
    navigator.vibrate?.(30);
    return change((now) => Pass.desk.take(now, { id: newId(), tab, person, text, isTest })).then(work);
  }

  function remove(label) {
    say("Chèque retiré.");
    act.focus();
    return change((now) => Pass.desk.remove(now, label));
  }

  function count(label, by) {
    return change((now) => Pass.desk.count(now, label, by)).then(() => say(act.textContent));
  }

  function takeTyped(isTest) {
    const text = Pass.typed.meant(field.value);
    if (!text) {
      say("Scannez un chèque, ou tapez son code.");
      field.focus();
      return Promise.resolve();
    }
    field.value = "";
    return take(text, isTest);
  }

  async function redeem() {
    if (desk.attempt) {
      say("Une demande attend déjà sa réponse.");
      return work();
    }
    if (field.value.trim()) {
      const before = desk.tray.length;
      await takeTyped(false);
      if (desk.tray.length === before) return null;
    }
    const [booklet] = Pass.desk.booklets(desk);
    if (!booklet) return takeTyped(false);
    const service = form.elements.namedItem("service").value;
    part("service-missing").hidden = Boolean(service);
    if (!service) {
      Pass.result.sound("no");
      part("other-services").open ||= !form.querySelector("[name=service]").checkVisibility?.();
      form.querySelector("[name=service]").focus();
      return null;
    }
    say("Envoyé. Attendez la réponse.");
    const { lines, cents } = booklet;
    const codes = lines.map(Pass.desk.laid);
    const id = newId();
    const of = { id, act: "redeem", tab, place, placeName, person, count: booklet.count, cents, at: Date.now() };
    const attempt = { ...of, labels: lines.map((line) => line.label), body: { id, place, codes, service } };
    await change((now) => Pass.desk.begin({ ...now, service }, attempt));
    return work();
  }

  async function undo() {
    const { last } = desk;
    if (!last || desk.attempt) return work();
    say("Annulation envoyée. Attendez la réponse.");
    Pass.result.close();
    const attempt = { id: newId(), act: "undo", tab, place: last.place, placeName, person, labels: [], at: Date.now() };
    await change((now) => Pass.desk.begin(now, { ...attempt, body: { id: last.id, place: last.place } }));
    return work();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const action = event.submitter?.value ?? "ajouter";
    if (action === "encaisser") redeem();
    else takeTyped(action === "tester");
  });
  form.addEventListener("change", ({ target }) => {
    if (target.name !== "service") return;
    part("service-missing").hidden = true;
    drawing.showService(target);
    change((now) => ({ ...now, service: target.value }));
  });
  document.addEventListener("scanned", (event) => {
    event.preventDefault();
    take(event.detail.text);
  });
  for (const button of [part("undo-last"), Pass.result.undoButton]) button.addEventListener("click", undo);
  part("waiting-again").addEventListener("click", () => {
    say("Demande renvoyée.");
    work();
  });

  /* ---- other tabs, other times ---- */

  async function heard(message) {
    if (message.kind === "changed") {
      desk = await store.look();
      draw();
      return;
    }
    const isElsewhere = message.place !== place;
    part("tabs").hidden = !isElsewhere;
    if (isElsewhere) part("tabs-text").textContent = `Un autre onglet est ouvert pour ${message.placeName}. Ici, vous encaissez pour ${placeName}.`;
    if (message.kind === "who") store.tell({ kind: "here", place, placeName });
  }

  /* The codes of tabs that are gone are this one's now. */
  async function adopt() {
    const alive = new Set();
    if (navigator.locks) {
      navigator.locks.request(tab, () => new Promise(() => {}));
      const { held } = await navigator.locks.query();
      for (const lock of held) alive.add(lock.name);
    }
    await change((now) => ({ ...now, queue: now.queue.map((scan) => (alive.has(scan.tab) ? scan : { ...scan, tab })) }));
  }

  async function wakeUp() {
    if (document.hidden) return;
    desk = await store.look();
    draw();
    work();
  }

  async function open() {
    desk = await store.look();
    if (desk.person !== person && !desk.attempt) {
      if (desk.tray.length || desk.queue.length) say("Le plateau d’une autre personne a été vidé. Rien n’a été débité.");
      await change((now) => Pass.desk.belongTo(now, person));
    }
    await adopt();
    const chosen = form.querySelector(`[name=service][value="${desk.service}"]`);
    if (chosen) {
      chosen.checked = true;
      drawing.showService(chosen);
    }
    store.tell({ kind: "who", place, placeName });
    await work();
  }

  window.addEventListener("online", work);
  window.addEventListener("pageshow", (event) => event.persisted && wakeUp());
  document.addEventListener("visibilitychange", wakeUp);
  window.addEventListener("beforeunload", (event) => {
    if (!store.isKept && (desk.attempt || desk.queue.length)) event.preventDefault();
  });
  open();
})();
