/* Draws what lies on the counter, and says in words what became of a code or of an act. */
"use strict";

globalThis.Pass ??= {};

Pass.drawTray = (form, acts) => {
  const part = (name) => document.querySelector(`[data-${name}]`);
  const tray = part("tray");
  const act = part("main-act");

  function euros(cents) {
    const digits = cents % 100 === 0 ? 0 : 2;
    return `${(cents / 100).toLocaleString("fr-FR", { minimumFractionDigits: digits })}\u00a0€`;
  }

  function vouchers(count) {
    return count < 2 ? `${count}\u00a0chèque` : `${count}\u00a0chèques`;
  }

  function element(name, words, attributes = {}) {
    const made = document.createElement(name);
    made.textContent = words;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function button(words, label, press) {
    const made = element("button", words, { type: "button", class: "button quiet", "aria-label": label });
    made.addEventListener("click", press);
    return made;
  }

  function lineOf(code, answer) {
    const { booklet, face_value_cents: value } = answer;
    const common = { code, booklet, value, cents: value };
    if (answer.outcome === "usable") return { ...common, label: answer.label, serials: [answer.serial] };
    if (answer.outcome !== "cover") return null;
    return { ...common, label: `Carnet ${booklet}`, ranks: answer.ranks, first_serial: answer.first_serial, serials: [] };
  }

  function drawn(line) {
    const item = element("li", "");
    const name = element("span", line.label);
    if (!line.ranks) name.append(element("span", ` carnet ${line.booklet}`, { class: "small soft" }));
    item.append(name, element("span", euros(line.cents), { class: "number" }));
    if (line.ranks) {
      const count = element("span", "", { class: "tray-count", role: "group", "aria-label": `Combien de chèques du carnet ${line.booklet}` });
      count.append(
        button("−", "Un chèque de moins", () => acts.fewer(line.label)),
        element("strong", vouchers(line.serials.length)),
        button("+", "Un chèque de plus", () => acts.more(line.label)),
      );
      item.append(count);
    }
    item.append(button("Retirer", `Retirer : ${line.label}`, () => acts.off(line.label)));
    for (const [key, value] of [["label", line.label], ["cents", line.cents]]) {
      item.append(element("input", "", { type: "hidden", name: key, value }));
    }
    return item;
  }

  function draw(desk) {
    const booklets = Pass.desk.booklets(desk);
    const had = [...tray.querySelectorAll("button")].indexOf(document.activeElement);
    tray.replaceChildren(...booklets.flatMap(({ lines }) => lines.map(drawn)));
    if (had >= 0) tray.querySelectorAll("button")[had]?.focus();
    const [count, cents] = ["count", "cents"].map((name) => booklets.reduce((sum, one) => sum + one[name], 0));
    part("tray-empty").hidden = count > 0;
    part("tray-total").textContent = count ? ` : ${vouchers(count)}, ${euros(cents)}` : "";
    const waits = desk.queue.length;
    part("queue").hidden = !waits;
    part("queue").textContent = waits > 1 ? `${waits} codes lus attendent leur tour…` : "Un code lu attend sa réponse…";
    drawSeveral(booklets);
    drawAct(desk, booklets);
    drawLast(desk.last);
  }

  function drawSeveral(booklets) {
    part("several").hidden = booklets.length < 2;
    if (booklets.length > 1) {
      const [first] = booklets;
      part("several").textContent = `Des chèques de ${booklets.length} carnets sont posés. Le carnet ${first.booklet} part d’abord, seul. Sinon, retirez ceux qui ne vont pas.`;
    }
  }

  function drawAct(desk, booklets) {
    const [first] = booklets;
    const name = booklets.length > 1 ? `Encaisser le carnet ${first.booklet} : ` : "Encaisser ";
    act.textContent = first ? `${name}${vouchers(first.count)} — ${euros(first.cents)}` : "Encaisser";
    if (desk.attempt) act.textContent = "En attente de réponse…";
    act.setAttribute("aria-disabled", String(Boolean(desk.attempt)));
  }

  function drawLast(last) {
    const mayUndo = Boolean(last) && Date.parse(last.undo_until) > Date.now();
    part("last").hidden = !mayUndo;
    if (!mayUndo) return;
    part("last-text").textContent = `Dernier : ${last.sentence} Annulable jusqu’à ${last.undo_hour}.`;
    part("last-receipt").href = form.dataset.receipt.replace("00000000-0000-0000-0000-000000000000", last.id);
  }

  /* A service chosen among the folded ones is said where they are folded. */
  function showService(radio) {
    const folded = part("other-services");
    const isFolded = folded.contains(radio);
    const had = folded.contains(document.activeElement);
    folded.querySelector("summary").textContent = isFolded ? `Service : ${radio.parentElement.textContent.trim()}` : "Un autre service";
    folded.open = false;
    if (had) folded.querySelector("summary").focus();
  }

  /* What is said of an act that has no answer yet. */
  function sentenceOf(attempt, placeName, place) {
    const hour = new Date(attempt.at).toLocaleTimeString("fr-FR", { hour: "numeric", minute: "2-digit" }).replace(":", " h ");
    const what = attempt.act === "undo" ? "L’annulation" : `L’encaissement de ${vouchers(attempt.count)}, ${euros(attempt.cents)},`;
    const where = attempt.place === place ? "" : ` pour ${attempt.placeName}`;
    return `${what}${where} demandé à ${hour} n’a pas encore sa réponse. Il repart tout seul : ne le refaites pas.`;
  }

  /* What became of an act. What was done without our hearing of it is done all the same, at its hour. */
  function tell(attempt, answer, isLate) {
    part("say").textContent = "";
    window.scrollTo(0, 0);
    if (answer.outcome === "redeemed") {
      const word = isLate ? `C’est fait, à ${answer.hour}` : "Confirmé";
      return Pass.result.show("yes", word, answer.sentence, answer.remains, { undo: true });
    }
    if (answer.outcome === "undone") return Pass.result.show("undone", "Annulé", answer.sentence);
    const money = attempt.act === "undo" ? "L’encaissement compte toujours." : "Rien n’a été débité.";
    return Pass.result.show("no", "Non", answer.sentence, answer.code === "busy" ? "" : money);
  }

  function tellCheck(answer, line, { isTest, isNew }) {
    if (answer.outcome === "refused") return Pass.result.show("no", "Non", answer.sentence, "Rien n’a été débité.");
    if (isTest) {
      const left = answer.outcome === "usable" ? `Il reste ${vouchers(answer.remaining_count)} dans le carnet. ` : "";
      return Pass.result.show("valid", "Valable", answer.sentence, `${left}Ce test n’a rien changé.`);
    }
    navigator.vibrate?.(40);
    part("say").textContent = isNew ? `${line.label} posé.` : `${line.label} est déjà posé.`;
    return null;
  }

  return { draw, lineOf, showService, sentenceOf, tell, tellCheck };
};
