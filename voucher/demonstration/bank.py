"""What the demonstration's bank answers: camt.053.001.08 statements of our own making, valid against the ISO schema."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lxml import etree

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedLine:
    """A line to put on a statement; `return_reason` makes it a transfer that came back, `kind` CHRG the bank's own price."""

    reference: str
    amount_cents: int
    is_credit: bool
    end_to_end_id: str = "NOTPROVIDED"
    counterparty: str = ""
    remittance: str = ""
    return_reason: str = ""
    kind: str = "ESCT"


def statement(reference: str, iban: str, day: date, opening_cents: int, lines: Sequence[BookedLine]) -> bytes:
    """Return one statement of one account for one day: opening balance, lines, closing balance."""
    closing_cents = opening_cents + sum(line.amount_cents if line.is_credit else -line.amount_cents for line in lines)
    root = etree.Element("Document", nsmap={None: NAMESPACE})  # type: ignore[dict-item]  # None is the default one
    message = _add(root, "BkToCstmrStmt")
    header = _add(message, "GrpHdr")
    _add(header, "MsgId", f"{reference}-M")
    _add(header, "CreDtTm", f"{day.isoformat()}T20:00:00Z")
    one = _add(message, "Stmt")
    _add(one, "Id", reference)
    _add(one, "ElctrncSeqNb", "1")
    _add(one, "CreDtTm", f"{day.isoformat()}T20:00:00Z")
    account = _add(one, "Acct")
    _add(_add(account, "Id"), "IBAN", iban)
    _add(account, "Ccy", "EUR")
    for code, cents in (("OPBD", opening_cents), ("CLBD", closing_cents)):
        balance = _add(one, "Bal")
        _add(_add(_add(balance, "Tp"), "CdOrPrtry"), "Cd", code)
        _amount(balance, abs(cents))
        _add(balance, "CdtDbtInd", "CRDT" if cents >= 0 else "DBIT")
        _add(_add(balance, "Dt"), "Dt", day.isoformat())
    for line in lines:
        _entry(one, day, line)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _entry(parent: etree._Element, day: date, line: BookedLine) -> None:
    entry = _add(parent, "Ntry")
    _amount(entry, line.amount_cents)
    _add(entry, "CdtDbtInd", "CRDT" if line.is_credit else "DBIT")
    _add(_add(entry, "Sts"), "Cd", "BOOK")
    _add(_add(entry, "BookgDt"), "Dt", day.isoformat())
    _add(_add(entry, "ValDt"), "Dt", day.isoformat())
    _add(entry, "AcctSvcrRef", line.reference)
    family = _add(_add(entry, "BkTxCd"), "Domn")
    _add(family, "Cd", "PMNT")
    sub_family = "RRTN" if line.return_reason else line.kind
    kind = _add(family, "Fmly")
    _add(kind, "Cd", "RCDT" if line.is_credit and not line.return_reason else "ICDT")
    _add(kind, "SubFmlyCd", sub_family)
    details = _add(_add(entry, "NtryDtls"), "TxDtls")
    references = _add(details, "Refs")
    _add(references, "AcctSvcrRef", line.reference)
    _add(references, "EndToEndId", line.end_to_end_id)
    _amount(details, line.amount_cents)
    _add(details, "CdtDbtInd", "CRDT" if line.is_credit else "DBIT")
    if line.counterparty:
        side = "Dbtr" if line.is_credit else "Cdtr"
        _add(_add(_add(_add(details, "RltdPties"), side), "Pty"), "Nm", line.counterparty)
    if line.remittance:
        _add(_add(details, "RmtInf"), "Ustrd", line.remittance)
    if line.return_reason:
        _add(_add(_add(details, "RtrInf"), "Rsn"), "Cd", line.return_reason)


def _amount(parent: etree._Element, cents: int) -> None:
    element = _add(parent, "Amt", f"{cents // 100}.{cents % 100:02d}")
    element.set("Ccy", "EUR")


def _add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    element = etree.SubElement(parent, name)
    element.text = text
    return element
