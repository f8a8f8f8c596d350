"""The texts of an element of a bank file by path, and what they are worth: cents, civil days, sides, identifiers."""

import hashlib
import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import cast

from lxml import etree

from voucher.kernel.calendar import paris_day
from voucher.kernel.money import NARROW_NO_BREAK_SPACE

_AMOUNT = re.compile(r"\+?(?:\d{1,18}(?:\.\d{0,17})?|\.\d{1,17})", re.ASCII)
_PLAIN_AMOUNT = re.compile(r"(\d{1,16})\.(\d\d)", re.ASCII)  # as nearly all are written
_CENTS_MAX = 10**18  # what the plain form holds, and a column of 64 bits
_FIGURE_DIGITS_MAX = 30
_SIDES = {"CRDT": True, "DBIT": False}
# Lengths of the schema, held here too because a file is not validated against it: banks add what it does not know.
IDENTIFIER_LENGTH_MAX = 35
_NO_REFERENCE = frozenset({"NOTPROVIDED", "NONREF", "NONE", "NOREF", "N/A", "0"})


class WrongEntry(ValueError):
    """Something in a statement cannot be money: the French reason."""


class _Name:
    """A name met below another: its path, made once however many elements bear it; names of an odd file are not kept."""

    __slots__ = ("below", "currency_path", "local", "path")

    kept_count = 0

    def __init__(self, path: str, local: str) -> None:
        self.below: dict[str, _Name] = {}
        self.path = path
        self.local = local
        self.currency_path = path + "@Ccy"

    def add(self, tag: str) -> "_Name":
        """Return the name of a tag below this one."""
        local = tag[tag.find("}") + 1 :]
        name = _Name(f"{self.path}/{local}" if self.path else local, local)
        if _Name.kept_count < _NAMES_KEPT_MAX:
            _Name.kept_count += 1
            self.below[tag] = name
        return name


_NAMES_KEPT_MAX = 20_000
_NO_NAME = _Name("", "")


class Fields:
    """The texts of an element by path of local names (`Refs/EndToEndId`), whatever the version's namespace."""

    __slots__ = ("_texts", "nested")

    def __init__(self, element: etree._Element, nested_name: str = "") -> None:
        """Read every text below the element, except below the children named `nested_name`, kept in `nested`."""
        self._texts: dict[str, list[str]] = {}
        self.nested: list[etree._Element] = []
        self._read(element, _NO_NAME, nested_name)

    @classmethod
    def empty(cls) -> "Fields":
        """Return the fields of an element that has none."""
        return cls(etree.Element("Empty"))

    def _read(self, element: etree._Element, above: "_Name", nested_name: str) -> None:
        texts, below = self._texts, above.below
        for child in element:
            tag = child.tag
            name = below.get(tag)
            if name is None:
                name = above.add(tag)
            if name.local == nested_name:
                self.nested.append(child)
                continue
            path, text = name.path, child.text
            if text is not None and (text := text.strip()):
                if path in texts:
                    texts[path].append(text)
                else:
                    texts[path] = [text]
                if name.local == "Amt":
                    texts.setdefault(name.currency_path, []).append(cast("str", child.get("Ccy", "")))
                continue
            if path not in texts:
                texts[path] = []
            if len(child):
                self._read(child, name, nested_name)

    def __contains__(self, path: str) -> bool:
        return path in self._texts

    def first(self, *paths: str) -> str | None:
        """Return the first text found at the first of these paths that has one."""
        for path in paths:
            if texts := self._texts.get(path):
                return texts[0]
        return None

    def every(self, *paths: str) -> list[str]:
        """Return all texts found at these paths, in order."""
        texts = self._texts
        return [text for path in paths if path in texts for text in texts[path]]

    def reference(self, *paths: str) -> str | None:
        """Return the first identifier, or None for the words banks write when they have none.

        One longer than the 35 characters of the standard is none of ours: its end gives way to a fingerprint of the whole, so
        that it stays itself in every file and passes for no other.
        """
        return identifier(self.first(*paths))

    def day(self, path: str) -> date | None:
        """Return a civil day in Paris from `<path>/Dt`, `/DtTm` or `<path>DtTm`. Raises WrongEntry for what is no date."""
        text = self.first(f"{path}/Dt") or self.first(f"{path}/DtTm", f"{path}DtTm", f"{path}Dt")
        return None if text is None else day_of(text)

    def day_if_sound(self, path: str) -> date | None:
        """Return the same, None for what is no date: where another element says the day as well."""
        try:
            return self.day(path)
        except WrongEntry:
            return None

    def cents(self, path: str) -> int | None:
        """Return an amount in cents, None if absent. Raises WrongEntry if it is not euros to the cent."""
        text = self.first(path)
        return None if text is None else cents_of(text, self.first(f"{path}@Ccy"))

    def euros(self, *paths: str) -> list[int]:
        """Return the amounts found first at each of these paths that are euros to the cent, in cents; others are left out."""
        found = []
        for path in paths:
            try:
                cents = self.cents(path)
            except WrongEntry:
                continue
            if cents is not None:
                found.append(cents)
        return found

    def side(self, path: str) -> bool | None:
        """Return True for a credit, False for a debit, None if absent or unknown."""
        return _SIDES.get(self.first(path) or "")


def identifier(text: str | None) -> str | None:
    """Return an identifier as `Fields.reference` gives it, None for none."""
    if not text or text.upper() in _NO_REFERENCE:
        return None
    if len(text) > IDENTIFIER_LENGTH_MAX:
        return f"{text[:18]}…{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    return text


def cents_of(text: str, currency: str | None) -> int:
    """Return the exact cents of an XML amount in euros; trailing zeros are allowed. Raises WrongEntry otherwise."""
    if currency != "EUR":
        raise WrongEntry(
            f"La devise « {(currency or 'absente')[:10]} » n’est pas l’euro. Exportez le relevé d’un compte en euros."
        )
    if plain := _PLAIN_AMOUNT.fullmatch(text):
        return int(plain[1] + plain[2])
    if not _AMOUNT.fullmatch(text):
        raise WrongEntry(f"Le montant « {text[:40]} » n’est pas un nombre.")
    cents = Decimal(text).scaleb(2)
    if cents != cents.to_integral_value():
        raise WrongEntry(f"Le montant « {text} » a plus de deux décimales.")
    if cents >= _CENTS_MAX:
        raise WrongEntry(f"Le montant « {text} » dépasse ce qu’un compte peut tenir.")
    return int(cents)


def figure(text: str) -> str:
    """Return an XML amount as French writes it, « 1 234,50 »; what is no number as it stands, cut."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text[:30]
    if not number.is_finite() or len(text) > _FIGURE_DIGITS_MAX or abs(number.adjusted()) > _FIGURE_DIGITS_MAX:
        return text[:30]
    return f"{number:,f}".replace(",", NARROW_NO_BREAK_SPACE).replace(".", ",")


def day_of(text: str) -> date:
    """Return the civil day of an ISO date, or in Paris of an ISO instant that carries its zone."""
    try:
        if len(text) <= len("2026-01-01") or text[10] != "T":
            return date.fromisoformat(text[:10])
        instant = datetime.fromisoformat(text)
        return instant.date() if instant.tzinfo is None else paris_day(instant)
    except (ValueError, OverflowError):
        raise WrongEntry(f"La date « {text[:40]} » n’existe pas.") from None
