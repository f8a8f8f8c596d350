"""How a violation is said to people: what they call the things that its check knows by an identifier.

A check says « structure 0192… » or « compte 4670 agreement=… »: it stands in a room that does not know the names of others. Here, above
them all, each identifier gets its name, and keeps its own value where a name is not enough to find the row. What is gone from the
database keeps its identifier alone.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session, aliased

from voucher.accounting.model import StockCount
from voucher.distribution.model import Prescriber
from voucher.funding.model import FundingClose, FundsCall, FundsReceipt
from voucher.issuing.model import IssueBatch
from voucher.kernel.calendar import french_date, french_instant, paris_day
from voucher.kernel.checks import Violation
from voucher.kernel.chunks import chunks
from voucher.kernel.number_labels import booklet_label, iban_label, serial_label
from voucher.ledger.chart import RULES, EventType
from voucher.ledger.model import Entry
from voucher.mail.model import OutboxMessage
from voucher.network.model import BankDetails, Place, PlacesImport, Structure
from voucher.programme.model import Agreement, Commitment, CreditRelease, Envelope, Funder, Issuer, PayingAccount
from voucher.redemption.model import Period, Redemption
from voucher.settlement.model.bank import BankMatch
from voucher.settlement.model.batches import BankLine, PaymentAdvice
from voucher.settlement.model.recoveries import Dispute, Overpayment, Recovery

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DIMENSION = re.compile(r" (funder|agreement|structure|bank_account)=")
_DIMENSIONS = {
    "funder": ", financeur ",
    "agreement": ", convention ",
    "structure": ", structure ",
    "bank_account": ", compte payeur ",
}
_EVENT = re.compile(rf"\b({'|'.join(sorted(EventType, key=len, reverse=True))})\b")

Words = Callable[[Row[*tuple[Any, ...]]], str]


def _used(row: Row[*tuple[Any, ...]]) -> str:
    return f"du {french_instant(row.redeemed_at)}, carnet {booklet_label(row.booklet_number)}, à {row.place}"


def _kinds() -> tuple[tuple[Select[*tuple[Any, ...]], Any, Words], ...]:
    """Return, for each kind of thing, how its rows are read, by which column, and how one is called."""
    agreement, structure, place = Agreement.number.label("agreement"), Structure.name.label("structure"), aliased(Place)
    used = select(Redemption.redeemed_at, Redemption.booklet_number, place.name.label("place")).join(
        place, place.id == Redemption.place_id
    )
    of_use = used.select_from(Redemption)
    return (
        (select(Funder.name), Funder.id, lambda row: f"{row.name}"),
        (select(Issuer.name), Issuer.id, lambda row: f"{row.name}"),
        (select(Agreement.number), Agreement.id, lambda row: f"{row.number}"),
        (select(PayingAccount.name), PayingAccount.id, lambda row: f"« {row.name} »"),
        (select(Prescriber.name), Prescriber.id, lambda row: f"« {row.name} »"),
        (select(Structure.name, Structure.pivot), Structure.id, lambda row: f"{row.name} ({row.pivot})"),
        (select(Place.name, Place.city), Place.id, lambda row: f"« {row.name} » à {row.city}"),
        (select(PlacesImport.file_name), PlacesImport.id, lambda row: f"du fichier {row.file_name}"),
        (
            select(BankDetails.iban, structure).join(Structure, Structure.id == BankDetails.structure_id),
            BankDetails.id,
            lambda row: f"{iban_label(row.iban)} de {row.structure}",
        ),
        (
            select(IssueBatch.first_serial, IssueBatch.voucher_count, agreement).join(
                Agreement, Agreement.id == IssueBatch.agreement_id
            ),
            IssueBatch.id,
            lambda row: (
                f"des chèques {serial_label(row.first_serial)} à {serial_label(row.first_serial + row.voucher_count - 1)}, "
                f"convention {row.agreement}"
            ),
        ),
        (
            select(Period.number, agreement).join(Agreement, Agreement.id == Period.agreement_id),
            Period.id,
            lambda row: f"{row.number} de la convention {row.agreement}",
        ),
        (of_use, Redemption.id, _used),
        (
            used.join(Dispute, Dispute.redemption_id == Redemption.id),
            Dispute.id,
            lambda row: f"de l’encaissement {_used(row)}",
        ),
        (
            used.join(Overpayment, Overpayment.redemption_id == Redemption.id),
            Overpayment.id,
            lambda row: f"de l’encaissement {_used(row)}",
        ),
        (
            used.join(Overpayment, Overpayment.redemption_id == Redemption.id).join(
                Recovery, Recovery.overpayment_id == Overpayment.id
            ),
            Recovery.id,
            lambda row: f"du trop-perçu de l’encaissement {_used(row)}",
        ),
        (select(PaymentAdvice.reference), PaymentAdvice.id, lambda row: f"{row.reference}"),
        (select(FundsCall.reference), FundsCall.id, lambda row: f"{row.reference}"),
        (
            select(FundsCall.reference, FundsReceipt.booked_on).join(
                FundsReceipt, FundsReceipt.call_id == FundsCall.id
            ),
            FundsReceipt.id,
            lambda row: f"du {french_date(row.booked_on)} sur l’appel {row.reference}",
        ),
        (
            select(FundingClose.number, Funder.name, agreement)
            .join(Funder, Funder.id == FundingClose.funder_id)
            .join(Agreement, Agreement.id == FundingClose.agreement_id),
            FundingClose.id,
            lambda row: f"{row.number} de {row.name}, convention {row.agreement}",
        ),
        (
            select(BankLine.booked_on, BankLine.bank_reference).join(BankMatch, BankMatch.line_id == BankLine.id),
            BankMatch.id,
            lambda row: f"de la ligne {row.bank_reference} du {french_date(row.booked_on)}",
        ),
        (
            select(StockCount.counted_on, Issuer.name, Prescriber.name.label("prescriber"))
            .join(Issuer, Issuer.id == StockCount.issuer_id)
            .outerjoin(Prescriber, Prescriber.id == StockCount.prescriber_id),
            StockCount.id,
            lambda row: f"du {french_date(row.counted_on)} chez {row.prescriber or row.name}",
        ),
        (
            select(OutboxMessage.subject, OutboxMessage.created_at),
            OutboxMessage.id,
            lambda row: f"« {row.subject} » du {french_date(paris_day(row.created_at))}",
        ),
        (
            select(Commitment.reference, agreement).join(Agreement, Agreement.id == Commitment.agreement_id),
            Commitment.id,
            lambda row: f"« {row.reference} », convention {row.agreement}",
        ),
        (
            select(Envelope.name, Funder.name.label("funder")).join(Funder, Funder.id == Envelope.funder_id),
            Envelope.id,
            lambda row: f"« {row.name} » de {row.funder}",
        ),
        (
            select(Funder.name, agreement)
            .join(CreditRelease, CreditRelease.funder_id == Funder.id)
            .join(Agreement, Agreement.id == CreditRelease.agreement_id),
            CreditRelease.id,
            lambda row: f"de {row.name}, convention {row.agreement}",
        ),
        (
            select(Entry.narration, Entry.effective_on),
            Entry.id,
            lambda row: f"« {row.narration} » du {french_date(row.effective_on)}",
        ),
    )


# Of these a name says which one; the others keep their identifier beside it.
_NAMED_ALONE = (
    Funder,
    Issuer,
    Agreement,
    PayingAccount,
    Structure,
    PaymentAdvice,
    FundsCall,
    IssueBatch,
    Period,
    FundingClose,
)


def in_words(session: Session, violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Return violations as people read them: names for identifiers, accounts and events in French."""
    plain = [
        Violation(violation.check, _without_codes(violation.subject), _without_codes(violation.detail))
        for violation in violations
    ]
    ids = {UUID(found) for one in plain for found in _ID.findall(f"{one.subject} {one.detail}")}
    if not ids:
        return tuple(plain)
    names = _names(session, sorted(ids))

    def named(text: str) -> str:
        return _ID.sub(lambda found: names.get(found[0], found[0]), text)

    return tuple(Violation(one.check, named(one.subject), named(one.detail)) for one in plain)


def _names(session: Session, ids: list[UUID]) -> dict[str, str]:
    found: dict[str, str] = {}
    for query, column, words in _kinds():
        is_enough = column.class_ in _NAMED_ALONE
        for part in chunks(ids):
            for row in session.execute(query.add_columns(column.label("named_id")).where(column.in_(part))):
                key = str(row.named_id)
                found.setdefault(key, words(row) if is_enough else f"{words(row)} ({key})")
    return found


def _without_codes(text: str) -> str:
    text = _DIMENSION.sub(lambda found: _DIMENSIONS[found[1]], text)
    return _EVENT.sub(lambda found: f"« {RULES[EventType(found[1])].name} »", text)
