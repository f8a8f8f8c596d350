"""What a batch prints: the payment advice of each structure, and the état liquidatif for the public accountant.

Pure functions: frozen values in, bytes out; the same values give the same bytes, on any machine (typst with its own fonts,
dates passed in). PDFs are tagged (PDF/UA-1). An état liquidatif is for the PUBLIC_ACCOUNTANT channel, where the collectivité's
finance software makes the payment orders (domain.md §2): it carries the « service fait » and a place to sign.
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import typst

from voucher.kernel.calendar import french_date
from voucher.kernel.money import NARROW_NO_BREAK_SPACE, NO_BREAK_SPACE, format_euros
from voucher.settlement.amount_in_words import euros_in_words

_TEMPLATES = Path(__file__).parent / "print"
# What makes a spreadsheet run a cell as a formula (OWASP, CSV injection), full-width twins included.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# What the font of typst can draw (tried character by character): Latin, Greek and Cyrillic letters, French typography, money.
# PDF/UA refuses a page with a letter that cannot be drawn, and one name must never stop the payment of all the others.
_UNDRAWABLE = re.compile(
    "[^\u0020-\u007e\u00a0-\u024f\u0370-\u03ff\u0400-\u045f\u1e00-\u1eff\u2010-\u2027\u202f-\u2040\u20a0-\u20bf\u2116\u2122]"
)
_CSV_HEADER = (
    "Lot",
    "Numéro d’engagement",
    "Rang",
    "SIRET",
    "Structure",
    "Titulaire du compte",
    "IBAN",
    "Nombre de chèques",
    "Montant en euros",
)


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to ask about a payment; `email` and `phone` may be empty, not both."""

    name: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class AdviceReceipt:
    """The vouchers taken at one place on one day (Paris), undone ones left out."""

    place_name: str
    used_on: date
    voucher_count: int
    amount_cents: int


@dataclass(frozen=True, slots=True)
class AdviceAdjustment:
    """What is added to or taken from a payment: carried over, suspended, clawed back. `amount_cents` is signed."""

    label: str
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Advice:
    """What one structure is paid by one batch. The receipts and adjustments must sum up to `total_cents`.

    `payment_on` is the execution day when it is known; `payer_name` is who pays (the collectivité or its operator).
    """

    reference: str
    batch_number: str
    agreement_name: str
    payer_name: str
    issued_on: date
    period_first_on: date
    period_last_on: date
    payment_on: date | None
    structure_name: str
    siret: str
    account_holder: str
    iban: str
    receipts: Sequence[AdviceReceipt]
    adjustments: Sequence[AdviceAdjustment]
    total_cents: int
    contact: Contact

    def __post_init__(self) -> None:
        amounts = [receipt.amount_cents for receipt in self.receipts] + [line.amount_cents for line in self.adjustments]
        if sum(amounts) != self.total_cents:
            raise ValueError(f"the lines of advice {self.reference} do not sum up to its total")
        if self.total_cents < 0:
            raise ValueError(f"advice {self.reference} would take money from a structure")


@dataclass(frozen=True, slots=True)
class Payee:
    """One structure of an état liquidatif, with the account it is paid on."""

    siret: str
    name: str
    account_holder: str
    iban: str
    voucher_count: int
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Liquidation:
    """An état liquidatif: what a collectivité owes for one closed period of one agreement.

    `authority_name` is the collectivité, `signatory` the quality of who signs (« La présidente du conseil départemental »),
    `commitment_number` the number of the engagement in its finance software; None leaves a blank to fill in by hand.
    """

    batch_number: str
    agreement_name: str
    authority_name: str
    signatory: str
    commitment_number: str | None
    drawn_up_on: date
    period_first_on: date
    period_last_on: date
    payees: Sequence[Payee]

    @property
    def total_cents(self) -> int:
        """What is owed in all."""
        return sum(payee.amount_cents for payee in self.payees)

    @property
    def voucher_count(self) -> int:
        """How many vouchers are paid in all."""
        return sum(payee.voucher_count for payee in self.payees)


def advice_pdf(advice: Advice) -> bytes:
    """Return the payment advice of a structure as a tagged PDF: how much, when and for which period first, then the detail."""
    receipts = [
        [
            receipt.place_name,
            french_date(receipt.used_on),
            _count(receipt.voucher_count),
            format_euros(receipt.amount_cents),
        ]
        for receipt in advice.receipts
    ]
    received_cents = sum(receipt.amount_cents for receipt in advice.receipts)
    values = {
        "reference": advice.reference,
        "batch_number": advice.batch_number,
        "agreement_name": advice.agreement_name,
        "payer_name": advice.payer_name,
        "issued_on": french_date(advice.issued_on),
        "period": _period(advice.period_first_on, advice.period_last_on),
        "payment_on": advice.payment_on and french_date(advice.payment_on),
        "structure_name": advice.structure_name,
        "siret": _grouped_siret(advice.siret),
        "account_holder": advice.account_holder,
        "account_end": advice.iban[-4:],
        "receipts": receipts,
        "received": format_euros(received_cents),
        "voucher_count": _count(sum(receipt.voucher_count for receipt in advice.receipts)),
        "adjustments": [[line.label, format_euros(line.amount_cents)] for line in advice.adjustments],
        "total": format_euros(advice.total_cents),
        "is_paid": advice.total_cents > 0,
        "contact": [text for text in (advice.contact.name, advice.contact.phone, advice.contact.email) if text],
    }
    return _pdf("advice.typ", values, advice.issued_on)


def liquidation_pdf(liquidation: Liquidation) -> bytes:
    """Return the état liquidatif as a tagged PDF, to be signed by the authorising officer. Works for thousands of lines."""
    payees = [
        [
            str(rank),
            _grouped_siret(payee.siret),
            payee.name,
            payee.account_holder,
            _grouped_iban(payee.iban),
            _count(payee.voucher_count),
            format_euros(payee.amount_cents),
        ]
        for rank, payee in enumerate(liquidation.payees, 1)
    ]
    values = {
        "batch_number": liquidation.batch_number,
        "agreement_name": liquidation.agreement_name,
        "authority_name": liquidation.authority_name,
        "signatory": liquidation.signatory,
        "commitment_number": liquidation.commitment_number,
        "drawn_up_on": french_date(liquidation.drawn_up_on),
        "period": _period(liquidation.period_first_on, liquidation.period_last_on),
        "payees": payees,
        "payee_count": _count(len(payees)),
        "voucher_count": _count(liquidation.voucher_count),
        "total": format_euros(liquidation.total_cents),
        "total_in_words": euros_in_words(liquidation.total_cents),
    }
    return _pdf("liquidation.typ", values, liquidation.drawn_up_on)


def liquidation_csv(liquidation: Liquidation) -> bytes:
    """Return the lines of the état liquidatif for the finance software: UTF-8 with BOM, `;`, amounts with a comma, CRLF.

    No total line: each row is a payment. Texts that a spreadsheet would run as a formula get a leading apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(_CSV_HEADER)
    for rank, payee in enumerate(liquidation.payees, 1):
        euros, cents = divmod(payee.amount_cents, 100)
        texts = (payee.siret, payee.name, payee.account_holder, payee.iban)
        writer.writerow(
            [
                _safe_cell(liquidation.batch_number),
                _safe_cell(liquidation.commitment_number or ""),
                rank,
                *(_safe_cell(text) for text in texts),
                payee.voucher_count,
                f"{euros},{cents:02d}",
            ]
        )
    return ("\ufeff" + out.getvalue()).encode()


def _pdf(template: str, values: Mapping[str, Any], dated_on: date) -> bytes:
    """Compile a template with values passed as JSON: no text of a person ever becomes typst source."""
    pdf = typst.compile(
        _TEMPLATES / template,
        root=_TEMPLATES,
        sys_inputs={"data": json.dumps(_drawable(values), ensure_ascii=False)},
        ignore_system_fonts=True,
        format="pdf",
        pdf_standards=["ua-1"],
        timestamp=datetime(dated_on.year, dated_on.month, dated_on.day, tzinfo=UTC),
    )
    return pdf


def _drawable(value: Any) -> Any:
    """Return the values with their texts made of characters that can be printed; the others become « ? »."""
    match value:
        case str():
            return _UNDRAWABLE.sub(_nearest, unicodedata.normalize("NFC", value))
        case list():
            return [_drawable(item) for item in value]
        case dict():
            return {name: _drawable(item) for name, item in value.items()}
        case _:
            return value


def _nearest(undrawable: re.Match[str]) -> str:
    plain = unicodedata.normalize("NFKC", undrawable[0])
    return " " if plain.isspace() else "?" if _UNDRAWABLE.search(plain) else plain


def _safe_cell(text: str) -> str:
    return f"'{text}" if text.lstrip(f" {NO_BREAK_SPACE}{NARROW_NO_BREAK_SPACE}").startswith(_FORMULA_STARTS) else text


def _count(number: int) -> str:
    return f"{number:,}".replace(",", NARROW_NO_BREAK_SPACE)


def _period(first_on: date, last_on: date) -> str:
    return f"du {french_date(first_on)} au {french_date(last_on)}"


def _grouped_siret(siret: str) -> str:
    """Return « 123 456 789 00012 »."""
    if len(siret) != 14:
        return siret
    return NO_BREAK_SPACE.join((siret[:3], siret[3:6], siret[6:9], siret[9:]))


def _grouped_iban(iban: str) -> str:
    return NO_BREAK_SPACE.join(iban[start : start + 4] for start in range(0, len(iban), 4))
