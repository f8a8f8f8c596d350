"""The line of a CFONB 120 movement: its references, names and words, from the movement (04) and its complements (05) by their qualifiers.

Qualifiers of the CFONB: NPY and NPO name the debtor, NBE and NBU the creditor, CPY and CBE their accounts; LCC and LC2 are the words from client
to client, LIB the bank's; RCN begins with the reference from end to end, REF with that of the payment block; MMO is the amount in its own currency.
"""

import re
from collections.abc import Mapping, Sequence

from voucher.kernel.money import NO_BREAK_SPACE
from voucher.settlement.formats_in.camt_fields import figure, identifier
from voucher.settlement.formats_in.camt_lines import (
    NAME_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    OUR_REFERENCE,
    TEXT_LENGTH_MAX,
    BankLine,
)
from voucher.settlement.formats_in.cfonb_records import Record

_IBAN = re.compile(r"[A-Z]{2}\d{2}[0-9A-Z]{11,30}", re.ASCII)
_ORIGINAL = re.compile(r"(?P<currency>[A-Z]{3})(?P<decimals>\d)(?P<digits>\d{1,14})", re.ASCII)
_REFERENCE_LENGTH = 35


def line_of_movement(record: Record, complements: Sequence[Record], signed_cents: int) -> BankLine:
    """Return the one line of a movement."""
    texts = _by_qualifier(complements)
    is_credit = signed_cents > 0
    reference = _end_to_end_id(record, texts)
    motive = record.text[40:42].strip(" 0")
    comes_back = is_credit and (bool(motive) or OUR_REFERENCE.fullmatch(reference or "") is not None)
    is_debtor = is_credit and not comes_back
    names, accounts = (("NPY", "NPO"), "CPY") if is_debtor else (("NBE", "NBU"), "CBE")
    account = _IBAN.match(texts.get(accounts, "").replace(" ", ""))
    words = (texts.get("LCC", "") + texts.get("LC2", "")).strip() or texts.get("LIB", "").strip()
    block = texts.get("REF", "")[:_REFERENCE_LENGTH].strip()
    notes = [f"Motif de rejet de la banque : {motive}."] if motive else []
    if original := _ORIGINAL.match(texts.get("MMO", "")):
        decimals = int(original["decimals"])
        digits = original["digits"].rjust(decimals + 1, "0")
        amount = f"{int(digits[: len(digits) - decimals])}{'.' if decimals else ''}{digits[len(digits) - decimals :]}"
        if original["currency"] != "EUR":
            notes.append(f"Montant d’origine : {figure(amount)}{NO_BREAK_SPACE}{original['currency']}.")
    return BankLine(
        part=1,
        amount_cents=abs(signed_cents),
        is_credit=is_credit,
        is_reversal=False,
        is_charge=False,
        end_to_end_id=reference,
        counterparty_name=next(
            (texts[name].strip()[:NAME_LENGTH_MAX] for name in names if texts.get(name, "").strip()), None
        ),
        counterparty_iban=None if account is None else account[0],
        return_reason="NARR" if is_credit and motive else None,
        return_additional=None,
        remittance=" ".join(f"{record.text[48:79]} {words}".split())[:TEXT_LENGTH_MAX],
        domain_code=f"CFONB-{record.text[32:34].strip()}",
        message_id=None,
        payment_information_id=identifier(block) if block else None,
        batch_count=None,
        note=" ".join(notes)[:NOTE_LENGTH_MAX] or None,
    )


def _by_qualifier(complements: Sequence[Record]) -> Mapping[str, str]:
    """Return the texts of the complements, those of one qualifier put together in their order."""
    texts: dict[str, str] = {}
    for record in complements:
        qualifier = record.text[45:48]
        texts[qualifier] = texts.get(qualifier, "") + record.text[48:118]
    return texts


def _end_to_end_id(record: Record, texts: Mapping[str, str]) -> str | None:
    """Return the reference of the transfer: RCN's if it is ours, else the only one of ours that the words hold, else RCN's."""
    given = identifier(texts.get("RCN", "")[:_REFERENCE_LENGTH].strip())
    if given is not None and OUR_REFERENCE.fullmatch(given):
        return given
    words = (texts.get("LCC", "") + texts.get("LC2", ""), record.text[48:79], record.text[104:120], *texts.values())
    ours = {found for text in words for found in OUR_REFERENCE.findall(text)}
    return ours.pop() if len(ours) == 1 else given
