"""The clock of payments: what is owed, by when, who holds it now, and for how many days it has been late.

The days are those of `payable.due_day`: what an advice carries over is due when it was first, and makes no more of it late than itself.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.network.model import Structure
from voucher.programme.model import Agreement, Issuer, SettlementChannel
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.redemption.period import last_day
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.recoveries import Dispute
from voucher.settlement.payable.debt_by_due_day import UNPAID, Part, unpaid_parts
from voucher.settlement.payable.due_day import days_left, due_on, period_due_on
from voucher.settlement.payable.next_period import IN_A_BATCH
from voucher.settlement.payable.owed import CARRIED_STATES
from voucher.settlement.payable.undecided_duplicates import is_open
from voucher.settlement.payable.why_waiting import Waiting, why_waiting
from voucher.settlement.recoveries.net_overpayments import released_unpaid
from voucher.settlement.words.payment_facts import PaymentFacts
from voucher.settlement.words.payment_sentences import said
from voucher.settlement.words.states import AdviceState, BatchState

SOON_DAYS = 7


class Stage(StrEnum):
    """Where money that is owed stands."""

    RUNNING = "en-cours"
    NOT_FROZEN = "a-arreter"
    NOT_APPROVED = "a-valider"
    NOT_SENT = "a-transmettre"
    LEFT = "transmis"
    FAILED = "refuse"
    HELD = "en-attente"


STAGE_WORDS: dict[Stage, str] = {
    Stage.RUNNING: "Mois en cours",
    Stage.NOT_FROZEN: "À arrêter",
    Stage.NOT_APPROVED: "À valider",
    Stage.NOT_SENT: "À transmettre",
    Stage.LEFT: "Transmis",
    Stage.FAILED: "Refusé par la banque",
    Stage.HELD: "En attente",
}
"""The word of each stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Money owed and due the same day: of a period, of disputes dismissed since it was settled, of a batch (to `structure_count` structures), of one advice that waits.

    `days_left` is negative when it is late. `holder` says who must act, `act` what they must do, `since_on` since when;
    `title` names in a few words why an advice waits. A batch that carries older money over is told apart from it.
    """

    stage: Stage
    agreement_id: UUID
    agreement_number: str
    issuer_name: str
    batch_id: UUID | None
    advice_id: UUID | None
    label: str
    structure_count: int
    amount_cents: int
    since_on: date
    due_on: date
    days_left: int
    holder: str
    act: str
    title: str = ""
    structure_id: UUID | None = None

    @property
    def is_running(self) -> bool:
        """Whether its month is not over."""
        return self.stage is Stage.RUNNING

    @property
    def is_to_freeze(self) -> bool:
        """Whether its period is over and no batch holds it."""
        return self.stage is Stage.NOT_FROZEN

    @property
    def is_late(self) -> bool:
        """Whether its day is over."""
        return self.days_left < 0


@dataclass(frozen=True, slots=True)
class ClockCounts:
    """How much is late, since when (the first day that passed) and in whose hands; and how much will be within a week."""

    late_count: int
    late_cents: int
    soon_count: int
    soon_cents: int
    late_since: date | None
    late_by_holder: tuple[tuple[str, int], ...]


def dues(
    database: Database, now: datetime, *, issuer_id: UUID | None = None, within_days: int | None = SOON_DAYS
) -> list[Due]:
    """Return what is late or will be within a week (or so many days; None: all that is owed), the latest first."""
    until = None if within_days is None else paris_day(now) + timedelta(days=within_days)
    with database.read() as session:
        return all_dues(session, now, until=until, issuer_id=issuer_id)


def clock_counts(found: Iterable[Due]) -> ClockCounts:
    """Sum up what `dues` found."""
    found = list(found)
    late = [one for one in found if one.is_late]
    soon = [one.amount_cents for one in found if not one.is_late]
    holders: defaultdict[str, int] = defaultdict(int)
    for one in late:
        holders[one.holder] += one.amount_cents
    return ClockCounts(
        len(late),
        sum(one.amount_cents for one in late),
        len(soon),
        sum(soon),
        min((one.due_on for one in late), default=None),
        tuple(sorted(holders.items(), key=lambda held: (-held[1], held[0]))),
    )


def late_now(database: Database, now: datetime, *, issuer_id: UUID | None = None) -> ClockCounts:
    """Return how much is late: the one figure that every page says."""
    return clock_counts(dues(database, now, issuer_id=issuer_id))


def structure_dues(database: Database, structure_id: UUID, now: datetime) -> list[Due]:
    """Return all that a structure is owed, each part with its day and who holds it, the first due first."""
    with database.read() as session:
        return all_dues(session, now, structure_id=structure_id)


def all_dues(
    session: Session,
    now: datetime,
    *,
    until: date | None = None,
    issuer_id: UUID | None = None,
    structure_id: UUID | None = None,
) -> list[Due]:
    """Return what is owed and due until a day (without one, ever), of a scope or of one structure, the first due first."""
    found = [
        *_periods(session, now, until, issuer_id, structure_id),
        *_released(session, now, until, issuer_id, structure_id),
        *_advices(session, now, until, issuer_id, structure_id),
    ]
    return sorted(found, key=lambda one: (one.due_on, one.agreement_number, one.label))


def _periods(
    session: Session, now: datetime, until: date | None, issuer_id: UUID | None, structure_id: UUID | None
) -> list[Due]:
    """Periods in no batch. Those due too late are left out before anything is summed."""
    periods = session.execute(
        select(
            Period.id, Period.number, Period.opened_at, Period.ends_at, Period.closed_at, Agreement.id, Agreement.number,
            Agreement.payment_days, Issuer.name,
        )
        .join(Agreement, Agreement.id == Period.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(~IN_A_BATCH, in_scope(Agreement.issuer_id, issuer_id))
    ).all()  # fmt: skip
    last_days = {row[0]: last_day(row[2], row[3], row[4]) for row in periods}
    wanted = {row[0]: row for row in periods if until is None or due_on(last_days[row[0]], row[7]) <= until}
    sums = (
        select(Redemption.period_id, func.count(Redemption.structure_id.distinct()), func.sum(Redemption.amount_cents))
        .where(Redemption.period_id.in_(wanted), Redemption.state == RedemptionState.CONFIRMED)
        .group_by(Redemption.period_id)
    )
    if structure_id is not None:
        sums = sums.where(Redemption.structure_id == structure_id)
    found = []
    for period_id, structure_count, cents in session.execute(sums):
        row = wanted[period_id]
        is_over = row[4] is not None or (row[3] is not None and row[3] <= now)
        ended_on = last_days[period_id]
        due_day = due_on(ended_on, row[7])
        is_running = not is_over and row[3] is not None
        told = said(PaymentFacts(today=paris_day(now), state=None, is_month_running=is_running))
        found.append(
            Due(
                stage=Stage.RUNNING if is_running else Stage.NOT_FROZEN,
                agreement_id=row[5],
                agreement_number=row[6],
                issuer_name=row[8],
                batch_id=None,
                advice_id=None,
                label=f"{row[6]}/{row[1]:02d}",
                structure_count=structure_count,
                amount_cents=int(cents),
                since_on=ended_on if is_over else paris_day(row[2]),
                due_on=due_day,
                days_left=days_left(due_day, paris_day(now)),
                holder=told.office_who,
                act=told.office_act,
            )
        )
    return found


def _released(
    session: Session, now: datetime, until: date | None, issuer_id: UUID | None, structure_id: UUID | None
) -> list[Due]:
    """What dismissed disputes freed and no batch paid: due by the day of the period, settled since, that it began in."""
    period = (Period.number, Period.opened_at, Period.ends_at, Period.closed_at)
    agreement = (Agreement.id, Agreement.number, Agreement.payment_days, Issuer.name)
    sums = (
        func.count(Dispute.structure_id.distinct()), func.sum(Dispute.amount_cents), func.min(Dispute.decided_at)
    )  # fmt: skip
    query = (
        released_unpaid()
        .with_only_columns(*period, *agreement, *sums)
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Period, Period.id == Redemption.period_id)
        .join(Agreement, Agreement.id == Dispute.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
        .group_by(Period.id, *period, *agreement)
    )
    if structure_id is not None:
        query = query.where(Dispute.structure_id == structure_id)
    told = said(PaymentFacts(today=paris_day(now), state=None))
    found = []
    for row in session.execute(query):
        due_day = period_due_on(*row[1:4], row[6])
        if until is None or due_day <= until:
            found.append(
                Due(
                    stage=Stage.NOT_FROZEN,
                    agreement_id=row[4],
                    agreement_number=row[5],
                    issuer_name=row[7],
                    batch_id=None,
                    advice_id=None,
                    label=f"{row[5]}/{row[0]:02d}, contestation levée",
                    structure_count=row[8],
                    amount_cents=int(row[9]),
                    since_on=paris_day(row[10]),
                    due_on=due_day,
                    days_left=days_left(due_day, paris_day(now)),
                    holder=told.office_who,
                    act=told.office_act,
                )
            )
    return found


def _advices(
    session: Session, now: datetime, until: date | None, issuer_id: UUID | None, structure_id: UUID | None
) -> list[Due]:
    """What batches hold and nobody was paid: those on their way by batch and day, those that wait one by one."""
    conditions = [in_scope(Agreement.issuer_id, issuer_id)]
    if structure_id is not None:
        conditions.append(PaymentAdvice.structure_id == structure_id)
    parts = {
        advice_id: [one for one in found if until is None or one.due_on <= until]
        for advice_id, found in unpaid_parts(session, *conditions).items()
    }
    rows = session.execute(
        select(
            SettlementBatch.id,
            SettlementBatch.number,
            SettlementBatch.channel,
            SettlementBatch.state,
            SettlementBatch.agreement_id,
            SettlementBatch.frozen_at,
            SettlementBatch.approved_at,
            SettlementBatch.exported_at,
            Agreement.number.label("agreement_number"),
            Issuer.name.label("issuer_name"),
            PaymentAdvice.id.label("advice_id"),
            PaymentAdvice.state.label("advice_state"),
            Structure.id.label("structure_id"),
            Structure.name.label("structure_name"),
            is_open().label("is_doubled"),
        )
        .join(PaymentAdvice, PaymentAdvice.batch_id == SettlementBatch.id)
        .join(Structure, Structure.id == PaymentAdvice.structure_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(PaymentAdvice.state.in_(UNPAID), *conditions)
    ).all()
    rows = [row for row in rows if parts.get(row.advice_id)]
    alone = [row for row in rows if _is_alone(row)]
    waits = why_waiting(session, [row.advice_id for row in alone], now)
    today = paris_day(now)
    found = [_alone_due(row, waits[row.advice_id], part, today) for row in alone for part in parts[row.advice_id]]
    together: defaultdict[tuple[UUID, str, date], list[tuple[Row[*tuple[Any, ...]], Part]]] = defaultdict(list)
    for row in rows:
        if not _is_alone(row):
            for one in parts[row.advice_id]:
                together[row.id, row.advice_state, one.due_on].append((row, one))
    return [*found, *(_batch_due(same, today) for same in together.values())]


def _is_alone(row: Row[*tuple[Any, ...]]) -> bool:
    """Whether an advice waits for something of its own, and not with its batch."""
    return row.is_doubled or row.advice_state in CARRIED_STATES


def _batch_due(same: list[tuple[Row[*tuple[Any, ...]], Part]], today: date) -> Due:
    row, due_day = same[0][0], same[0][1].due_on
    if row.advice_state == AdviceState.IN_FILE:
        stage, since = Stage.LEFT, row.exported_at
    elif row.state == BatchState.FROZEN:
        stage, since = Stage.NOT_APPROVED, row.frozen_at
    else:
        stage, since = Stage.NOT_SENT, row.approved_at
    told = said(
        PaymentFacts(
            today=today,
            state=row.advice_state,
            is_approved=row.state != BatchState.FROZEN,
            is_by_bank=row.channel == SettlementChannel.MANDATED_OPERATOR,
        )
    )
    return Due(
        stage=stage,
        agreement_id=row.agreement_id,
        agreement_number=row.agreement_number,
        issuer_name=row.issuer_name,
        batch_id=row.id,
        advice_id=None,
        label=row.number,
        structure_count=len({one.structure_id for one, _ in same}),
        amount_cents=sum(part.amount_cents for _, part in same),
        since_on=paris_day(since or row.frozen_at),
        due_on=due_day,
        days_left=days_left(due_day, today),
        holder=told.office_who,
        act=told.office_act,
    )


def _alone_due(row: Row[*tuple[Any, ...]], waiting: Waiting, part: Part, today: date) -> Due:
    """A part of an advice that waits alone: held, rejected or returned; or in transit, called a duplicate by the bank."""
    is_held = row.advice_state == AdviceState.HELD
    came_back = Stage.LEFT if row.is_doubled else Stage.FAILED
    return Due(
        stage=Stage.HELD if is_held else came_back,
        agreement_id=row.agreement_id,
        agreement_number=row.agreement_number,
        issuer_name=row.issuer_name,
        batch_id=row.id,
        advice_id=row.advice_id,
        label=row.structure_name,
        structure_count=1,
        amount_cents=part.amount_cents,
        since_on=paris_day(row.frozen_at if is_held else row.exported_at or row.frozen_at),
        due_on=part.due_on,
        days_left=days_left(part.due_on, today),
        holder=waiting.holder,
        act=waiting.act,
        title=waiting.title,
        structure_id=row.structure_id,
    )
