"""The balances, the days and the page of a camt.053 statement: what proves that it is whole, or a whole page.

A whole statement opens with OPBD (or PRCD, the closing of the one before) and closes with CLBD. One that the bank cut in pages opens
or closes in between with an interim booked balance: ITBD, or one of those with the sub-type INTM. Available and forward balances
(CLAV, OPAV, ITAV, FWAV…) and those in another currency prove nothing here and are not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lxml import etree

from voucher.settlement.formats_in.camt_fields import Fields, WrongEntry

_OPENING_CODES = ("OPBD", "PRCD")
_CLOSING_CODES = ("CLBD",)
_INTERIM_CODE = "ITBD"
_INTERIM_SUB_TYPE = "INTM"
_TRUE = frozenset({"true", "1"})
_PAGE_DIGITS_MAX = 5
_AGAIN = "Demandez un autre fichier à la banque."


@dataclass(frozen=True, slots=True)
class Balances:
    """Signed cents and civil days of a statement or of one page; `page` is None for a statement that is whole."""

    opening_cents: int
    closing_cents: int
    opened_on: date
    closed_on: date
    page: int | None
    is_last_page: bool | None


def balances_of(element: etree._Element, head: Fields, message_head: Fields) -> Balances:
    """Read them from a `Stmt`, its head, and the head of its message. Raises WrongEntry without what proves the statement."""
    whole, interim = _kept(element)
    opening = next((whole[code] for code in _OPENING_CODES if code in whole), None)
    closing = next((whole[code] for code in _CLOSING_CODES if code in whole), None)
    is_interim = opening is None or closing is None
    page, is_last_page = _page(head, message_head, is_interim=is_interim)
    # Two interim balances stand in the order of the page; a single one takes the place that is empty.
    if opening is None and len(interim) > (closing is None):
        opening = interim[0]
    if closing is None and interim and interim[-1] is not opening:
        closing = interim[-1]
    if opening is None or closing is None:
        raise WrongEntry(_unproved("d’ouverture" if opening is None else "de clôture", page))
    closed_on = closing.day_if_sound("Dt") or head.day_if_sound("FrToDt/To")
    if closed_on is None:
        raise WrongEntry(f"Le relevé n’a pas de date. {_AGAIN}")
    opened_on = head.day_if_sound("FrToDt/Fr") or opening.day_if_sound("Dt") or closed_on
    return Balances(_signed_cents(opening), _signed_cents(closing), opened_on, closed_on, page, is_last_page)


def _kept(element: etree._Element) -> tuple[dict[str, Fields], Sequence[Fields]]:
    """Return the whole balances by code, the first of each, and the interim ones in the order of the file."""
    whole: dict[str, Fields] = {}
    interim: list[Fields] = []
    for child in element:
        if child.tag.rpartition("}")[2] != "Bal":
            continue
        balance = Fields(child)
        code = balance.first("Tp/CdOrPrtry/Cd") or ""
        if balance.first("Amt@Ccy") not in (None, "EUR"):
            continue
        if code == _INTERIM_CODE:
            interim.append(balance)
        elif code in (*_OPENING_CODES, *_CLOSING_CODES):
            if balance.first("Tp/SubTp/Cd") != _INTERIM_SUB_TYPE:
                whole.setdefault(code, balance)
            elif code in _OPENING_CODES:
                interim.insert(0, balance)
            else:
                interim.append(balance)
    return whole, interim


def _page(head: Fields, message_head: Fields, *, is_interim: bool) -> tuple[int | None, bool | None]:
    """Return the page that a statement says it is, else, if its balances say that it was cut, that of its message."""
    for fields, path in ((head, "StmtPgntn"), (message_head, "MsgPgntn")):
        number, is_last = fields.first(f"{path}/PgNb"), fields.first(f"{path}/LastPgInd") in _TRUE
        if number is None or not number.isdecimal() or len(number) > _PAGE_DIGITS_MAX or not int(number):
            continue
        if is_interim or (path == "StmtPgntn" and (int(number) != 1 or not is_last)):
            return int(number), is_last
    return None, None


def _unproved(which: str, page: int | None) -> str:
    if page is None:
        return f"Le relevé n’a pas de solde {which} : rien ne prouve qu’il est complet. {_AGAIN}"
    return (
        f"La page {page} du relevé n’a pas de solde {which}, même intermédiaire : rien ne prouve qu’elle est complète. "
        "Demandez à la banque le relevé en une seule page."
    )


def _signed_cents(balance: Fields) -> int:
    cents, is_credit = balance.cents("Amt"), balance.side("CdtDbtInd")
    if cents is None or is_credit is None:
        raise WrongEntry(f"Un solde du relevé n’a pas de montant ou de sens. {_AGAIN}")
    return cents if is_credit else -cents
