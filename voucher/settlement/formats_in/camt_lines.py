"""One entry of a bank file (`Ntry` of camt.052, 053 or 054) turned into the lines that money is matched with.

A batch booking (several `TxDtls`) becomes one line for each transaction when every one gives its amount in euros and they
sum up to the entry, charges included; otherwise the entry stays one line, without an EndToEndId, and its `note` says why.
What the bank keeps for itself inside an entry (`Chrgs`) is a line of its own.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lxml import etree

from voucher.kernel.money import NO_BREAK_SPACE
from voucher.settlement.formats_in.camt_charges import charge_cents, is_charge
from voucher.settlement.formats_in.camt_fields import IDENTIFIER_LENGTH_MAX, Fields, WrongEntry, figure
from voucher.settlement.formats_in.safe_xml import line_of
from voucher.settlement.words.states import LineOrigin

_TRUE = frozenset({"true", "1"})
NAME_LENGTH_MAX = 140
TEXT_LENGTH_MAX = 500
NOTE_LENGTH_MAX = 200
_REASON_CODE = re.compile(r"[A-Z0-9]{4}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
OUR_REFERENCE = re.compile(r"PN(?:-[0-9A-Z]{4}){4}", re.ASCII)
"""A payment's reference, as `formats_out.references` makes it."""

_NOTE_NO_AMOUNTS = "Écriture globale : la banque ne donne pas le montant de chaque virement."
_NOTE_DO_NOT_SUM = "Écriture globale : les montants détaillés par la banque ne font pas le total de l’écriture."
_NOTE_INCOMPLETE = "Écriture globale : la banque ne détaille pas tous les virements qu’elle annonce."
_NOTE_AMOUNT_DIFFERS = "Le montant du détail n’est pas celui de l’écriture : c’est l’écriture qui compte."
_NOTE_REVERSAL = "La banque annule ici une ligne qu’elle avait écrite."


class PassedOver(ValueError):
    """A part of a file is no money of ours (another currency, another account, not booked): the French sentence that sets it aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """One booked line: `amount_cents` > 0 and its side; `is_credit` says that money came in.

    `part` is its rank in its entry, from 1. `is_reversal`: the bank undoes an earlier line of its own. `is_charge`: the bank
    takes (or gives back) its own charges. `return_reason` (a code such as AC04) is set when a transfer came back.
    `counterparty_…` is the other party of the transfer, for a return the structure that was not paid. `domain_code` is the
    bank transaction code, `PMNT-ICDT-ESCT` or the bank's own. `message_id`, `payment_information_id` and `batch_count`
    describe a batch booking. `note` is what the bank leaves unsaid, in French.
    """

    part: int
    amount_cents: int
    is_credit: bool
    is_reversal: bool
    is_charge: bool
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


@dataclass(frozen=True, slots=True, kw_only=True)
class BankEntry:
    """One booked entry of an account, whole: what makes it the same in every file that holds it, and its lines.

    `reference` is the bank's own (AcctSvcrRef), or one made of the content: `origin` says which. `rank` tells apart the entries of
    one statement that are alike. `anchor_cents` is given to entries without a reference: the balance of the account before the
    first entry of that day, so that two alike of two statements of a day are two. `page` is that of the statement. `line` is the line of the file, for messages.
    """

    statement_rank: int
    account_iban: str
    reference: str
    origin: LineOrigin
    rank: int
    anchor_cents: int | None
    amount_cents: int
    is_credit: bool
    booked_on: date
    valued_on: date | None
    line: int
    lines: tuple[BankLine, ...]
    page: int | None = None

    @property
    def has_reference(self) -> bool:
        """Whether the bank names this entry."""
        return self.origin is LineOrigin.NAMED

    @property
    def key(self) -> str:
        """The natural key of the entry, the same in every file that holds it."""
        anchor = "" if self.anchor_cents is None else str(self.anchor_cents)
        # Two pages of a day may open with one balance and hold entries alike that the bank does not name.
        if anchor and self.page is not None:
            anchor += f"p{self.page}"
        side = "C" if self.is_credit else "D"
        day = self.booked_on.isoformat()
        return f"{self.account_iban}|{self.reference}|{side}{self.amount_cents}|{day}|{anchor}|{self.rank}"

    def key_of(self, part: int) -> str:
        """The natural key of one of its lines."""
        return f"{self.key}|{part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `Ntry`, read: the part that all its lines share."""

    fields: Fields
    details: tuple[Fields, ...]
    amount_cents: int
    is_credit: bool
    booked_on: date
    valued_on: date | None
    line: int

    @property
    def signed_cents(self) -> int:
        """The amount, negative when money went out."""
        return self.amount_cents if self.is_credit else -self.amount_cents


def read_entry(element: etree._Element, fields: Fields) -> Entry:
    """Return a booked entry from its element and its fields, read with its `TxDtls` apart.

    Raises WrongEntry without an amount, a side and a date, PassedOver when its amount is in another currency than the euro.
    """
    currency = fields.first("Amt@Ccy") or ""
    amount = fields.first("Amt")
    if amount is not None and currency != "EUR" and _CURRENCY.fullmatch(currency):
        raise PassedOver(
            f"Écriture de {figure(amount)}{NO_BREAK_SPACE}{currency} : elle n’est pas en euros et n’est comptée nulle part. "
            "Demandez à votre banque ce qu’elle est."
        )
    amount_cents = fields.cents("Amt")
    if amount_cents is None:
        raise WrongEntry("Une écriture n’a pas de montant.")
    is_credit = fields.side("CdtDbtInd")
    if is_credit is None:
        raise WrongEntry("Une écriture ne dit pas si elle est au débit ou au crédit.")
    # The value date is shown, never posted: what is wrong with it refuses nothing.
    booked_on, valued_on = fields.day("BookgDt"), fields.day_if_sound("ValDt")
    if booked_on is None:
        raise WrongEntry(
            "Une écriture n’a pas de date d’écriture (BookgDt). Sa date de valeur ne la remplace pas. "
            "Demandez à votre banque un relevé qui la donne."
            if valued_on is not None
            else "Une écriture n’a pas de date."
        )
    details = tuple(Fields(detail) for detail in fields.nested)
    return Entry(
        fields=fields,
        details=details,
        amount_cents=amount_cents,
        is_credit=is_credit,
        booked_on=booked_on,
        valued_on=valued_on,
        line=line_of(element),
    )


def lines_of(entry: Entry, account_iban: str) -> tuple[BankLine, ...]:
    """Return the lines of a booked entry; their signed sum is the entry's. None for an entry of nothing."""
    parts, note = _split(entry)
    found = [part for part in parts if part.amount_cents]
    return tuple(_line(entry, part, account_iban, rank, note) for rank, part in enumerate(found, 1))


@dataclass(frozen=True, slots=True)
class _Part:
    """What becomes a line: the transaction it tells (None: the entry as a whole), its cents and side."""

    detail: Fields | None
    amount_cents: int
    is_credit: bool
    is_charge: bool = False

    @property
    def signed_cents(self) -> int:
        return self.amount_cents if self.is_credit else -self.amount_cents


def _split(entry: Entry) -> tuple[Sequence[_Part], str | None]:
    """Decide between one line and one for each transaction, and say in French what the bank leaves unsaid."""
    announced = entry.fields.first("NtryDtls/Btch/NbOfTxs")
    is_incomplete = announced is not None and _count(announced) != len(entry.details)
    if len(entry.details) == 1 and not is_incomplete:
        return _single(entry, entry.details[0])
    whole = (_Part(None, entry.amount_cents, entry.is_credit),)
    if not entry.details:
        return _without_details(entry), _NOTE_INCOMPLETE if is_incomplete and announced != "1" else None
    parts: list[_Part] = []
    for detail in entry.details:
        amounts, side = detail.euros("Amt", "AmtDtls/TxAmt/Amt"), detail.side("CdtDbtInd")
        if not amounts:
            return whole, _NOTE_NO_AMOUNTS
        parts.append(_Part(detail, amounts[0], entry.is_credit if side is None else side))
    if is_incomplete and len(entry.fields.every("NtryDtls/Btch/NbOfTxs")) == 1:
        return whole, _NOTE_INCOMPLETE
    gap = sum(part.signed_cents for part in parts) - entry.signed_cents
    charged = charge_cents(entry.fields) + sum(charge_cents(detail) for detail in entry.details)
    if gap and gap != charged:
        return whole, _NOTE_DO_NOT_SUM
    return (*parts, _Part(None, gap, False, is_charge=True)) if gap else parts, None


def _single(entry: Entry, detail: Fields) -> tuple[Sequence[_Part], str | None]:
    """Return the line of the one transaction of an entry, and that of the charges that the bank took from or added to it."""
    amounts = detail.euros("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/InstdAmt/Amt")
    charged = charge_cents(detail) or charge_cents(entry.fields)
    for cents in amounts if charged else ():
        part = _Part(detail, cents, entry.is_credit)
        if cents and part.signed_cents - charged == entry.signed_cents:
            return (part, _Part(None, charged, False, is_charge=True)), None
    instructed = detail.first("AmtDtls/InstdAmt/Amt@Ccy") or "EUR"
    note = None if not amounts or amounts[0] == entry.amount_cents else _NOTE_AMOUNT_DIFFERS
    if instructed != "EUR":
        note = (
            f"Montant d’origine : {figure(detail.first('AmtDtls/InstdAmt/Amt') or '')}{NO_BREAK_SPACE}{instructed[:3]}."
        )
    return (_Part(detail, entry.amount_cents, entry.is_credit),), note


def _without_details(entry: Entry) -> Sequence[_Part]:
    """Return the line of an entry that gives no transaction, less the charges that it says are inside."""
    charged = charge_cents(entry.fields)
    moved = entry.signed_cents + charged
    if (
        not charged
        or not moved
        or (moved > 0) != entry.is_credit
        or entry.fields.first("Chrgs/Rcrd/ChrgInclInd") not in _TRUE
    ):
        return (_Part(None, entry.amount_cents, entry.is_credit),)
    return (_Part(None, abs(moved), entry.is_credit), _Part(None, charged, False, is_charge=True))


def reference_of(entry: Entry) -> tuple[str, LineOrigin]:
    """Return the bank's reference of an entry, or « ~ » and a fingerprint of what the entry says, the same in every file.

    What begins with « ~ » is ours: a bank's reference that does so is taken for none.
    """
    of_bank = entry.fields.reference("AcctSvcrRef")
    if of_bank is None and len(entry.details) == 1:
        of_bank = entry.details[0].reference("Refs/AcctSvcrRef")
    if of_bank is not None and not of_bank.startswith("~"):
        return of_bank, LineOrigin.NAMED
    content = [entry.booked_on.isoformat(), str(entry.signed_cents)]
    for detail in entry.details:
        content += [
            detail.first("Refs/EndToEndId") or "",
            detail.first("Amt", "AmtDtls/TxAmt/Amt") or "",
            _remittance(detail),
        ]
    # Each part is preceded by its length: no two contents give the same text.
    text = "".join(f"{len(part)}:{part}" for part in content)
    return f"~{hashlib.sha256(text.encode()).hexdigest()[:32]}", LineOrigin.UNNAMED


def _line(entry: Entry, part: _Part, account_iban: str, rank: int, note: str | None) -> BankLine:
    fields = entry.fields
    detail = _EMPTY if part.detail is None else part.detail
    has_return = "RtrInf" in detail
    is_reversal = fields.first("RvslInd") in _TRUE
    name, iban = _counterparty(detail, account_iban, is_debtor=part.is_credit and not (has_return or is_reversal))
    reason, additional = _return_reason(detail) if has_return else (None, None)
    batch_count = fields.first("NtryDtls/Btch/NbOfTxs")
    domain_code = _domain_code(detail) or _domain_code(fields)
    end_to_end_id = _end_to_end_id(detail)
    return BankLine(
        part=rank,
        amount_cents=part.amount_cents,
        is_credit=part.is_credit,
        is_reversal=is_reversal,
        is_charge=part.is_charge or (end_to_end_id is None and not has_return and is_charge(domain_code)),
        end_to_end_id=end_to_end_id,
        counterparty_name=name,
        counterparty_iban=iban,
        return_reason=reason,
        return_additional=additional,
        remittance=(_remittance(detail) or fields.first("AddtlNtryInf") or "")[:TEXT_LENGTH_MAX],
        domain_code=domain_code and domain_code[:IDENTIFIER_LENGTH_MAX],
        message_id=detail.reference("Refs/MsgId") or fields.reference("NtryDtls/Btch/MsgId"),
        payment_information_id=detail.reference("Refs/PmtInfId") or fields.reference("NtryDtls/Btch/PmtInfId"),
        batch_count=None if batch_count is None else _count(batch_count),
        note=(note or (_NOTE_REVERSAL if is_reversal else "") or additional or "")[:NOTE_LENGTH_MAX] or None,
    )


_EMPTY = Fields.empty()


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 9 else None


def _end_to_end_id(detail: Fields) -> str | None:
    """Return the reference of the transfer: EndToEndId, else one of ours where some banks put it in a return."""
    given = detail.reference("Refs/EndToEndId")
    if given is not None and OUR_REFERENCE.fullmatch(given):
        return given
    others = detail.every("Refs/InstrId", "Refs/TxId")
    return next((text for text in others if OUR_REFERENCE.fullmatch(text)), given) if others else given


def _counterparty(detail: Fields, account_iban: str, *, is_debtor: bool) -> tuple[str | None, str | None]:
    """Return the name and IBAN of the other party: the debtor of what came in, else the creditor of what we sent."""
    roles = ("Dbtr", "Cdtr") if is_debtor else ("Cdtr", "Dbtr")
    for role in roles:
        if f"RltdPties/{role}" not in detail and f"RltdPties/{role}Acct" not in detail:
            continue
        name = detail.first(f"RltdPties/{role}/Pty/Nm", f"RltdPties/{role}/Nm")
        iban = detail.first(f"RltdPties/{role}Acct/Id/IBAN")
        if (name or iban) and iban != account_iban:
            return name and name[:NAME_LENGTH_MAX], iban and iban[:IDENTIFIER_LENGTH_MAX]
    return None, None


def _return_reason(detail: Fields) -> tuple[str, str | None]:
    """Return the code of a return and the bank's text; a reason that is no ISO code is NARR, told in the text."""
    code = detail.first("RtrInf/Rsn/Cd") or ""
    texts = detail.every("RtrInf/Rsn/Prtry", "RtrInf/AddtlInf")
    if not _REASON_CODE.fullmatch(code):
        texts, code = [code, *texts], "NARR"
    return code, " ".join(texts).strip()[:TEXT_LENGTH_MAX] or None


def _remittance(detail: Fields) -> str:
    return " ".join(detail.every("RmtInf/Ustrd", "RmtInf/Strd/CdtrRefInf/Ref"))


def _domain_code(fields: Fields) -> str | None:
    domain = fields.first("BkTxCd/Domn/Cd")
    if domain is None:
        return fields.reference("BkTxCd/Prtry/Cd")
    family = fields.first("BkTxCd/Domn/Fmly/Cd")
    return "-".join(part for part in (domain, family, fields.first("BkTxCd/Domn/Fmly/SubFmlyCd")) if part)
