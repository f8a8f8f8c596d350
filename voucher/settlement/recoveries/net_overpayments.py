"""What a structure owes back, netted from its next advices; and what dismissed disputes freed, which they pay.

`recovered_cents` guards each overpayment: every recovery goes through one conditional UPDATE, so that whoever races, no more
comes back than was overpaid. Once a revenue order was asked for, nothing is netted any more: the public accountant collects.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, exists, insert, or_, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import not_before
from voucher.kernel.database import changed
from voucher.kernel.identifiers import new_id
from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.redemption.period import last_day
from voucher.settlement.model.batches import AdviceLine
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.recoveries import Dispute, Overpayment, Recovery
from voucher.settlement.words.states import LineNature, RecoveryKind


@dataclass(frozen=True, slots=True)
class Released:
    """An amount that a dismissed dispute freed after its period was settled: it waits for a batch, as a line of its own.

    `ended_on` is the last day of the period that its redemption was of.
    """

    dispute_id: UUID
    structure_id: UUID
    amount_cents: int
    voucher_count: int
    ended_on: date


@dataclass(frozen=True, slots=True)
class OpenOverpayment:
    """What is left of an overpayment that may still be netted."""

    overpayment_id: UUID
    structure_id: UUID
    open_cents: int


def released_amounts(session: Session, agreement_id: UUID) -> list[Released]:
    """Return what dismissed disputes freed and no batch paid yet, the oldest first."""
    rows = session.execute(
        select(
            Dispute.id,
            Dispute.structure_id,
            Dispute.amount_cents,
            Dispute.voucher_count,
            Period.opened_at,
            Period.ends_at,
            Period.closed_at,
        )
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Period, Period.id == Redemption.period_id)
        .where(Dispute.agreement_id == agreement_id, Dispute.is_released, ~is_lined())
        .order_by(Dispute.decided_at, Dispute.id)
    )
    return [Released(*row[:4], last_day(*row[4:])) for row in rows]


def released_unpaid() -> Select[*tuple[Any, ...]]:
    """Return the statement (agreement_id, structure_id, cents) of what dismissed disputes freed and no batch paid yet."""
    return select(Dispute.agreement_id, Dispute.structure_id, Dispute.amount_cents.label("cents")).where(
        Dispute.is_released, ~is_lined()
    )


def in_period_line() -> ColumnElement[bool]:
    """Return the condition that a redemption is in the line of its period, once that is settled.

    It was confirmed at that moment: it still is, or was clawed back since. What a dispute freed later has a line of its own.
    """
    of_redemption = exists().where(Dispute.redemption_id == Redemption.id)
    clawed_back = exists().where(Overpayment.redemption_id == Redemption.id)
    return and_(
        or_(
            Redemption.state == RedemptionState.CONFIRMED,
            and_(Redemption.state == RedemptionState.REVERSED, clawed_back),
        ),
        ~of_redemption.where(Dispute.is_released),
    )


def is_lined() -> ColumnElement[bool]:
    """Return the condition that an advice carries what a dispute released."""
    return exists().where(AdviceLine.nature == LineNature.RELEASED, AdviceLine.source_id == Dispute.id)


def open_overpayments(session: Session, agreement_id: UUID) -> list[OpenOverpayment]:
    """Return what may be netted for an agreement, the oldest first: neither recovered nor claimed."""
    rows = session.execute(
        select(Overpayment.id, Overpayment.structure_id, Overpayment.amount_cents - Overpayment.recovered_cents)
        .where(
            Overpayment.agreement_id == agreement_id,
            Overpayment.claimed_at.is_(None),
            Overpayment.recovered_cents < Overpayment.amount_cents,
        )
        .order_by(Overpayment.decided_at, Overpayment.id)
    )
    return [OpenOverpayment(*row) for row in rows]


def net_of(gross_cents: int, overpaid: Iterable[OpenOverpayment]) -> tuple[tuple[UUID, int], ...]:
    """Say how much of each overpayment an amount pays, in their order, never more than the amount: pure."""
    left, parts = gross_cents, []
    for one in overpaid:
        if (part := min(left, one.open_cents)) > 0:
            parts.append((one.overpayment_id, part))
            left -= part
    return tuple(parts)


def net_advice(
    session: Session, advice_id: UUID, parts: Sequence[tuple[UUID, int]], *, by: UUID, now: datetime
) -> list[UUID]:
    """Record what an advice nets, and return the recoveries' ids in the same order. Raises Refused when one changed meanwhile."""
    ids = []
    for overpayment_id, cents in parts:
        if not recover(session, overpayment_id, cents, Overpayment.claimed_at.is_(None)):
            raise Refused("overpayment_changed", "Un trop-perçu vient de changer. Rien n’a été arrêté. Recommencez.")
        ids.append(insert_recovery(session, overpayment_id, RecoveryKind.NETTED, cents, by, now, advice_id=advice_id))
    return ids


def restore_netted(session: Session, advice_id: UUID, structure_id: UUID, *, by: UUID, now: datetime) -> int:
    """Undo what an advice netted, now that it does not leave: lines that give back, overpayments open again; return the cents."""
    rows = session.execute(
        update(Recovery)
        .where(Recovery.advice_id == advice_id, Recovery.cancelled_at.is_(None))
        .values(cancelled_at=now, cancelled_by=by)
        .returning(Recovery.id, Recovery.overpayment_id, Recovery.amount_cents)
        .execution_options(synchronize_session=False)
    ).all()
    for row in rows:
        unrecover(session, row.overpayment_id, row.amount_cents)
        session.execute(
            insert(AdviceLine).values(
                advice_id=advice_id,
                nature=LineNature.RESTORED,
                source_id=row.id,
                structure_id=structure_id,
                amount_cents=row.amount_cents,
                voucher_count=0,
            )
        )
    return sum(row.amount_cents for row in rows)


def find_overpayment(session: Session, overpayment_id: UUID, issuer_id: UUID | None) -> Row[*tuple[Any, ...]]:
    """Return an overpayment of the scope with its issuer. Raises Refused."""
    found = session.execute(
        select(*Overpayment.__table__.columns, Agreement.issuer_id)
        .join(Agreement, Agreement.id == Overpayment.agreement_id)
        .where(Overpayment.id == overpayment_id, in_scope(Agreement.issuer_id, issuer_id))
    ).one_or_none()
    if found is None:
        raise Refused("unknown_overpayment", "Ce trop-perçu n’existe pas. Choisissez-le dans la liste.")
    return found


def recover(session: Session, overpayment_id: UUID, cents: int, *conditions: ColumnElement[bool]) -> bool:
    """Count cents as recovered, if so much is left and the conditions hold; return whether it was done."""
    statement = (
        update(Overpayment)
        .where(
            Overpayment.id == overpayment_id,
            Overpayment.recovered_cents + cents <= Overpayment.amount_cents,
            *conditions,
        )
        .values(recovered_cents=Overpayment.recovered_cents + cents)
        .execution_options(synchronize_session=False)
    )
    return changed(session, statement) == 1


def unrecover(session: Session, overpayment_id: UUID, cents: int) -> None:
    """Count cents of a recovery that was cancelled as owed back again."""
    session.execute(
        update(Overpayment)
        .where(Overpayment.id == overpayment_id)
        .values(recovered_cents=Overpayment.recovered_cents - cents)
        .execution_options(synchronize_session=False)
    )


def insert_recovery(
    session: Session,
    overpayment_id: UUID,
    kind: RecoveryKind,
    cents: int,
    by: UUID,
    now: datetime,
    *,
    advice_id: UUID | None = None,
    bank_line_id: UUID | None = None,
) -> UUID:
    """Write a recovery that was counted; return its id."""
    recovery_id = new_id()
    # A step is never dated before the one it follows, whatever the clocks say.
    decided_at = session.execute(select(Overpayment.decided_at).where(Overpayment.id == overpayment_id)).scalar_one()
    session.execute(
        insert(Recovery).values(
            id=recovery_id,
            overpayment_id=overpayment_id,
            kind=kind,
            amount_cents=cents,
            advice_id=advice_id,
            bank_line_id=bank_line_id,
            recovered_at=not_before(now, decided_at),
            recovered_by=by,
        )
    )
    return recovery_id
