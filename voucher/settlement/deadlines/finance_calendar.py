"""The calendar of settlement, agreement by agreement: when its month ends, what waits for whom, what is late first."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, select

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.programme.model import Agreement, Issuer, SettlementRhythm
from voucher.redemption.model import Period
from voucher.settlement.deadlines.deadlines_by_action import DueGroup, by_cause
from voucher.settlement.deadlines.payment_deadlines import Due, Stage, all_dues
from voucher.settlement.model.issuer_scope import in_scope

RHYTHM_WORDS: dict[str, str] = {SettlementRhythm.MONTHLY: "Chaque mois", SettlementRhythm.ON_DEMAND: "À la demande"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementCalendar:
    """An agreement with what is due. `cut_off_on`: the last day of its open month; None when no month is open.

    `steps` are its periods, batches and payments that wait, the first due first; `may_freeze` says that one is to freeze.
    """

    agreement_id: UUID
    number: str
    name: str
    issuer_name: str
    settlement_rhythm: str
    payment_days: int
    minimum_payment_cents: int
    cut_off_on: date | None
    steps: tuple[Due, ...]

    @property
    def is_monthly(self) -> bool:
        """Whether its periods are months; else it settles when asked."""
        return self.settlement_rhythm == SettlementRhythm.MONTHLY

    @property
    def late_cents(self) -> int:
        """How much of it is late."""
        return sum(step.amount_cents for step in self.steps if step.is_late)

    def groups(self, stages: Collection[Stage]) -> list[DueGroup]:
        """Return its steps of some stages, gathered by batch or by cause."""
        return by_cause(step for step in self.steps if step.stage in stages)

    @property
    def next_due_on(self) -> date | None:
        """The first day by which something should be paid."""
        return self.steps[0].due_on if self.steps else None

    @property
    def may_freeze(self) -> bool:
        """Whether a period waits to be frozen."""
        return any(step.stage is Stage.NOT_FROZEN for step in self.steps)


def calendar(database: Database, now: datetime, *, issuer_id: UUID | None = None) -> list[AgreementCalendar]:
    """Return the agreements that owe something or may still be used, those that are late first."""
    with database.read() as session:
        rows = session.execute(
            select(
                Agreement.id,
                Agreement.number,
                Agreement.name,
                Issuer.name.label("issuer_name"),
                Agreement.settlement_rhythm,
                Agreement.payment_days,
                Agreement.minimum_payment_cents,
                Agreement.grace_until,
                Period.ends_at,
            )
            .join(Issuer, Issuer.id == Agreement.issuer_id)
            .outerjoin(Period, and_(Period.agreement_id == Agreement.id, Period.closed_at.is_(None)))
            .where(in_scope(Agreement.issuer_id, issuer_id))
        ).all()
        steps: dict[UUID, list[Due]] = {}
        for one in all_dues(session, now, issuer_id=issuer_id):
            steps.setdefault(one.agreement_id, []).append(one)
    today = paris_day(now)
    found = [
        AgreementCalendar(
            agreement_id=row.id,
            number=row.number,
            name=row.name,
            issuer_name=row.issuer_name,
            settlement_rhythm=row.settlement_rhythm,
            payment_days=row.payment_days,
            minimum_payment_cents=row.minimum_payment_cents,
            cut_off_on=_cut_off(row.ends_at, now),
            steps=tuple(steps.get(row.id, ())),
        )
        for row in rows
        if row.id in steps or row.grace_until >= today
    ]
    return sorted(found, key=lambda one: (-one.late_cents, one.next_due_on or date.max, one.number))


def _cut_off(ends_at: datetime | None, now: datetime) -> date | None:
    return None if ends_at is None or ends_at <= now else paris_day(ends_at) - timedelta(days=1)
