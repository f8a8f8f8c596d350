"""The funnel: how many vouchers, and how many euros, reached each stage of their life, at the moment of reading.

It is read from what was recorded (orders, hand-overs, redemptions, advices), never from the ledger, so that the two can be
compared: what stands between two stages here is the balance of an account there (`stages.py`). No voucher is read one by one.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Select, exists, func, literal, select
from sqlalchemy.orm import Session

from voucher.distribution.model import Handover, Lapse, StockVoid, StopOrder
from voucher.issuing.model import Booklet, IssueBatch
from voucher.kernel.database import Database
from voucher.redemption.model import USED_STATES, Redemption
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.recoveries import Dispute, Overpayment, Recovery
from voucher.settlement.words.states import AdviceState, RecoveryKind

Sums = Select[int, int]
"""A statement that gives one row: vouchers and cents, both null where there are none."""


class Step(StrEnum):
    """A stage that vouchers reach one after the other, or an end they met before."""

    ORDERED = "ordered"
    MADE = "made"
    ENTRUSTED = "entrusted"
    HANDED_OVER = "handed_over"
    USED = "used"
    PAID = "paid"
    STOPPED = "stopped"
    DESTROYED = "destroyed"
    LAPSED = "lapsed"


STEPS = (Step.ORDERED, Step.MADE, Step.ENTRUSTED, Step.HANDED_OVER, Step.USED, Step.PAID)
ENDS = (Step.STOPPED, Step.DESTROYED, Step.LAPSED)


@dataclass(frozen=True, slots=True)
class Words:
    """A step's French name and the sentence that defines it."""

    name: str
    definition: str


WORDS = {
    Step.ORDERED: Words("Commandés", "L’émetteur les a commandés : leur argent est réservé."),
    Step.MADE: Words("Fabriqués", "Leur code est signé : ils peuvent être imprimés."),
    Step.ENTRUSTED: Words(
        "Confiés", "Leur carnet est sorti du stock de l’émetteur, chez un prescripteur ou une personne."
    ),
    Step.HANDED_OVER: Words(
        "Remis", "Une personne a reçu leur carnet. Un chèque utilisé sans remise enregistrée compte aussi."
    ),
    Step.USED: Words("Utilisés", "Un comptoir les a encaissés, et l’encaissement n’a pas été annulé."),
    Step.PAID: Words("Payés", "La structure est payée : une ligne de la banque le confirme."),
    Step.STOPPED: Words("Bloqués", "Leur carnet est perdu, volé ou mal imprimé : ils ne serviront plus."),
    Step.DESTROYED: Words("Détruits", "Leur carnet est détruit avant d’être remis."),
    Step.LAPSED: Words("Caducs", "Leur dernier jour est passé. L’argent revient à la convention."),
}


@dataclass(frozen=True, slots=True)
class Part:
    """Vouchers of a step, and their face value in cents."""

    voucher_count: int = 0
    amount_cents: int = 0

    def __add__(self, other: "Part") -> "Part":
        return Part(self.voucher_count + other.voucher_count, self.amount_cents + other.amount_cents)

    def __sub__(self, other: "Part") -> "Part":
        return Part(self.voucher_count - other.voucher_count, self.amount_cents - other.amount_cents)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its two figures, in vouchers; `part` of `whole`, each a step that the page names."""

    part: Step
    whole: Step
    part_count: int
    whole_count: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """Every step at the moment `read_at`, of the whole programme or of one agreement."""

    read_at: datetime
    parts: dict[Step, Part]

    def __getitem__(self, step: Step) -> Part:
        return self.parts[step]

    @property
    def handover_rate(self) -> Rate:
        """Vouchers handed over, of those made."""
        return self._rate(Step.HANDED_OVER, Step.MADE)

    @property
    def usage_rate(self) -> Rate:
        """Vouchers used, of those handed over."""
        return self._rate(Step.USED, Step.HANDED_OVER)

    @property
    def ended(self) -> Part:
        """What was stopped, destroyed or lapsed: their credit was given back."""
        return sum((self.parts[end] for end in ENDS), Part())

    @property
    def outstanding(self) -> Part:
        """What may still be used, in stock, to be made or in people's hands: the ledger's 8040 and 8045."""
        return self.parts[Step.ORDERED] - self.parts[Step.USED] - self.ended

    @property
    def owed(self) -> Part:
        """What was used and is not paid: the ledger's 4670, 4675, 4678 and 5115."""
        return self.parts[Step.USED] - self.parts[Step.PAID]

    def _rate(self, part: Step, whole: Step) -> Rate:
        return Rate(part, whole, self.parts[part].voucher_count, self.parts[whole].voucher_count)


def funnel(database: Database, *, now: datetime, agreement_id: UUID | None = None) -> Funnel:
    """Return the funnel of the programme, or of one agreement, from one state of the database."""
    with database.read() as session:
        direct = _part(session, _used_without_handover(), agreement_id)
        handed_over = _part(session, _booklets(exists().where(Handover.booklet_number == Booklet.number)), agreement_id)
        held = Booklet.prescriber_id.is_not(None) & ~exists().where(Handover.booklet_number == Booklet.number)
        parts = {
            Step.ORDERED: _part(session, _ordered(), agreement_id),
            Step.MADE: _part(session, _made(), agreement_id),
            # What a prescriber holds and people use of it without a hand-over is in both: it counts once.
            Step.ENTRUSTED: handed_over
            + _part(session, _booklets(held), agreement_id)
            + _part(session, _used_without_handover().where(Booklet.prescriber_id.is_(None)), agreement_id),
            Step.HANDED_OVER: handed_over + direct,
            Step.USED: _part(session, _used(), agreement_id, Redemption.agreement_id),
            # What was netted pays vouchers; what is owed back pays none any more.
            Step.PAID: _part(session, _paid(), agreement_id, SettlementBatch.agreement_id)
            + _part(session, _netted(), agreement_id, Overpayment.agreement_id)
            - _part(session, _overpaid(), agreement_id, Overpayment.agreement_id),
            Step.STOPPED: _part(session, _stopped(), agreement_id) + _reversed_into(session, "stopped", agreement_id),
            Step.DESTROYED: _part(session, _destroyed(), agreement_id) + _reversed_into(session, "void", agreement_id),
            Step.LAPSED: _part(session, _lapsed(), agreement_id) + _reversed_into(session, "lapsed", agreement_id),
        }
    return Funnel(now, parts)


def _part(session: Session, query: Sums, agreement_id: UUID | None, column: Any = IssueBatch.agreement_id) -> Part:
    row = session.execute(query if agreement_id is None else query.where(column == agreement_id)).one()
    return Part(int(row[0] or 0), int(row[1] or 0))


def _ordered() -> Sums:
    return select(func.sum(IssueBatch.voucher_count), func.sum(IssueBatch.voucher_count * IssueBatch.face_value_cents))


def _made() -> Sums:
    made = IssueBatch.made_booklet_count * IssueBatch.booklet_size
    return select(func.sum(made), func.sum(made * IssueBatch.face_value_cents))


def _booklets(condition: Any) -> Sums:
    return (
        select(func.sum(Booklet.size), func.sum(Booklet.size * IssueBatch.face_value_cents))
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .where(condition)
    )


def _used() -> Sums:
    return select(func.sum(Redemption.voucher_count), func.sum(Redemption.amount_cents)).where(
        Redemption.state.in_(USED_STATES)
    )


def _used_without_handover() -> Sums:
    """Only where the agreement allows it: the others' redemptions are not looked at."""
    return (
        _used()
        .join(Booklet, Booklet.number == Redemption.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .where(
            IssueBatch.is_handover_required.is_(False),
            ~exists().where(Handover.booklet_number == Redemption.booklet_number),
        )
    )


def _paid() -> Sums:
    return (
        select(func.sum(PaymentAdvice.voucher_count), func.sum(PaymentAdvice.amount_cents))
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(PaymentAdvice.state.in_((AdviceState.PAID, AdviceState.SETTLED)))
    )


def _netted() -> Sums:
    return (
        select(literal(0), func.sum(Recovery.amount_cents))
        .join(Overpayment, Overpayment.id == Recovery.overpayment_id)
        .where(Recovery.kind == RecoveryKind.NETTED, Recovery.cancelled_at.is_(None))
    )


def _overpaid() -> Sums:
    return select(func.sum(Dispute.voucher_count), func.sum(Overpayment.amount_cents)).join(
        Dispute, Dispute.id == Overpayment.dispute_id
    )


def _reversed_into(session: Session, became: str, agreement_id: UUID | None) -> Part:
    """Return the vouchers of reversed redemptions that ended with their booklet: their credit was given back."""
    query = select(func.sum(Dispute.voucher_count), func.sum(Dispute.amount_cents))
    return _part(session, query.where(Dispute.vouchers_became == became), agreement_id, Dispute.agreement_id)


def _stopped() -> Sums:
    return (
        select(func.sum(StopOrder.stopped_count), func.sum(StopOrder.released_cents))
        .join(Booklet, Booklet.number == StopOrder.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
    )


def _destroyed() -> Sums:
    """A destruction says what it gave back; the vouchers follow from the face value, whole by construction."""
    return (
        select(func.sum(StockVoid.released_cents // IssueBatch.face_value_cents), func.sum(StockVoid.released_cents))
        .join(Booklet, Booklet.number == StockVoid.first_booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
    )


def _lapsed() -> Sums:
    return select(func.sum(Lapse.stock_count + Lapse.held_count), func.sum(Lapse.released_cents)).join(
        IssueBatch, IssueBatch.id == Lapse.batch_id
    )
