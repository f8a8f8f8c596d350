"""What would be frozen now: who is paid how much, who cannot be, and what looks unusual, before anyone decides."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date
from voucher.kernel.database import Database
from voucher.kernel.money import format_euros
from voucher.network.model import Structure
from voucher.programme.model import Agreement, Issuer
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.settlement.model import AdviceState
from voucher.settlement.owed import Owed, owed_by
from voucher.settlement.reasons import explain
from voucher.settlement.scope import in_scope

HIGH_DAY_VOUCHERS_MIN = 30
HIGH_DAY_RATIO = 4
_ANOMALIES_MAX = 50


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something to look at before freezing; `is_blocking` says that the structure will not be paid by this batch."""

    structure_name: str
    sentence: str
    is_blocking: bool
    amount_cents: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What freezing would do now. `opened_at` is None when no period is open. Amounts in cents."""

    agreement_id: UUID
    agreement_name: str
    number: str
    issuer_name: str
    channel: str
    opened_at: datetime | None
    payable_count: int
    total_cents: int
    held_count: int
    held_cents: int
    voucher_count: int
    anomalies: tuple[Anomaly, ...]
    owed: tuple[Owed, ...]


def preview_batch(database: Database, agreement_id: UUID, *, issuer_id: UUID | None = None) -> Preview | None:
    """Return what freezing an agreement would do now, or None when the agreement is not there for this scope."""
    with database.read() as session:
        agreement = session.execute(
            select(Agreement.name, Agreement.number, Agreement.settlement_channel, Issuer.name)
            .join(Issuer, Issuer.id == Agreement.issuer_id)
            .where(Agreement.id == agreement_id, in_scope(Agreement.issuer_id, issuer_id))
        ).one_or_none()
        if agreement is None:
            return None
        period = session.execute(
            select(Period.id, Period.number, Period.opened_at).where(
                Period.agreement_id == agreement_id, Period.closed_at.is_(None)
            )
        ).one_or_none()
        number = period.number if period else 1 + _last_number(session, agreement_id)
        owed = sorted(owed_by(session, agreement_id, period.id if period else None), key=lambda one: one.name)
        anomalies = [*_of_structures(owed), *(_high_days(session, period.id) if period else [])]
    payable = [one for one in owed if one.is_payable]
    held = [one for one in owed if not one.is_payable]
    return Preview(
        agreement_id,
        agreement[0],
        f"{agreement.number}/{number:02d}",
        agreement[3],
        agreement.settlement_channel,
        period.opened_at if period else None,
        len(payable),
        sum(one.amount_cents for one in payable),
        len(held),
        sum(one.amount_cents for one in held),
        sum(one.voucher_count for one in payable),
        tuple(anomalies),
        tuple(owed),
    )


def _last_number(session: Session, agreement_id: UUID) -> int:
    return session.scalar(select(func.max(Period.number)).where(Period.agreement_id == agreement_id)) or 0


def _of_structures(owed: list[Owed]) -> list[Anomaly]:
    found = [Anomaly(one.name, one.why_held, True, one.amount_cents) for one in owed if not one.is_payable]
    ibans = Counter(one.iban for one in owed if one.iban)
    found += [
        Anomaly(one.name, "Une autre structure a le même IBAN. Vérifiez les deux RIB.", False, one.amount_cents)
        for one in owed
        if one.iban and ibans[one.iban] > 1
    ]
    for one in owed:
        failed = [carried for carried in one.carried if carried.state is not AdviceState.HELD]
        if one.is_payable and any(carried.iban == one.iban for carried in failed):
            why = explain(failed[-1].state_reason)
            sentence = f"Un virement a échoué sur ce même compte. {why.sentence} {why.what_to_do}"
            found.append(Anomaly(one.name, sentence, False, one.amount_cents))
    return found


def _high_days(session: Session, period_id: UUID) -> list[Anomaly]:
    """Return the days on which a structure took far more vouchers than on its other days. A sign, not a proof."""
    day = func.date(Redemption.redeemed_at)
    days = (
        select(
            Redemption.structure_id,
            day.label("day"),
            func.sum(Redemption.voucher_count).label("vouchers"),
            func.sum(Redemption.amount_cents).label("cents"),
        )
        .where(Redemption.period_id == period_id, Redemption.state == RedemptionState.CONFIRMED)
        .group_by(Redemption.structure_id, day)
        .subquery()
    )
    totals = (
        select(
            days.c.structure_id,
            func.sum(days.c.vouchers).label("vouchers"),
            func.count().label("day_count"),
        )
        .group_by(days.c.structure_id)
        .having(func.count() > 1)
        .subquery()
    )
    rows = session.execute(
        select(Structure.name, days.c.day, days.c.vouchers, days.c.cents, totals.c.vouchers, totals.c.day_count)
        .join(totals, totals.c.structure_id == days.c.structure_id)
        .join(Structure, Structure.id == days.c.structure_id)
        .where(
            days.c.vouchers >= HIGH_DAY_VOUCHERS_MIN,
            # Above so many times the mean of the other days, in whole numbers.
            days.c.vouchers * (totals.c.day_count - 1) >= HIGH_DAY_RATIO * (totals.c.vouchers - days.c.vouchers),
        )
        .order_by(days.c.vouchers.desc())
        .limit(_ANOMALIES_MAX)
    ).all()
    return [
        Anomaly(
            row[0],
            f"Journée inhabituelle : {int(row[2])} chèques le {french_date(_day(row[1]))}, pour {format_euros(int(row[3]))}. "
            "Regardez cette journée avec la structure.",
            False,
            int(row[3]),
        )
        for row in rows
    ]


def _day(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value
