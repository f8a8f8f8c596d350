/* One collector of keys for the whole page: a USB or Bluetooth scanner is a keyboard that types fast, wherever the focus is.

   Its keys go nowhere else: what the first ones wrote before they were known for a scanner's is taken back, and its Enter presses
   nothing. What a person types slowly outside a field goes into the field of the code. */
"use strict";

(() => {
  const form = document.querySelector("form[data-scans]");
  if (!form) return;

  const field = form.elements.namedItem("code");
  const bursts = new Pass.Bursts((keys) => Pass.typed.isWhole(Pass.typed.meantByKeys(keys)));
  const LISTEN_MS = 80;
  const BLOCKED_MS = 40;
  const JUMP = 12;
  let before = null; // what had the focus when the run began, as it was
  let silence = 0;

  function writes(event) {
    return [...event.key].length === 1 || event.key === "Dead";
  }

  function isCommand(event) {
    return (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
  }

  function isEditable(element) {
    return element.matches("input:not([type=radio], [type=checkbox], [type=hidden], [type=range]), textarea");
  }

  function remember() {
    const element = document.activeElement ?? document.body;
    before = { element, value: element.value };
    if (isEditable(element)) before.selection = [element.selectionStart, element.selectionEnd];
  }

  /* Take back what the first keys did: to a field's text, to a list's choice, to the focus. */
  function takeBack() {
    const { element, value, selection } = before;
    if (element.value !== value) {
      element.value = value;
      element.dispatchEvent(new Event("change", { bubbles: true }));
    }
    if (field !== element && document.activeElement === field) {
      field.value = before.fieldValue;
      field.blur();
      if (element !== document.body) element.focus({ preventScroll: true });
    }
    if (selection) element.setSelectionRange(...selection);
  }

  function tell(keys) {
    if (keys) Pass.scanned(Pass.typed.meantByKeys(keys), "keys");
  }

  /* Silence is counted from when the last key was handled: it may have waited in line, and others may wait behind this. */
  function waitForSilence(lastAt) {
    clearTimeout(silence);
    const handled = performance.now();
    const listen = (due) => {
      silence = setTimeout(() => {
        const now = performance.now();
        if (now - due <= BLOCKED_MS) tell(bursts.silence(lastAt + now - handled));
        if (bursts.isScan) listen(now + LISTEN_MS);
      }, LISTEN_MS);
    };
    listen(handled + LISTEN_MS);
  }

  function stop(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  function onKey(event) {
    if (event.isComposing || event.repeat || isCommand(event)) {
      if (bursts.isScan) stop(event);
      return;
    }
    if (event.key === "Enter" || event.key === "Tab") {
      const { ended, isScanners } = bursts.finish(event.timeStamp);
      if (isScanners) stop(event);
      tell(ended);
      return;
    }
    if (!writes(event)) return;
    const key = { character: event.key, code: event.code, isShifted: event.shiftKey, at: event.timeStamp };
    const wasScan = bursts.isScan;
    const { ended, isFirst, isScan } = bursts.write(key);
    tell(ended);
    if (isFirst) {
      remember();
      before.fieldValue = field.value;
    }
    if (isScan) {
      if (!wasScan) takeBack();
      stop(event);
      waitForSilence(key.at);
      return;
    }
    if (event.key !== " " && field.type !== "hidden" && !document.activeElement.matches("select") && !isEditable(document.activeElement)) {
      /* Slow keys are a person's, or a slow scanner's: they are for the code. */
      document.dispatchEvent(new Event("typing"));
      field.focus();
    }
  }

  document.addEventListener("keydown", onKey, { capture: true });

  /* A whole code that comes at once needs no button: it was pasted, or a scanner's own keyboard on a phone wrote it. */
  field.addEventListener("input", (event) => {
    const cameAtOnce = event.inputType?.startsWith("insert") && (event.data?.length ?? JUMP) >= JUMP;
    const text = Pass.typed.meant(field.value);
    if (!cameAtOnce || !Pass.typed.isWhole(text)) return;
    field.value = "";
    Pass.scanned(text, "keys");
  });
})();
