/* An answer, across the room: a word, a shape and a sound of its own for each kind. It stays until a tap or the next scan. */
"use strict";

globalThis.Pass ??= {};

Pass.result = (() => {
  const dialog = document.querySelector("[data-result]");
  if (!dialog) return null;
  const part = (name) => dialog.querySelector(`[data-result-${name}]`);
  /* Each kind: the pitches of its sound, their wave, how the device shakes. */
  const SOUNDS = {
    yes: { pitches: [660, 880], wave: "sine", shake: 80 },
    kept: { pitches: [520, 520], wave: "sine", shake: [60, 60, 60] },
    no: { pitches: [220, 160], wave: "square", shake: [120, 80, 120] },
    wait: { pitches: [440, 440, 440], wave: "triangle", shake: [40, 200, 40] },
    valid: { pitches: [740], wave: "triangle", shake: 40 },
    undone: { pitches: [660, 440], wave: "sine", shake: [80, 60, 40] },
  };
  const LENGTH = 0.14;
  const unread = []; // answers that came while another was shown: each is read in its turn
  let shown = null;

  let audio = null;

  /* A phone lets a page sound only after a touch. */
  function wake() {
    try {
      audio ??= new AudioContext();
      audio.resume();
    } catch {
      /* A device without sound. */
    }
  }

  function sound(kind) {
    const { pitches, wave, shake } = SOUNDS[kind];
    try {
      audio ??= new AudioContext();
      const gain = audio.createGain();
      gain.gain.value = 0.2;
      gain.connect(audio.destination);
      for (const [rank, pitch] of pitches.entries()) {
        const tone = audio.createOscillator();
        tone.type = wave;
        tone.frequency.value = pitch;
        tone.connect(gain);
        tone.start(audio.currentTime + rank * LENGTH);
        tone.stop(audio.currentTime + (rank + 0.85) * LENGTH);
      }
    } catch {
      /* A silent device shows and writes the answer all the same. */
    }
    navigator.vibrate?.(shake);
  }

  /* Show an answer of a kind; « En attente » gives way to what it waited for. `undo` shows the button that takes back what was just done. */
  function show(kind, word, text, more = "", { undo = false } = {}) {
    sound(kind);
    if (dialog.open && shown !== "wait") unread.push([kind, word, text, more, undo]);
    else display(kind, word, text, more, undo);
  }

  function display(kind, word, text, more, undo) {
    shown = kind;
    dialog.className = `result result-${kind}`;
    for (const shape of dialog.querySelectorAll("[data-shape]")) shape.toggleAttribute("hidden", shape.dataset.shape !== kind);
    part("word").textContent = word;
    part("text").textContent = text;
    part("more").textContent = more;
    part("help").hidden = kind !== "no";
    part("undo").hidden = !undo;
    if (!dialog.open && dialog.showModal) dialog.showModal();
    else dialog.setAttribute("open", "");
    part("word").focus();
  }

  function close() {
    if (!dialog.open) return;
    if (dialog.close) dialog.close();
    else dialog.removeAttribute("open");
    readNext();
  }

  function readNext() {
    if (!dialog.open && unread.length) display(...unread.shift());
  }

  dialog.addEventListener("click", (event) => {
    if (!event.target.closest("a, [data-result-undo]")) close();
  });
  dialog.addEventListener("close", readNext);
  document.addEventListener("pointerdown", wake);
  document.addEventListener("typing", close);

  return { show, close, sound, undoButton: part("undo"), dialog };
})();
