/* What lies on a counter: the codes that wait for a check, the tray, the act without an answer, the last redemption. Each function
   takes what was and gives what is; nothing here sends, draws or stores. */
"use strict";

globalThis.Pass ??= {};

Pass.desk = (() => {
  const FIRST_DELAY_MS = 1000;
  const DELAY_MS_MAX = 60_000;

  function empty(person) {
    return { person, queue: [], tray: [], attempt: null, last: null, service: "", tries: 0 };
  }

  /* Another person stands here now: what the first one left is not theirs, but the codes they read themselves. */
  function belongTo(desk, person) {
    if (desk.person === person) return desk;
    return { ...empty(person), queue: desk.queue.filter((scan) => scan.person === person) };
  }

  /* A code was read: it waits for its check. `scan`: { id, tab, person, text, isTest }. */
  function take(desk, scan) {
    return { ...desk, queue: [...desk.queue, scan] };
  }

  /* A code has its answer; the next one may have its turn. */
  function answered(desk, scanId) {
    return { ...desk, tries: 0, queue: desk.queue.filter((scan) => scan.id !== scanId) };
  }

  /* Lay a line on the tray: { code, serials, label, booklet, value, cents }, unless one of its vouchers lies there. A cover's line
     has besides `first_serial` and the `ranks` that could be redeemed: it lays one voucher, and the mediator says how many. */
  function lay(desk, line) {
    const free = freeSerials(desk, line);
    if (!free.length || desk.tray.some((one) => one.label === line.label)) return desk;
    return { ...desk, tray: [...desk.tray, of(line, free.slice(0, 1))] };
  }

  function of(line, serials) {
    return { ...line, serials, cents: serials.length * line.value };
  }

  function freeSerials(desk, line) {
    const lies = new Set(desk.tray.filter((one) => one.label !== line.label).flatMap((one) => one.serials));
    const serials = line.ranks ? line.ranks.map((rank) => line.first_serial + rank - 1) : line.serials;
    return serials.filter((serial) => !lies.has(serial));
  }

  /* Say how many vouchers of a cover are laid: one more, or one fewer; never none, nor more than there are. */
  function count(desk, label, change) {
    const tray = desk.tray.map((line) => {
      if (line.label !== label) return line;
      const free = freeSerials(desk, line);
      return of(line, free.slice(0, Math.max(1, Math.min(free.length, line.serials.length + change))));
    });
    return { ...desk, tray };
  }

  /* What the server takes for a line: the code of a voucher, or the ranks of a booklet by its cover. */
  function laid(line) {
    if (!line.ranks) return line.code;
    return { cover: line.code, ranks: line.serials.map((serial) => serial - line.first_serial + 1) };
  }

  function remove(desk, label) {
    return { ...desk, tray: desk.tray.filter((line) => line.label !== label) };
  }

  /* The lines of each booklet, in the order they were laid. */
  function booklets(desk) {
    const found = new Map();
    for (const line of desk.tray) found.set(line.booklet, [...(found.get(line.booklet) ?? []), line]);
    return [...found.entries()].map(([booklet, lines]) => ({
      booklet,
      lines,
      count: lines.reduce((sum, line) => sum + line.serials.length, 0),
      cents: lines.reduce((sum, line) => sum + line.cents, 0),
    }));
  }

  /* An act is about to be sent: { id, act, place, placeName, person, body, labels, count, cents }. One at a time: until it has its
     answer, no other begins. */
  function begin(desk, attempt) {
    return desk.attempt ? desk : { ...desk, attempt, tries: 0 };
  }

  function missed(desk) {
    return { ...desk, tries: desk.tries + 1 };
  }

  /* The act has its answer. A success takes its lines off the tray; a refusal leaves them. */
  function settle(desk, attemptId, answer) {
    if (desk.attempt?.id !== attemptId) return desk;
    const { act, labels, place } = desk.attempt;
    const settled = { ...desk, attempt: null, tries: 0 };
    if (answer.outcome === "redeemed") {
      const { id, sentence, remains, undo_until, undo_hour } = answer;
      const tray = desk.tray.filter((line) => !labels.includes(line.label));
      return { ...settled, tray, last: { id, place, sentence, remains, undo_until, undo_hour } };
    }
    const isUndone = act === "undo" && (answer.outcome === "undone" || answer.code !== "busy");
    return isUndone ? { ...settled, last: null } : settled;
  }

  /* How long to wait before an act or a check goes again: longer each time, never two devices at the same beat. */
  function delay(tries, dice) {
    return Math.min(DELAY_MS_MAX, FIRST_DELAY_MS * 2 ** Math.max(0, tries - 1)) * (0.5 + dice / 2);
  }

  return { empty, belongTo, take, answered, lay, count, laid, remove, booklets, begin, missed, settle, delay };
})();
