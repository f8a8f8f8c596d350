/* What a scanner or a person typed, and what was meant: the same rule as voucher/issuing/keyboard.py, held by one table of cases.

   A scanner set to one layout on a computer set to the other, a lock of capitals, `]Q1`, STX, a byte order mark, `?…` after the
   code: of the ways to read what came, the first that has the shape of an address or of 128 characters is what was meant. */
"use strict";

globalThis.Pass ??= {};

Pass.typed = (() => {
  /* The same keys in the same order, as two layouts write them, without and with the key of capitals. */
  const KEYS = [
    ..."1234567890".split("").map((digit) => `Digit${digit}`),
    ..."Minus Equal".split(" "),
    ..."QWERTYUIOP".split("").map((letter) => `Key${letter}`),
    ..."BracketLeft BracketRight".split(" "),
    ..."ASDFGHJKL".split("").map((letter) => `Key${letter}`),
    ..."Semicolon Quote Backslash".split(" "),
    ..."ZXCVBNM".split("").map((letter) => `Key${letter}`),
    ..."Comma Period Slash".split(" "),
  ];
  const QWERTY = [
    "1234567890-=qwertyuiop[]asdfghjkl;'\\zxcvbnm,./",
    '!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"|ZXCVBNM<>?',
  ];
  const AZERTY = [
    "&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù*wxcvbn,;:!",
    "1234567890°+AZERTYUIOP¨£QSDFGHJKLM%µWXCVBN?./§",
  ];
  const CAPITALS = { É: "é", È: "è", Ç: "ç", À: "à", Ù: "ù" };
  const ADDRESS = /^https?:\/\/[^/?#\s]+\/v\/[a-z2-7]*$/i;
  const BARE = /^[a-z2-7]{128}$/i;
  const EDGES = /^[\s\u0000-\u001f\u007f\u200b-\u200f\u2060\ufeff]+|[\s\u0000-\u001f\u007f\u200b-\u200f\u2060\ufeff]+$/g;
  const SYMBOLOGY = /^\]q[0-6]/i;
  const AFTER_THE_CODE = /[?#].*$/s;
  const LOCKS = [() => false, (character) => /[a-z]/i.test(character), () => true];
  /* From the computer's layout to the scanner's. */
  const WAYS = [
    [AZERTY, QWERTY],
    [QWERTY, AZERTY],
    [AZERTY, AZERTY],
  ];

  /* A typing code: twelve characters whose sum over GF(64) is the constant of their kind (voucher/issuing/typing_code.py). */
  const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const CHARACTERS = 12;
  const TYPED_CHARACTERS_MAX = 2 * CHARACTERS;
  const SEPARATORS = /[\s\-‐‑‒–—_.·]/g;
  const LOOKS_LIKE = { O: "0", I: "1", L: "1" };

  function trimmed(text) {
    return text.replace(EDGES, "").replace(SYMBOLOGY, "").replace(EDGES, "");
  }

  function whole(text) {
    const found = trimmed(text).replace(AFTER_THE_CODE, "");
    return ADDRESS.test(found) || BARE.test(found) ? found : null;
  }

  /* Read again, on the layout `to`, the keys that wrote `text` on the layout `from`; `isLocked` says of which the capitals were locked. */
  function readAs(text, from, to, isLocked) {
    let meant = "";
    for (const written of text) {
      const character = CAPITALS[written] ?? written;
      const rank = Math.max(from[0].indexOf(character), from[1].indexOf(character));
      if (rank < 0) {
        meant += character;
        continue;
      }
      const isShifted = from[1][rank] === character;
      meant += to[Number(isShifted !== isLocked(character))][rank];
    }
    return meant;
  }

  function meant(text) {
    const same = whole(text);
    if (same !== null) return same;
    for (const [from, to] of WAYS) {
      for (const isLocked of LOCKS) {
        const found = whole(readAs(text, from, to, isLocked));
        if (found !== null) return found;
      }
    }
    const typed = trimmed(text);
    const shifted = readAs(typed, AZERTY, AZERTY, LOCKS[2]);
    return mistake(typed) === "wrong_alphabet" && mistake(shifted) === null ? shifted : typed;
  }

  /* What keys meant, where the browser says which they were: on a scanner's layout, whatever the computer's. */
  function meantByKeys(keys) {
    const text = keys.map((key) => key.character).join("");
    const same = whole(text);
    if (same !== null) return same;
    for (const layout of [QWERTY, AZERTY]) {
      const found = whole(keys.map((key) => pressed(key, layout)).join(""));
      if (found !== null) return found;
    }
    return meant(text);
  }

  function pressed({ character, code, isShifted }, layout) {
    const rank = KEYS.indexOf(code);
    if (rank >= 0) return layout[Number(isShifted)][rank];
    return /^Numpad\d$/.test(code) ? code.slice(-1) : character;
  }

  function isTyped(text) {
    return trimmed(text).length <= TYPED_CHARACTERS_MAX && !text.includes("/");
  }

  function timesX(element) {
    return element < 32 ? element << 1 : (element << 1) ^ 0b1000011;
  }

  /* Return the name of what is wrong with a typing code, as the server names it, or null. */
  function mistake(text) {
    let characters = text.replace(SEPARATORS, "");
    if (!characters) return "empty";
    characters = characters.replace(/[a-z]/g, (letter) => letter.toUpperCase());
    characters = characters.replace(/[OIL]/g, (letter) => LOOKS_LIKE[letter]);
    if ([...characters].some((character) => !ALPHABET.includes(character))) return "wrong_alphabet";
    let constant = 0;
    if (characters.length === CHARACTERS + 1 && characters[0] === "C") {
      constant = 1;
      characters = characters.slice(1);
    }
    if (characters.length !== CHARACTERS) return characters.length < CHARACTERS ? "truncated" : "too_long";
    let sum = 0;
    for (const [place, character] of [...characters].entries()) {
      let element = ALPHABET.indexOf(character);
      for (let times = 0; times < place; times += 1) element = timesX(element);
      sum ^= element;
    }
    return sum === constant ? null : "wrong_check";
  }

  /* The sentences of what a device can see by itself, word for word the server's. */
  const SENTENCES = {
    empty: "Aucun code n’a été lu. Scannez le code du chèque ou tapez ses douze caractères.",
    wrong_alphabet: "Ce code contient un caractère impossible. Vérifiez-le et tapez-le de nouveau.",
    truncated: "Ce code est incomplet. Scannez-le de nouveau, bien à plat, ou tapez tous ses caractères.",
    too_long: "Ce code est trop long. Scannez ou tapez un seul code à la fois.",
    wrong_check: "Un caractère a été mal tapé. Comparez avec le code imprimé et tapez-le de nouveau.",
  };

  /* Return what the device says of a typing mistake, or null: what was scanned, and what looks right, is for the server. */
  function mistakeSentence(text) {
    const found = isTyped(text) ? mistake(text) : null;
    return found === null ? null : SENTENCES[found];
  }

  /* Whether a text holds a scanned code from its first character to its last. */
  function isWhole(text) {
    return /(^|\/)[a-z2-7]{128}$/i.test(whole(text) ?? "");
  }

  return { meant, meantByKeys, mistake, mistakeSentence, isWhole };
})();
