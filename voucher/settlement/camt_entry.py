"""One entry of an account statement (camt.053 `Ntry`) turned into the lines that money is matched with.

A batch booking (several `TxDtls`) becomes one line for each transaction when every one gives its amount in euros and they
sum up to the entry; otherwise the entry stays one line, without an EndToEndId, and its `note` says why in French.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import cast

from lxml import etree

from voucher.kernel.calendar import paris_day
from voucher.settlement.xml_guard import line_of

_AMOUNT = re.compile(r"\+?(?:\d{1,18}(?:\.\d{0,17})?|\.\d{1,17})", re.ASCII)
_SIDES = {"CRDT": True, "DBIT": False}
_TRUE = frozenset({"true", "1"})
# Lengths of the schema, held here too because a file is not validated against it: banks add what it does not know.
_IDENTIFIER_LENGTH_MAX = 35
_NAME_LENGTH_MAX = 140
_TEXT_LENGTH_MAX = 500
_REASON_CODE = re.compile(r"[A-Z0-9]{4}", re.ASCII)
_NO_REFERENCE = frozenset({"NOTPROVIDED", "NONREF", "NONE", "NOREF", "N/A", "0"})

_NOTE_NO_AMOUNTS = "Écriture globale : la banque ne donne pas le montant de chaque virement."
_NOTE_DO_NOT_SUM = "Écriture globale : les montants détaillés par la banque ne font pas le total de l’écriture."
_NOTE_INCOMPLETE = "Écriture globale : la banque ne détaille pas tous les virements qu’elle annonce."
_NOTE_AMOUNT_DIFFERS = "Le montant du détail n’est pas celui de l’écriture : c’est l’écriture qui compte."


class WrongEntry(ValueError):
    """Something in a statement cannot be money: the French reason."""


@dataclass(frozen=True, slots=True)
class BankLine:
    """One booked line: `amount_cents` > 0 and its side; `is_credit` says that money came in.

    `is_reversal`: the bank undoes an earlier line of its own. `return_reason` (a code such as AC04) is set when a transfer
    came back. `counterparty_…` is the other party of the transfer, for a return the structure that was not paid.
    `domain_code` is the bank transaction code, `PMNT-ICDT-ESCT` or the bank's own. `message_id`,
    `payment_information_id` and `batch_count` describe a batch booking. `line` is the line of the file, for messages.
    """

    account_iban: str
    bank_reference: str
    rank: int
    booked_on: date
    value_on: date | None
    amount_cents: int
    is_credit: bool
    is_reversal: bool
    end_to_end_id: str | None
    counterparty_name: str | None
    counterparty_iban: str | None
    return_reason: str | None
    return_additional: str | None
    remittance: str
    domain_code: str | None
    message_id: str | None
    payment_information_id: str | None
    batch_count: int | None
    note: str | None
    line: int

    @property
    def key(self) -> str:
        """The natural key of the line, the same in every file that holds it: account, reference, rank, side.

        The reference is the bank's own for the entry (AcctSvcrRef). Banks that give none get one made of the entry's content
        (day, amount, side, identifiers, remittance, and NtryRef, which alone starts again at 1 in each statement).
        """
        return f"{self.account_iban}|{self.bank_reference}|{self.rank}|{'C' if self.is_credit else 'D'}"


class Fields:
    """The texts of an element by path of local names (`Refs/EndToEndId`), whatever the version's namespace."""

    __slots__ = ("_texts", "nested")

    def __init__(self, element: etree._Element, nested_name: str = "") -> None:
        """Read every text below the element, except below the children named `nested_name`, kept in `nested`."""
        self._texts: dict[str, list[str]] = {}
        self.nested: list[etree._Element] = []
        self._read(element, "", nested_name)

    @classmethod
    def empty(cls) -> "Fields":
        """Return the fields of an element that has none."""
        return cls(etree.Element("Empty"))

    def _read(self, element: etree._Element, prefix: str, nested_name: str) -> None:
        texts = self._texts
        for child in element:
            tag = child.tag
            name = tag[tag.find("}") + 1 :]
            if name == nested_name:
                self.nested.append(child)
                continue
            path = prefix + name
            found = texts.get(path)
            if found is None:
                found = texts[path] = []
            if len(child):
                self._read(child, path + "/", nested_name)
                continue
            text = child.text
            if text and (text := text.strip()):
                found.append(text)
            if name == "Amt":
                texts.setdefault(path + "@Ccy", []).append(cast("str", child.get("Ccy", "")))

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
        return [text for path in paths for text in self._texts.get(path, ())]

    def reference(self, *paths: str) -> str | None:
        """Return the first identifier, or None for the words banks write when they have none.

        Raises WrongEntry if it is longer than the 35 characters of the standard: cut, it could pass for another one.
        """
        text = self.first(*paths)
        if text is None or text.upper() in _NO_REFERENCE:
            return None
        if len(text) > _IDENTIFIER_LENGTH_MAX:
            raise WrongEntry(f"L’identifiant « {text[:40]}… » dépasse {_IDENTIFIER_LENGTH_MAX} caractères.")
        return text

    def day(self, path: str) -> date | None:
        """Return a civil day in Paris from `<path>/Dt`, `/DtTm` or `<path>DtTm`. Raises WrongEntry for what is no date."""
        text = self.first(f"{path}/Dt", f"{path}/DtTm", f"{path}DtTm", f"{path}Dt")
        return None if text is None else day_of(text)

    def cents(self, path: str) -> int | None:
        """Return an amount in cents, None if absent. Raises WrongEntry if it is not euros to the cent."""
        text = self.first(path)
        return None if text is None else cents_of(text, self.first(f"{path}@Ccy"))

    def side(self, path: str) -> bool | None:
        """Return True for a credit, False for a debit, None if absent or unknown."""
        return _SIDES.get(self.first(path) or "")


def cents_of(text: str, currency: str | None) -> int:
    """Return the exact cents of an XML amount in euros; trailing zeros are allowed. Raises WrongEntry otherwise."""
    if currency != "EUR":
        raise WrongEntry(
            f"La devise « {currency or 'absente'} » n’est pas l’euro. Exportez le relevé d’un compte en euros."
        )
    if not _AMOUNT.fullmatch(text):
        raise WrongEntry(f"Le montant « {text} » n’est pas un nombre.")
    cents = Decimal(text).scaleb(2)
    if cents != cents.to_integral_value():
        raise WrongEntry(f"Le montant « {text} » a plus de deux décimales.")
    return int(cents)


def day_of(text: str) -> date:
    """Return the civil day of an ISO date, or in Paris of an ISO instant that carries its zone."""
    try:
        if len(text) <= len("2026-01-01") or text[10] != "T":
            return date.fromisoformat(text[:10])
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise WrongEntry(f"La date « {text} » n’existe pas.") from None
    return instant.date() if instant.tzinfo is None else paris_day(instant)


@dataclass(frozen=True, slots=True)
class Entry:
    """One `Ntry`, read: the part that all its lines share."""

    fields: Fields
    details: tuple[Fields, ...]
    is_booked: bool
    amount_cents: int
    is_credit: bool
    booked_on: date
    line: int

    @property
    def signed_cents(self) -> int:
        """The amount, negative when money went out."""
        return self.amount_cents if self.is_credit else -self.amount_cents


def read_entry(element: etree._Element) -> Entry:
    """Return an entry from its element. Raises WrongEntry without an amount in euros, a side and a date."""
    fields = Fields(element, nested_name="TxDtls")
    amount_cents = fields.cents("Amt")
    if amount_cents is None:
        raise WrongEntry("Une écriture n’a pas de montant.")
    is_credit = fields.side("CdtDbtInd")
    if is_credit is None:
        raise WrongEntry("Une écriture ne dit pas si elle est au débit ou au crédit.")
    booked_on = fields.day("BookgDt") or fields.day("ValDt")
    if booked_on is None:
        raise WrongEntry("Une écriture n’a pas de date.")
    is_booked = fields.first("Sts/Cd", "Sts") == "BOOK"
    details = tuple(Fields(detail) for detail in fields.nested)
    return Entry(fields, details, is_booked, amount_cents, is_credit, booked_on, line_of(element))


def lines_of(entry: Entry, account_iban: str, ranks: Counter[str]) -> Iterator[BankLine]:
    """Yield the lines of a booked entry. `ranks` counts the lines already given for each reference of this statement."""
    parts, note = _split(entry)
    reference = _reference(entry)
    for detail, amount_cents, is_credit in parts:
        if amount_cents == 0:
            continue
        ranks[reference] += 1
        yield _line(entry, detail, account_iban, reference, ranks[reference], amount_cents, is_credit, note)


def _split(entry: Entry) -> tuple[list[tuple[Fields | None, int, bool]], str | None]:
    """Decide between one line and one for each transaction: (detail, cents, side) for each line, and the note."""
    whole = entry.amount_cents, entry.is_credit
    announced = entry.fields.first("NtryDtls/Btch/NbOfTxs")
    is_incomplete = announced is not None and announced.isdecimal() and int(announced) != len(entry.details)
    if len(entry.details) == 1 and not is_incomplete:
        (detail,) = entry.details
        amount_cents = _detail_cents(detail)
        return [(detail, *whole)], None if amount_cents in (None, entry.amount_cents) else _NOTE_AMOUNT_DIFFERS
    if not entry.details:
        return [(None, *whole)], _NOTE_INCOMPLETE if is_incomplete and announced != "1" else None
    parts: list[tuple[Fields | None, int, bool]] = []
    for detail in entry.details:
        amount_cents, side = _detail_cents(detail), detail.side("CdtDbtInd")
        if amount_cents is None:
            return [(None, *whole)], _NOTE_NO_AMOUNTS
        parts.append((detail, amount_cents, entry.is_credit if side is None else side))
    if is_incomplete and len(entry.fields.every("NtryDtls/Btch/NbOfTxs")) == 1:
        return [(None, *whole)], _NOTE_INCOMPLETE
    if sum(cents if is_credit else -cents for _detail, cents, is_credit in parts) != entry.signed_cents:
        return [(None, *whole)], _NOTE_DO_NOT_SUM
    return parts, None


def _detail_cents(detail: Fields) -> int | None:
    """Return the amount of one transaction, or None if the bank gives none that is euros to the cent."""
    for path in ("Amt", "AmtDtls/TxAmt/Amt"):
        try:
            amount_cents = detail.cents(path)
        except WrongEntry:
            return None
        if amount_cents is not None:
            return amount_cents
    return None


def _reference(entry: Entry) -> str:
    of_bank = entry.fields.reference("AcctSvcrRef")
    if of_bank is None and len(entry.details) == 1:
        of_bank = entry.details[0].reference("Refs/AcctSvcrRef")
    if of_bank is not None:
        return of_bank
    content = [entry.fields.first("NtryRef") or "", entry.booked_on.isoformat(), str(entry.signed_cents)]
    for detail in entry.details:
        content += [
            detail.first("Refs/EndToEndId") or "",
            detail.first("Amt", "AmtDtls/TxAmt/Amt") or "",
            _remittance(detail),
        ]
    # Each part is preceded by its length: no two contents give the same text.
    text = "".join(f"{len(part)}:{part}" for part in content)
    return f"~{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _line(
    entry: Entry,
    detail: Fields | None,
    account_iban: str,
    reference: str,
    rank: int,
    amount_cents: int,
    is_credit: bool,
    note: str | None,
) -> BankLine:
    fields = entry.fields
    empty = _EMPTY if detail is None else detail
    has_return = "RtrInf" in empty
    name, iban = _counterparty(empty, account_iban, is_debtor=is_credit and not has_return)
    reason, additional = _return_reason(empty) if has_return else (None, None)
    batch_count = fields.first("NtryDtls/Btch/NbOfTxs")
    return BankLine(
        account_iban=account_iban,
        bank_reference=reference,
        rank=rank,
        booked_on=entry.booked_on,
        value_on=fields.day("ValDt"),
        amount_cents=amount_cents,
        is_credit=is_credit,
        is_reversal=fields.first("RvslInd") in _TRUE,
        end_to_end_id=empty.reference("Refs/EndToEndId"),
        counterparty_name=name,
        counterparty_iban=iban,
        return_reason=reason,
        return_additional=additional,
        remittance=(_remittance(empty) or fields.first("AddtlNtryInf") or "")[:_TEXT_LENGTH_MAX],
        domain_code=_domain_code(empty) or _domain_code(fields),
        message_id=empty.reference("Refs/MsgId") or fields.reference("NtryDtls/Btch/MsgId"),
        payment_information_id=empty.reference("Refs/PmtInfId") or fields.reference("NtryDtls/Btch/PmtInfId"),
        batch_count=int(batch_count) if batch_count and batch_count.isdecimal() else None,
        note=note,
        line=entry.line,
    )


_EMPTY = Fields.empty()


def _counterparty(detail: Fields, account_iban: str, *, is_debtor: bool) -> tuple[str | None, str | None]:
    """Return the name and IBAN of the other party: the debtor of what came in, else the creditor of what we sent."""
    roles = ("Dbtr", "Cdtr") if is_debtor else ("Cdtr", "Dbtr")
    for role in roles:
        name = detail.first(f"RltdPties/{role}/Pty/Nm", f"RltdPties/{role}/Nm")
        iban = detail.first(f"RltdPties/{role}Acct/Id/IBAN")
        if (name or iban) and iban != account_iban:
            return name and name[:_NAME_LENGTH_MAX], iban and iban[:_IDENTIFIER_LENGTH_MAX]
    return None, None


def _return_reason(detail: Fields) -> tuple[str, str | None]:
    """Return the code of a return and the bank's text; a reason that is no ISO code is NARR, told in the text."""
    code = detail.first("RtrInf/Rsn/Cd") or ""
    texts = detail.every("RtrInf/Rsn/Prtry", "RtrInf/AddtlInf")
    if not _REASON_CODE.fullmatch(code):
        texts, code = [code, *texts], "NARR"
    return code, " ".join(texts).strip()[:_TEXT_LENGTH_MAX] or None


def _remittance(detail: Fields) -> str:
    return " ".join(detail.every("RmtInf/Ustrd", "RmtInf/Strd/CdtrRefInf/Ref"))


def _domain_code(fields: Fields) -> str | None:
    domain = fields.first("BkTxCd/Domn/Cd")
    if domain is None:
        return fields.reference("BkTxCd/Prtry/Cd")
    family = fields.first("BkTxCd/Domn/Fmly/Cd")
    return "-".join(part for part in (domain, family, fields.first("BkTxCd/Domn/Fmly/SubFmlyCd")) if part)
