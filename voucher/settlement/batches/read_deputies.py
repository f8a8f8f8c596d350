"""What pages ask of deputies: who stands in for whom, and whether a person does at this moment."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.settlement.batches.deputies import lasts_on
from voucher.settlement.model.deputies import ApproverDeputy
from voucher.settlement.model.issuer_scope import in_scope


class DeputyState(StrEnum):
    """Where a deputyship stands, of its decision and its days."""

    WAITING = "waiting"
    COMING = "coming"
    LASTING = "lasting"
    OVER = "over"
    ENDED = "ended"
    REFUSED = "refused"


DEPUTY_STATES: dict[DeputyState, str] = {
    DeputyState.WAITING: "À accepter",
    DeputyState.COMING: "À venir",
    DeputyState.LASTING: "En cours",
    DeputyState.OVER: "Terminé",
    DeputyState.ENDED: "Arrêté",
    DeputyState.REFUSED: "Refusé",
}
"""The word of each state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deputyship:
    """Who stands in for which approver, for one issuer or for all (None), from a day to another, both included."""

    id: UUID
    issuer_id: UUID | None
    approver_id: UUID
    deputy_id: UUID
    from_on: date
    until_on: date
    named_at: datetime
    decided_at: datetime | None
    decided_by: UUID | None
    ended_at: datetime | None
    ended_by: UUID | None
    state: DeputyState

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has decided it yet."""
        return self.state is DeputyState.WAITING

    @property
    def is_refused(self) -> bool:
        """Whether it was refused."""
        return self.state is DeputyState.REFUSED

    @property
    def may_end(self) -> bool:
        """Whether there is something left to end."""
        return self.state in (DeputyState.WAITING, DeputyState.COMING, DeputyState.LASTING)

    @property
    def people(self) -> set[UUID]:
        """Whose names a page of it says."""
        return {one for one in (self.approver_id, self.deputy_id, self.decided_by, self.ended_by) if one is not None}


def deputyships(database: Database, *, now: datetime, issuer_id: UUID | None = None) -> list[Deputyship]:
    """Return the deputyships of the scope, the latest days first."""
    query = (
        select(*ApproverDeputy.__table__.columns)
        .where(in_scope(ApproverDeputy.issuer_id, issuer_id))
        .order_by(ApproverDeputy.from_on.desc(), ApproverDeputy.named_at.desc(), ApproverDeputy.id)
    )
    with database.read() as session:
        return [_deputyship(row, now) for row in session.execute(query)]


def deputyship(
    database: Database, deputyship_id: UUID, *, now: datetime, issuer_id: UUID | None = None
) -> Deputyship | None:
    """Return one deputyship of the scope, or None."""
    query = select(*ApproverDeputy.__table__.columns).where(
        ApproverDeputy.id == deputyship_id, in_scope(ApproverDeputy.issuer_id, issuer_id)
    )
    with database.read() as session:
        row = session.execute(query).one_or_none()
    return None if row is None else _deputyship(row, now)


def waiting_count(database: Database) -> int:
    """Return how many wait for a person of the programme."""
    with database.read() as session:
        return session.scalar(
            select(func.count())
            .select_from(ApproverDeputy)
            .where(ApproverDeputy.decided_at.is_(None), ApproverDeputy.ended_at.is_(None))
        ) or 0  # fmt: skip


def standing_in(database: Database, account_id: UUID, *, now: datetime) -> Deputyship | None:
    """Return the deputyship by which a person approves batches at this moment, or None."""
    query = select(*ApproverDeputy.__table__.columns).where(
        ApproverDeputy.deputy_id == account_id, lasts_on(paris_day(now))
    )
    with database.ask() as connection:
        row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else _deputyship(row, now)


def was_named(database: Database, account_id: UUID) -> bool:
    """Say whether a person was ever named a deputy: their name may stand under a batch."""
    with database.read() as session:
        named = select(ApproverDeputy.id).where(ApproverDeputy.deputy_id == account_id).limit(1)
        return session.scalar(named) is not None


def _deputyship(row: Row[*tuple[Any, ...]], now: datetime) -> Deputyship:
    return Deputyship(
        id=row.id,
        issuer_id=row.issuer_id,
        approver_id=row.approver_id,
        deputy_id=row.deputy_id,
        from_on=row.from_on,
        until_on=row.until_on,
        named_at=row.named_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
        state=_state(row, paris_day(now)),
    )


def _state(row: Row[*tuple[Any, ...]], today: date) -> DeputyState:
    if row.is_accepted is False:
        return DeputyState.REFUSED
    if row.ended_at is not None:
        return DeputyState.ENDED
    if row.until_on < today:
        return DeputyState.OVER
    if row.is_accepted is None:
        return DeputyState.WAITING
    return DeputyState.LASTING if row.from_on <= today else DeputyState.COMING
