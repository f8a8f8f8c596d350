"""What would be frozen now: who is paid how much, who cannot be, and what looks unusual, before anyone decides."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Period
from voucher.redemption.period import last_day
from voucher.settlement.batches.anomalies import Anomaly, anomalies_of
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.payable.next_period import is_over, next_period
from voucher.settlement.payable.owed import Owed, owed_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What freezing would do now. Amounts in cents. `opened_at` and `last_on` are None when no period waits.

    `is_early`: the period's month is not over, and freezing would close it now. `may_freeze`: there is something to freeze,
    perhaps only to note that nobody can be paid of a month that is over. `netted_cents` is kept for what structures owe back;
    `settled_count` of them need no transfer. `held_count` and `held_cents` are what the batch itself will hold, of this period;
    `held_before_cents` waits in earlier batches already and stays there.
    """

    agreement_id: UUID
    agreement_name: str
    number: str
    issuer_name: str
    channel: str
    opened_at: datetime | None
    last_on: date | None
    is_early: bool
    may_freeze: bool
    payable_count: int
    total_cents: int
    held_count: int
    held_cents: int
    voucher_count: int
    anomalies: tuple[Anomaly, ...]
    owed: tuple[Owed, ...]
    settled_count: int
    netted_cents: int
    held_before_cents: int


def preview_batch(
    database: Database, agreement_id: UUID, *, now: datetime, issuer_id: UUID | None = None
) -> Preview | None:
    """Return what freezing an agreement would do now, or None when the agreement is not there for this scope."""
    with database.read() as session:
        agreement = session.execute(
            select(Agreement.name, Agreement.number, Agreement.settlement_channel, Issuer.name)
            .join(Issuer, Issuer.id == Agreement.issuer_id)
            .where(Agreement.id == agreement_id, in_scope(Agreement.issuer_id, issuer_id))
        ).one_or_none()
        if agreement is None:
            return None
        period = next_period(session, agreement_id)
        number = period.number if period else 1 + _last_number(session, agreement_id)
        period_id = period.id if period else None
        owed = sorted(owed_by(session, agreement_id, period_id, now=now), key=lambda one: one.name)
        anomalies = anomalies_of(session, agreement_id, period_id, owed, now)
    payable = [one for one in owed if one.is_payable]
    settled = [one for one in owed if one.is_settled]
    held = [one for one in owed if one.why_held]
    is_finished = period is not None and is_over(period, now)
    return Preview(
        agreement_id=agreement_id,
        agreement_name=agreement[0],
        number=f"{agreement.number}/{number:02d}",
        issuer_name=agreement[3],
        channel=agreement.settlement_channel,
        opened_at=period.opened_at if period else None,
        last_on=last_day(period.opened_at, period.ends_at, period.closed_at or now) if period else None,
        is_early=period is not None and period.ends_at is not None and not is_finished,
        may_freeze=bool(payable or settled) or (is_finished and any(one.period_cents for one in held)),
        payable_count=len(payable),
        total_cents=sum(one.amount_cents for one in payable),
        held_count=sum(1 for one in held if one.period_cents),
        held_cents=sum(one.period_cents for one in held),
        voucher_count=sum(one.voucher_count for one in payable),
        anomalies=tuple(anomalies),
        owed=tuple(owed),
        settled_count=len(settled),
        netted_cents=sum(one.netted_cents for one in owed),
        held_before_cents=sum(one.amount_cents - one.period_cents for one in held),
    )


def _last_number(session: Session, agreement_id: UUID) -> int:
    return session.scalar(select(func.max(Period.number)).where(Period.agreement_id == agreement_id)) or 0
