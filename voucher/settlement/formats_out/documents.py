"""The payment advice of a structure on paper: how much, when and for which period first, then the detail.

Pure: frozen values in, bytes out; the same values give the same bytes, on any machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from voucher.kernel.calendar import french_date
from voucher.kernel.money import format_euros, thousands
from voucher.kernel.number_labels import iban_end, siret_label
from voucher.settlement.formats_out.paper import pdf, period_words


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What one structure is paid by one batch. The receipts and adjustments must sum up to `total_cents`.

    `period` is its first and last day, None when only earlier payments are made again. `payer_name` is who pays (the collectivité or
    its operator). `situation` says where the payment stands (`payment_sentences`), as known on `situation_on`.
    """

    reference: str
    batch_number: str
    agreement_name: str
    payer_name: str
    issued_on: date
    period: tuple[date, date] | None
    situation: str
    situation_on: date
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


def advice_pdf(advice: Advice) -> bytes:
    """Return the payment advice of a structure as a tagged PDF: how much, when and for which period first, then the detail."""
    receipts = [
        [
            receipt.place_name,
            french_date(receipt.used_on),
            thousands(receipt.voucher_count),
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
        "period": advice.period and period_words(advice.period),
        "situation": advice.situation,
        "situation_on": french_date(advice.situation_on),
        "structure_name": advice.structure_name,
        "siret": siret_label(advice.siret),
        "account_holder": advice.account_holder,
        "account_end": iban_end(advice.iban),
        "receipts": receipts,
        "received": format_euros(received_cents),
        "voucher_count": thousands(sum(receipt.voucher_count for receipt in advice.receipts)),
        "adjustments": [[line.label, format_euros(line.amount_cents)] for line in advice.adjustments],
        "total": format_euros(advice.total_cents),
        "is_paid": advice.total_cents > 0,
        "contact": [text for text in (advice.contact.name, advice.contact.phone, advice.contact.email) if text],
    }
    return pdf("advice.typ", values, advice.issued_on)
