"""The clock of payments: what is owed, by when, who holds it now, and for how many days it has been late.

A period is due some days (thirty, unless the agreement says otherwise) after its last day; an advice since its oldest part was.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import paris_day
from voucher.kernel.database import Database
from voucher.network.model import Structure
from voucher.programme.model import Agreement, Issuer, SettlementChannel
from voucher.redemption.model import Period, Redemption, RedemptionState
from voucher.redemption.period import last_day
from voucher.settlement.due_periods import IN_A_BATCH
from voucher.settlement.held import Held
from voucher.settlement.model import AdviceState, BatchState, PaymentAdvice, SettlementBatch
from voucher.settlement.reasons import explain
from voucher.settlement.scope import in_scope

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


STAGE_WORDS: dict[Stage, tuple[str, str]] = {
    Stage.RUNNING: ("Mois en cours", "neutral"),
    Stage.NOT_FROZEN: ("À arrêter", "wait"),
    Stage.NOT_APPROVED: ("À valider", "wait"),
    Stage.NOT_SENT: ("À transmettre", "wait"),
    Stage.LEFT: ("Transmis", "info"),
    Stage.FAILED: ("Refusé par la banque", "danger"),
    Stage.HELD: ("En attente", "warn"),
}
"""The word of each stage, and the kind of its tag."""


@dataclass(frozen=True, slots=True)
class Due:
    """Money owed: a period or a batch (of `structure_count` structures), or one advice that failed or is held (of one).

    `days_left` is negative when it is late. `holder` says who must act, `act` what they must do, `since_on` since when.
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

    @property
    def is_late(self) -> bool:
        """Whether its day is over."""
        return self.days_left < 0


@dataclass(frozen=True, slots=True)
class ClockCounts:
    """How much is late, and how much will be within a week."""

    late_count: int
    late_cents: int
    soon_count: int
    soon_cents: int


def dues(database: Database, now: datetime, *, issuer_id: UUID | None = None) -> list[Due]:
    """Return what is late or will be within a week, the latest first."""
    today = paris_day(now)
    with database.read() as session:
        return all_dues(session, now, until=today + timedelta(days=SOON_DAYS), issuer_id=issuer_id)


def clock_counts(found: Iterable[Due]) -> ClockCounts:
    """Sum up what `dues` found."""
    found = list(found)
    late = [one.amount_cents for one in found if one.is_late]
    soon = [one.amount_cents for one in found if not one.is_late]
    return ClockCounts(len(late), sum(late), len(soon), sum(soon))


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
    today = paris_day(now)
    found = [
        *_periods(session, now, until, issuer_id, structure_id),
        *_batches(session, today, until, issuer_id, structure_id),
        *_alone(session, today, until, issuer_id, structure_id),
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
    wanted = {row[0]: row for row in periods if until is None or last_days[row[0]] + timedelta(days=row[7]) <= until}
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
        due_on = ended_on + timedelta(days=row[7])
        is_running = not is_over and row[3] is not None
        found.append(
            Due(
                Stage.RUNNING if is_running else Stage.NOT_FROZEN,
                row[5],
                row[6],
                row[8],
                None,
                None,
                f"{row[6]}/{row[1]:02d}",
                structure_count,
                int(cents),
                ended_on if is_over else paris_day(row[2]),
                due_on,
                (due_on - paris_day(now)).days,
                "Personne : le mois n’est pas fini" if is_running else "La personne qui prépare les lots",
                "Attendre la fin du mois." if is_running else "Arrêter le lot.",
            )
        )
    return found


def _batches(
    session: Session, today: date, until: date | None, issuer_id: UUID | None, structure_id: UUID | None
) -> list[Due]:
    """Batches with payments that are on their way."""
    query = _of_batches(
        issuer_id,
        PaymentAdvice.state.label("advice_state"),
        func.count().label("structures"),
        func.sum(PaymentAdvice.amount_cents).label("cents"),
        func.min(PaymentAdvice.due_on).label("due_on"),
    )
    query = _narrowed(query, until, structure_id).where(PaymentAdvice.state.in_((AdviceState.DUE, AdviceState.IN_FILE)))
    rows = session.execute(query.group_by(*_BATCH_COLUMNS, Agreement.number, Issuer.name, PaymentAdvice.state))
    return [_batch_due(row, today) for row in rows]


def _batch_due(row: Row[*tuple[Any, ...]], today: date) -> Due:
    if row.advice_state == AdviceState.IN_FILE:
        is_bank = row.channel == SettlementChannel.MANDATED_OPERATOR
        stage, since, holder = Stage.LEFT, row.exported_at, "La banque" if is_bank else "Le comptable public"
        act = "Payer. Importer les relevés pour le savoir."
    elif row.state == BatchState.FROZEN:
        stage, since, holder = Stage.NOT_APPROVED, row.frozen_at, "La personne qui valide les lots"
        act = "Valider le lot."
    else:
        stage, since, holder = Stage.NOT_SENT, row.approved_at, "La personne qui prépare les lots"
        act = "Transmettre le lot."
    return Due(
        stage,
        row.agreement_id,
        row.agreement_number,
        row.issuer_name,
        row.id,
        None,
        row.number,
        row.structures,
        int(row.cents),
        paris_day(since or row.frozen_at),
        row.due_on,
        (row.due_on - today).days,
        holder,
        act,
    )


def _alone(
    session: Session, today: date, until: date | None, issuer_id: UUID | None, structure_id: UUID | None
) -> list[Due]:
    """Advices that wait alone: held, rejected or returned; one row a structure."""
    query = _of_batches(
        issuer_id,
        PaymentAdvice.id.label("advice_id"),
        PaymentAdvice.state.label("advice_state"),
        PaymentAdvice.state_reason,
        PaymentAdvice.amount_cents,
        PaymentAdvice.due_on,
        Structure.name.label("structure_name"),
    ).join(Structure, Structure.id == PaymentAdvice.structure_id)
    waiting = (AdviceState.HELD, AdviceState.REJECTED, AdviceState.RETURNED)
    rows = session.execute(_narrowed(query, until, structure_id).where(PaymentAdvice.state.in_(waiting)))
    return [_alone_due(row, today) for row in rows]


def _alone_due(row: Row[*tuple[Any, ...]], today: date) -> Due:
    if row.advice_state == AdviceState.HELD:
        stage, since = Stage.HELD, row.frozen_at
        holder, act = _who_lifts(row.state_reason)
    else:
        stage, since = Stage.FAILED, row.exported_at
        holder, act = "La structure", f"{explain(row.state_reason).sentence} Donner un nouveau RIB."
    return Due(
        stage,
        row.agreement_id,
        row.agreement_number,
        row.issuer_name,
        row.id,
        row.advice_id,
        row.structure_name,
        1,
        row.amount_cents,
        paris_day(since or row.frozen_at),
        row.due_on,
        (row.due_on - today).days,
        holder,
        act,
    )


def _who_lifts(reason: str) -> tuple[str, str]:
    if reason.startswith(Held.SUSPENDED):
        return "Le programme", f"{reason}. Lever la suspension ou l’expliquer."
    if reason.startswith(Held.BLOCKED):
        return "La personne qui prépare les lots", f"{reason}. Lever le blocage ou l’expliquer."
    if reason.startswith(Held.BELOW_MINIMUM):
        return "Personne", reason
    if reason.startswith((Held.NO_RIB, Held.BAD_RIB)):
        return "La structure", f"{reason} Donner un RIB à jour."
    return "La personne qui prépare les lots", f"Mis de côté : {reason}. Le lot suivant le reprend."


_BATCH_COLUMNS = (
    SettlementBatch.id,
    SettlementBatch.number,
    SettlementBatch.channel,
    SettlementBatch.state,
    SettlementBatch.agreement_id,
    SettlementBatch.frozen_at,
    SettlementBatch.approved_at,
    SettlementBatch.exported_at,
)


def _of_batches(issuer_id: UUID | None, *columns: Any) -> Select[*tuple[Any, ...]]:
    return (
        select(*_BATCH_COLUMNS, Agreement.number.label("agreement_number"), Issuer.name.label("issuer_name"), *columns)
        .join(PaymentAdvice, PaymentAdvice.batch_id == SettlementBatch.id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .join(Issuer, Issuer.id == Agreement.issuer_id)
        .where(in_scope(Agreement.issuer_id, issuer_id))
    )


def _narrowed(
    query: Select[*tuple[Any, ...]], until: date | None, structure_id: UUID | None
) -> Select[*tuple[Any, ...]]:
    if until is not None:
        query = query.where(PaymentAdvice.due_on <= until)
    return query if structure_id is None else query.where(PaymentAdvice.structure_id == structure_id)
