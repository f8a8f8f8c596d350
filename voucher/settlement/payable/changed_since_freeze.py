"""What changed since a batch was frozen: a payment never leaves to an account that two people did not see."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from voucher.kernel.refusals import Refused
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.payable.possible_double_payments import maybe_paid
from voucher.settlement.payable.why_not_paid import Payee, payees
from voucher.settlement.words.causes import Cause, maybe_paid_already
from voucher.settlement.words.states import AdviceState

CHANGE_COLUMNS = (
    PaymentAdvice.id,
    PaymentAdvice.structure_id,
    PaymentAdvice.holder_name,
    PaymentAdvice.iban,
    PaymentAdvice.bic,
    SettlementBatch.agreement_id,
    SettlementBatch.approved_by,
)
"""What `changes` reads of an advice and of its batch."""


@dataclass(frozen=True, slots=True)
class Change:
    """Why an advice cannot leave as it was frozen: a cause that keeps its structure from being paid, or a RIB that is another one.

    `sentence` says it to anyone.
    """

    cause: Cause | None
    sentence: str


@dataclass(frozen=True, slots=True)
class ChangedDetails:
    """An advice still to pay whose structure changed its RIB, or can be paid no more, since the batch was frozen."""

    advice_id: UUID
    reference: str
    structure_name: str
    amount_cents: int
    sentence: str


def changes(session: Session, rows: Sequence[Row[*tuple[Any, ...]]], known: dict[UUID, Payee]) -> dict[UUID, Change]:
    """Return what changed of advices that wait to leave, those that may leave left out; `rows` have CHANGE_COLUMNS."""
    doubtful = maybe_paid(session, [row.id for row in rows])
    found = {}
    for row in rows:
        payee = known[row.structure_id]
        cause = maybe_paid_already() if row.id in doubtful else payee.cause(row.agreement_id)
        if cause is not None:
            found[row.id] = Change(
                cause, f"Depuis l’arrêt du lot : {cause.sentence[:1].lower()}{cause.sentence[1:].rstrip('.')}."
            )
        elif (payee.iban, payee.holder_name, payee.bic) != (row.iban, row.holder_name, row.bic):
            found[row.id] = Change(None, "Le RIB de la structure a changé depuis l’arrêt du lot.")
        elif row.approved_by is not None and payee.confirmed_by == row.approved_by:
            found[row.id] = Change(None, "La personne qui a validé le lot a confirmé le RIB de la structure.")
    return found


def changed_details(session: Session, batch_id: UUID) -> list[ChangedDetails]:
    """Return the advices of a batch that cannot leave as they were frozen, by structure."""
    rows = session.execute(
        select(*CHANGE_COLUMNS, PaymentAdvice.reference, PaymentAdvice.amount_cents)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(PaymentAdvice.batch_id == batch_id, PaymentAdvice.state == AdviceState.DUE)
    ).all()
    known = payees(session, [row.structure_id for row in rows])
    changed = changes(session, rows, known)
    found = [
        ChangedDetails(row.id, row.reference, known[row.structure_id].name, row.amount_cents, changed[row.id].sentence)
        for row in rows
        if row.id in changed
    ]
    return sorted(found, key=lambda one: one.structure_name)


def refuse_changed_details(session: Session, batch_id: UUID, undone: str) -> None:
    """Raise Refused when a payment of a batch cannot leave; `undone` says what did not happen."""
    found = changed_details(session, batch_id)
    if found:
        one = found[0]
        others = f" Autres règlements dans ce cas : {len(found) - 1}." if len(found) > 1 else ""
        raise Refused(
            "details_changed",
            f"{one.structure_name} : {one.sentence[:1].lower()}{one.sentence[1:]}{others} {undone} Vérifiez auprès de la structure. "
            "La personne qui prépare les lots doit mettre ce règlement de côté : la somme restera due.",
        )
