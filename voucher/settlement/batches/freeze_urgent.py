"""Payer sans attendre: pay again at once what failed, for chosen structures, while the agreement's open period stays open.

The batch has no period: it takes up advices that were rejected, returned or held, and nothing that counters took since. It is
frozen, approved by a second person and sent as any other; its file asks the bank for priority.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import EventType
from voucher.ledger.post import Event, post
from voucher.programme.model import Agreement, SettlementChannel
from voucher.redemption.model import Period
from voucher.redemption.period import lock_periods
from voucher.settlement.batches.anomalies import Anomaly, anomalies_of
from voucher.settlement.batches.deputies import refuse_if_deputy
from voucher.settlement.batches.freeze import Frozen, carry_over, standing_batch
from voucher.settlement.batches.write_advices import batch_movements, write_advices
from voucher.settlement.model.batches import SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.payable.owed import Owed, owed_by
from voucher.settlement.payable.why_waiting import Waiting, why_waiting
from voucher.settlement.words.states import BatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class UrgentLine:
    """What one structure could be paid again now; `why_not` is a French sentence, empty when nothing stands in the way."""

    structure_id: UUID
    name: str
    pivot: str
    amount_cents: int
    voucher_count: int
    why_failed: str
    why_not: str


@dataclass(frozen=True, slots=True)
class UrgentPreview:
    """What failed in an agreement's batches and waits; `anomalies` are of what may be paid now."""

    agreement_id: UUID
    agreement_name: str
    channel: str
    number: str
    lines: tuple[UrgentLine, ...]
    anomalies: tuple[Anomaly, ...]

    @property
    def is_for_the_bank(self) -> bool:
        """Whether its files go to the bank, and not to a public accountant."""
        return self.channel == SettlementChannel.MANDATED_OPERATOR


def urgent_preview(
    database: Database, agreement_id: UUID, *, now: datetime, issuer_id: UUID | None = None
) -> UrgentPreview | None:
    """Return what an urgent batch could pay, by structure, or None when the agreement is not there for this scope."""
    with database.read() as session:
        agreement = session.execute(
            select(Agreement.name, Agreement.number, Agreement.settlement_channel).where(
                Agreement.id == agreement_id, in_scope(Agreement.issuer_id, issuer_id)
            )
        ).one_or_none()
        if agreement is None:
            return None
        owed = _failed(session, agreement_id, now)
        number = _number(session, agreement_id, agreement.number)
        waits = why_waiting(session, [carried.advice_id for one in owed for carried in one.carried], now)
        anomalies = anomalies_of(session, agreement_id, None, [one for one in owed if not why_not(one)], now)
    lines = sorted(
        (
            UrgentLine(
                structure_id=one.structure_id,
                name=one.name,
                pivot=one.pivot,
                amount_cents=one.amount_cents,
                voucher_count=one.voucher_count,
                why_failed=" ".join(_why_failed(one, waits)),
                why_not=why_not(one),
            )
            for one in owed
        ),
        key=lambda line: (line.why_not != "", line.name),
    )
    return UrgentPreview(
        agreement_id, agreement.name, agreement.settlement_channel, number, tuple(lines), tuple(anomalies)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UrgentOffer:
    """What failed for a structure in an agreement, and why it cannot be paid again now; empty where it can."""

    agreement_id: UUID
    agreement_number: str
    structure_id: UUID
    amount_cents: int
    why_not: str


def urgent_offers(
    database: Database, agreement_ids: Collection[UUID], *, now: datetime, issuer_id: UUID | None = None
) -> dict[tuple[UUID, UUID], UrgentOffer]:
    """Return what failed in these agreements of the scope, by agreement and structure, as an urgent batch would take it."""
    with database.read() as session:
        rows = session.execute(
            select(Agreement.id, Agreement.number).where(
                Agreement.id.in_(list(agreement_ids)), in_scope(Agreement.issuer_id, issuer_id)
            )
        ).all()
        return {
            (row.id, one.structure_id): UrgentOffer(
                agreement_id=row.id,
                agreement_number=row.number,
                structure_id=one.structure_id,
                amount_cents=one.amount_cents,
                why_not=why_not(one),
            )
            for row in rows
            for one in _failed(session, row.id, now)
        }


def freeze_urgent_batch(
    database: Database,
    batch_id: UUID,
    agreement_id: UUID,
    structure_ids: Collection[UUID],
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> Frozen:
    """Freeze an urgent batch of what failed for these structures; the same command again changes nothing. Raises Refused.

    All of them are paid or none is: one whose cause is not mended (no usable RIB, suspended, blocked, an account on which the
    bank said it cannot pay) is refused with its name. The least amount of the agreement does not apply: a person decided.
    """
    with database.write() as session:
        refuse_if_deputy(session, by=by, now=now)
        agreement = session.execute(
            select(Agreement.number, Agreement.settlement_channel).where(
                Agreement.id == agreement_id, in_scope(Agreement.issuer_id, issuer_id)
            )
        ).one_or_none()
        if agreement is None:
            raise Refused("unknown_agreement", "Cette convention n’existe pas. Choisissez-la dans la liste.")
        # The same lock as an ordinary freeze: one batch at a time takes up what failed.
        lock_periods(session, agreement_id)
        if (standing := standing_batch(session, batch_id, agreement_id, structure_ids)) is not None:
            return standing
        if not structure_ids:
            raise Refused("no_structure", "Choisissez au moins une structure à payer.", "structures")
        owed = [one for one in _failed(session, agreement_id, now) if one.structure_id in structure_ids]
        if len(owed) != len(set(structure_ids)):
            raise Refused(
                "nothing_failed", "Une de ces structures n’attend plus rien. Rechargez la page, puis recommencez."
            )
        for one in owed:
            if reason := why_not(one):
                raise Refused("not_mended", f"{one.name} : {reason} Rien n’a été arrêté.")
        frozen = Frozen(
            batch_id,
            _number(session, agreement_id, agreement.number),
            len(owed),
            sum(one.amount_cents for one in owed),
            0,
        )
        session.execute(
            insert(SettlementBatch).values(
                id=batch_id,
                number=frozen.number,
                agreement_id=agreement_id,
                period_id=None,
                channel=agreement.settlement_channel,
                state=BatchState.FROZEN,
                advice_count=frozen.advice_count,
                total_cents=frozen.total_cents,
                frozen_at=now,
                frozen_by=by,
            )
        )
        write_advices(session, batch_id, None, owed, by=by, now=now)
        carry_over(session, batch_id, owed, by=by, now=now)
        event = Event(EventType.BATCH_FROZEN, batch_id, now, f"Lot {frozen.number}", by)
        post(session, event, batch_movements(agreement_id, owed))
    return frozen


def why_not(one: Owed) -> str:
    """Return why a structure is not paid again now, with what to do; empty when the cause of its failure is mended."""
    if one.cause is not None:
        return one.cause.act
    if not one.is_payable:
        return "Ce qu’elle doit rendre couvre la somme : un lot ordinaire la soldera, sans virement."
    return ""


def _failed(session: Session, agreement_id: UUID, now: datetime) -> list[Owed]:
    """Return what is owed of earlier batches, without any period; however little it is, it may be paid."""
    return [one for one in owed_by(session, agreement_id, None, now=now, has_minimum=False) if one.carried]


def _why_failed(one: Owed, waits: Mapping[UUID, Waiting]) -> list[str]:
    """Return where each payment of earlier batches that waits stands."""
    return [f"Lot {carried.batch_number} : {waits[carried.advice_id].said.what}" for carried in one.carried]


def _number(session: Session, agreement_id: UUID, agreement_number: str) -> str:
    """Return the next urgent batch's number: the last closed period's, and its rank after it."""
    last = session.scalar(
        select(func.max(Period.number)).where(Period.agreement_id == agreement_id, Period.closed_at.is_not(None))
    )
    stem = f"{agreement_number}/{last or 0:02d}-U"
    rank = session.scalar(
        select(func.count())
        .select_from(SettlementBatch)
        .where(
            SettlementBatch.agreement_id == agreement_id,
            SettlementBatch.period_id.is_(None),
            SettlementBatch.number.startswith(stem, autoescape=True),
        )
    )
    return f"{stem}{(rank or 0) + 1}"
