/* Where every scan goes, whatever brought it: the event `scanned` (detail.text, detail.source), which a page may take over. Unless it does,
   the text goes into the field named `code` of the form marked data-scans, and the form is sent. */
"use strict";

globalThis.Pass ??= {};

Pass.scanned = (text, source) => {
  const event = new CustomEvent("scanned", { detail: { text, source }, cancelable: true });
  if (!document.dispatchEvent(event)) return;
  const form = document.querySelector("form[data-scans]");
  form.elements.namedItem("code").value = text;
  if (form.requestSubmit) form.requestSubmit();
  else form.submit();
};
