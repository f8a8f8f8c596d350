"""A structure as finance reads it: what it is owed and was paid, what was written to it, what is contested, its RIBs."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked
from voucher.mail.read import MessageRow, messages_about
from voucher.network.read_structures import StructurePage, structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption
from voucher.settlement.batches.freeze_urgent import UrgentOffer, urgent_offers
from voucher.settlement.batches.read_advices import AdviceRow, advices
from voucher.settlement.batches.write_to_structures import facts_told_to
from voucher.settlement.deadlines.payment_deadlines import Due, all_dues
from voucher.settlement.deadlines.read_payments import Owing, owing
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.recoveries.read_disputes import DisputeLine, disputes

SHOWN_MAX = 50
"""How many payments, disputes and messages are shown, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureAccount:
    """All of it, in a scope. `offers` say, by agreement, what failed and may be paid again now, or why not."""

    page: StructurePage
    sums: Owing
    dues: tuple[Due, ...]
    offers: tuple[UrgentOffer, ...]
    payments: tuple[AdviceRow, ...]
    payment_count: int
    disputes: tuple[DisputeLine, ...]
    dispute_count: int
    messages: tuple[MessageRow, ...]


def structure_account(
    database: Database, structure_id: UUID, *, now: datetime, issuer_id: UUID | None = None
) -> StructureAccount | None:
    """Return a structure's account, or None where it does not exist or never used a voucher of the scope."""
    page = structure(database, structure_id)
    with database.read() as session:
        if page is None or (issuer_id is not None and not session.scalar(select(_has_used(structure_id, issuer_id)))):
            return None
        of_scope = set(session.scalars(select(Agreement.id).where(in_scope(Agreement.issuer_id, issuer_id))))
        dues = tuple(due for due in all_dues(session, now, structure_id=structure_id) if due.agreement_id in of_scope)
        messages = messages_about(session, facts_told_to(structure_id), issuer_id=issuer_id, limit=SHOWN_MAX)
    failed_in = {due.agreement_id for due in dues if due.advice_id is not None}
    offers = urgent_offers(database, failed_in, now=now, issuer_id=issuer_id)
    newest = Asked(sort="frozen_at", descending=True, limit=SHOWN_MAX)
    payments = advices(database, newest, structure_id=structure_id, issuer_id=issuer_id)
    opened = replace(newest, sort="opened_at")
    contested = disputes(database, opened, structure_id=structure_id, issuer_id=issuer_id)
    return StructureAccount(
        page=page,
        sums=owing(database, structure_id, issuer_id=issuer_id),
        dues=dues,
        offers=tuple(offer for offer in offers.values() if offer.structure_id == structure_id),
        payments=tuple(payments.rows),
        payment_count=payments.count,
        disputes=tuple(contested.rows),
        dispute_count=contested.count,
        messages=tuple(messages),
    )


def _has_used(structure_id: UUID, issuer_id: UUID) -> ColumnElement[bool]:
    """Return the condition that a structure used a voucher of the issuer, or was paid by it."""
    redeemed = exists().where(
        Redemption.structure_id == structure_id,
        Redemption.agreement_id == Agreement.id,
        Agreement.issuer_id == issuer_id,
    )
    paid = exists().where(
        PaymentAdvice.structure_id == structure_id,
        PaymentAdvice.batch_id == SettlementBatch.id,
        SettlementBatch.agreement_id == Agreement.id,
        Agreement.issuer_id == issuer_id,
    )
    return or_(redeemed, paid)
