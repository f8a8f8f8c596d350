"""What looks unusual in what would be frozen: signs to look at before deciding, each with the rows behind it. Never a proof.

Each kind is one or two questions to the database, whatever the number of structures.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, cast, exists, extract, func, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.calendar import french_date, french_instant
from voucher.kernel.chunks import chunks
from voucher.kernel.money import format_euros
from voucher.kernel.number_labels import iban_end
from voucher.network.model import BankDetails, Place, Structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption, RedemptionState
from voucher.settlement.formats_in.iso_reasons import explain
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.payable.owed import Owed, carried_words
from voucher.settlement.words.states import AdviceState

HIGH_DAY_VOUCHERS_MIN = 30
HIGH_DAY_RATIO = 4
HIGH_AMOUNT_CENTS_MIN = 30_000
HIGH_AMOUNT_RATIO = 3
HIGH_AMOUNT_PAST_MIN = 2  # payments before, below which nothing is usual yet
NEW_RIB_DAYS = 30
BURST_SECONDS = 600
BURST_ACTS_MIN = 10
OF_A_KIND_MAX = 50
_EVIDENCE_MAX = 8


class Sign(StrEnum):
    """What kind of thing is unusual; the value names it in a filter."""

    HELD = "attente"
    SHARED_IBAN = "iban-partage"
    NEW_RIB = "rib-recent"
    FAILED_THERE = "compte-refuse"
    HIGH_AMOUNT = "montant-inhabituel"
    HIGH_DAY = "journee-inhabituelle"
    BURST = "rafale"
    NO_OPEN_PLACE = "aucun-lieu"
    FIRST_PAYMENT = "premier-paiement"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """Something to look at before freezing. `is_blocking`: this batch will not pay the structure. `evidence`: its rows, in words."""

    sign: Sign
    structure_id: UUID
    structure_name: str
    sentence: str
    what_to_do: str
    is_blocking: bool
    amount_cents: int
    evidence: tuple[str, ...] = ()


def anomalies_of(
    session: Session,
    agreement_id: UUID,
    period_id: UUID | None,
    owed: Sequence[Owed],
    now: datetime,
    *,
    batch_id: UUID | None = None,
) -> list[Anomaly]:
    """Return what looks unusual in what an agreement owes, what will not be paid first.

    `batch_id` is the batch that pays it, once frozen: it is no past payment of itself.
    """
    found = [*_held(owed), *_shared_ibans(session, owed), *_new_ribs(session, owed, now), *_failed_there(owed)]
    issuer_id = session.execute(select(Agreement.issuer_id).where(Agreement.id == agreement_id)).scalar_one()
    found += _against_the_past(session, owed, batch_id, issuer_id)
    if period_id is not None:
        amounts = {one.structure_id: one for one in owed}
        found += [*_high_days(session, period_id, amounts), *_bursts(session, period_id, amounts)]
    return [*found, *_no_open_place(session, owed)]


def _held(owed: Iterable[Owed]) -> list[Anomaly]:
    return [
        _of(one, Sign.HELD, one.cause.sentence, one.cause.what_to_do, evidence=_sources(one), is_blocking=True)
        for one in owed
        if one.cause is not None
    ]


def _sources(one: Owed) -> tuple[str, ...]:
    lines = [f"Cette période : {format_euros(one.period_cents)}"] if one.period_cents else []
    lines += [f"{carried_words(carried)} : {format_euros(carried.amount_cents)}" for carried in one.carried]
    return tuple(lines[:_EVIDENCE_MAX])


def _shared_ibans(session: Session, owed: Sequence[Owed]) -> list[Anomaly]:
    """Whoever else has the account, owed something now or not."""
    shared = (
        select(BankDetails.iban)
        .where(BankDetails.ended_at.is_(None))
        .group_by(BankDetails.iban)
        .having(func.count(BankDetails.structure_id.distinct()) > 1)
    )
    holders: dict[str, list[tuple[UUID, str]]] = defaultdict(list)
    for row in session.execute(
        select(BankDetails.iban, Structure.id, Structure.name, Structure.pivot)
        .distinct()
        .join(Structure, Structure.id == BankDetails.structure_id)
        .where(BankDetails.ended_at.is_(None), BankDetails.iban.in_(shared))
        .order_by(Structure.name)
    ):
        holders[row.iban].append((row.id, f"{row.name} ({row.pivot})"))
    return [
        _of(
            one,
            Sign.SHARED_IBAN,
            "Une autre structure a le même IBAN.",
            "Vérifiez les deux RIB.",
            evidence=[name for structure_id, name in holders[one.iban] if structure_id != one.structure_id],
        )
        for one in owed
        if one.iban and one.iban in holders
    ][:OF_A_KIND_MAX]


def _new_ribs(session: Session, owed: Sequence[Owed], now: datetime) -> list[Anomaly]:
    """An account that replaced another not long ago: what a thief of payments does first."""
    before = aliased(BankDetails)
    rows = session.execute(
        select(
            BankDetails.structure_id,
            BankDetails.recorded_at,
            BankDetails.iban,
            before.iban,
        )
        .join(before, and_(before.structure_id == BankDetails.structure_id, before.iban != BankDetails.iban))
        .where(BankDetails.is_in_use(), BankDetails.recorded_at > now - timedelta(days=NEW_RIB_DAYS))
        .where(before.ended_at.is_not(None), before.confirmed_at.is_not(None))
        .order_by(before.ended_at)
    ).all()
    changes = {row.structure_id: row for row in rows}
    return (
        _waiting_ribs(session, owed)
        + [
            _of(
                one,
                Sign.NEW_RIB,
                f"Le RIB a changé il y a moins de {NEW_RIB_DAYS} jours.",
                "Rappelez la structure, à un numéro que vous connaissez.",
                evidence=[_change_of_rib(*changes[one.structure_id][1:])],
            )
            for one in owed
            if one.is_payable and one.structure_id in changes
        ][:OF_A_KIND_MAX]
    )


def _waiting_ribs(session: Session, owed: Sequence[Owed]) -> list[Anomaly]:
    """A RIB that nobody confirmed yet: the payment goes to the one before, which may be closed, or may be the right one."""
    rows = session.execute(
        select(BankDetails.structure_id, BankDetails.recorded_at, BankDetails.iban).where(BankDetails.is_waiting())
    )
    waiting = {row.structure_id: row for row in rows}
    return [
        _of(
            one,
            Sign.NEW_RIB,
            "Un nouveau RIB attend une confirmation : ce règlement va encore sur l’ancien.",
            "Confirmez-le avant, ou payez sur l’ancien s’il est bon.",
            evidence=[_change_of_rib(waiting[one.structure_id].recorded_at, waiting[one.structure_id].iban, one.iban)],
        )
        for one in owed
        if one.is_payable and one.iban and one.structure_id in waiting
    ][:OF_A_KIND_MAX]


def _change_of_rib(recorded_at: datetime, iban: str, iban_before: str) -> str:
    return (
        f"Enregistré le {french_instant(recorded_at)} : finit par {iban_end(iban)}, avant par {iban_end(iban_before)}"
    )


def _failed_there(owed: Iterable[Owed]) -> list[Anomaly]:
    found = []
    for one in owed:
        failed = [carried for carried in one.carried if carried.state is not AdviceState.HELD]
        if one.is_payable and any(carried.iban == one.iban for carried in failed):
            why = explain(failed[-1].state_reason)
            sentence = f"Un virement a échoué sur ce même compte. {why.sentence}"
            found.append(_of(one, Sign.FAILED_THERE, sentence, why.what_to_do, evidence=_sources(one)))
    return found


def _against_the_past(session: Session, owed: Sequence[Owed], batch_id: UUID | None, issuer_id: UUID) -> list[Anomaly]:
    """A first payment; and an amount far above what the structure is usually paid, by all agreements."""
    payable = [one for one in owed if one.is_payable]
    past: dict[UUID, tuple[int, int]] = {}
    for ids in chunks([one.structure_id for one in payable]):
        for row in session.execute(
            select(PaymentAdvice.structure_id, func.count(), func.sum(PaymentAdvice.amount_cents))
            .where(PaymentAdvice.structure_id.in_(ids), _paid_before(batch_id))
            .group_by(PaymentAdvice.structure_id)
        ):
            past[row[0]] = (int(row[1]), int(row[2]))
    first = [
        _of(one, Sign.FIRST_PAYMENT, "C’est le premier paiement de cette structure.", "Vérifiez son RIB.")
        for one in payable
        if one.structure_id not in past
    ]
    high = [one for one in payable if _is_high(one.amount_cents, *past.get(one.structure_id, (0, 0)))][:OF_A_KIND_MAX]
    last = _last_payments(session, [one.structure_id for one in high], batch_id, issuer_id)
    return [
        *(
            _of(
                one,
                Sign.HIGH_AMOUNT,
                f"Plus de {HIGH_AMOUNT_RATIO} fois ce qu’elle touche d’habitude.",
                "Demandez-lui ce qui a changé.",
                evidence=last[one.structure_id],
            )
            for one in high
        ),
        *first[:OF_A_KIND_MAX],
    ]


def _is_high(amount_cents: int, past_count: int, past_cents: int) -> bool:
    """Say whether an amount is far above the mean of those before, in whole numbers."""
    return (
        past_count >= HIGH_AMOUNT_PAST_MIN
        and amount_cents >= HIGH_AMOUNT_CENTS_MIN
        and amount_cents * past_count > HIGH_AMOUNT_RATIO * past_cents
    )


def _paid_before(batch_id: UUID | None) -> ColumnElement[bool]:
    """The condition that an advice was to be paid by another batch."""
    return and_(PaymentAdvice.is_payable, PaymentAdvice.batch_id.is_distinct_from(batch_id))


def _last_payments(
    session: Session, structure_ids: Sequence[UUID], batch_id: UUID | None, issuer_id: UUID
) -> dict[UUID, list[str]]:
    """Return the last payments of structures by one issuer: those of others are compared with, never shown."""
    found: dict[UUID, list[str]] = {each_id: [] for each_id in structure_ids}
    rows = session.execute(
        select(PaymentAdvice.structure_id, SettlementBatch.number, PaymentAdvice.amount_cents)
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(PaymentAdvice.structure_id.in_(structure_ids), _paid_before(batch_id), Agreement.issuer_id == issuer_id)
        .order_by(SettlementBatch.frozen_at.desc())
    )
    for row in rows:
        if len(found[row.structure_id]) < _EVIDENCE_MAX:
            found[row.structure_id].append(f"Lot {row.number} : {format_euros(row.amount_cents)}")
    return found


def _high_days(session: Session, period_id: UUID, owed: dict[UUID, Owed]) -> list[Anomaly]:
    """Return the days on which a structure took far more vouchers than on its other days. A sign, not a proof."""
    day = func.date(Redemption.redeemed_at)
    confirmed = (Redemption.period_id == period_id, Redemption.state == RedemptionState.CONFIRMED)
    days = (
        select(
            Redemption.structure_id,
            day.label("day"),
            func.sum(Redemption.voucher_count).label("vouchers"),
            func.sum(Redemption.amount_cents).label("cents"),
        )
        .where(*confirmed)
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
        select(days.c.structure_id, days.c.day, days.c.vouchers, days.c.cents)
        .join(totals, totals.c.structure_id == days.c.structure_id)
        .where(
            days.c.vouchers >= HIGH_DAY_VOUCHERS_MIN,
            # Above so many times the mean of the other days, in whole numbers.
            days.c.vouchers * (totals.c.day_count - 1) >= HIGH_DAY_RATIO * (totals.c.vouchers - days.c.vouchers),
        )
        .order_by(days.c.vouchers.desc())
        .limit(OF_A_KIND_MAX)
    ).all()
    by_place: dict[tuple[UUID, str], list[str]] = defaultdict(list)
    for one in session.execute(
        select(Redemption.structure_id, day, Place.name, func.count(), func.sum(Redemption.voucher_count))
        .join(Place, Place.id == Redemption.place_id)
        .where(*confirmed, Redemption.structure_id.in_({row.structure_id for row in rows}))
        .group_by(Redemption.structure_id, day, Place.name)
        .order_by(Place.name)
    ):
        by_place[one[0], str(one[1])].append(f"{one[2]} : {one[3]} encaissements, {int(one[4])} chèques")
    return [
        Anomaly(
            sign=Sign.HIGH_DAY,
            structure_id=row.structure_id,
            structure_name=owed[row.structure_id].name,
            sentence=f"Journée inhabituelle : {int(row.vouchers)} chèques le {french_date(_day(row.day))}, "
            f"pour {format_euros(int(row.cents))}.",
            what_to_do="Regardez cette journée avec la structure.",
            is_blocking=False,
            amount_cents=int(row.cents),
            evidence=tuple(by_place[row.structure_id, str(row.day)][:_EVIDENCE_MAX]),
        )
        for row in rows
        if row.structure_id in owed
    ]


def _bursts(session: Session, period_id: UUID, owed: dict[UUID, Owed]) -> list[Anomaly]:
    """Return the ten minutes in which one person redeemed again and again."""
    window = cast(extract("epoch", Redemption.redeemed_at) / BURST_SECONDS, Integer)
    rows = session.execute(
        select(
            Redemption.structure_id,
            func.min(Redemption.redeemed_at),
            func.max(Redemption.redeemed_at),
            func.count(),
            func.sum(Redemption.voucher_count),
            func.sum(Redemption.amount_cents),
        )
        .where(Redemption.period_id == period_id, Redemption.state == RedemptionState.CONFIRMED)
        .group_by(Redemption.structure_id, Redemption.mediator_id, window)
        .having(func.count() >= BURST_ACTS_MIN)
        .order_by(func.count().desc(), func.min(Redemption.redeemed_at))
        .limit(OF_A_KIND_MAX)
    )
    return [
        Anomaly(
            sign=Sign.BURST,
            structure_id=row[0],
            structure_name=owed[row[0]].name,
            sentence=f"Rafale : {row[3]} encaissements par une seule personne en moins de {BURST_SECONDS // 60} minutes.",
            what_to_do="Demandez à la structure si un atelier de groupe avait lieu.",
            is_blocking=False,
            amount_cents=int(row[5]),
            evidence=(f"Du {french_instant(row[1])} au {french_instant(row[2])} : {int(row[4])} chèques",),
        )
        for row in rows
        if row[0] in owed
    ]


def _no_open_place(session: Session, owed: Sequence[Owed]) -> list[Anomaly]:
    found: set[UUID] = set()
    is_open = exists().where(Place.structure_id == Structure.id, Place.is_open)
    for ids in chunks([one.structure_id for one in owed if one.is_payable]):
        found.update(session.scalars(select(Structure.id).where(Structure.id.in_(ids), ~is_open)))
    return [
        _of(one, Sign.NO_OPEN_PLACE, "Tous ses lieux sont fermés.", "Vérifiez qu’elle existe toujours.")
        for one in owed
        if one.structure_id in found
    ][:OF_A_KIND_MAX]


def _of(
    one: Owed,
    sign: Sign,
    sentence: str,
    what_to_do: str,
    *,
    evidence: Iterable[str] = (),
    is_blocking: bool = False,
) -> Anomaly:
    rows = tuple(evidence)[:_EVIDENCE_MAX]
    return Anomaly(
        sign=sign,
        structure_id=one.structure_id,
        structure_name=one.name,
        sentence=sentence,
        what_to_do=what_to_do,
        is_blocking=is_blocking,
        amount_cents=one.amount_cents,
        evidence=rows,
    )


def _day(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value
