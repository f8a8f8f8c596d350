"""Contester un encaissement, puis décider: two people, and the money follows the decision.

While the redemption's period is in no batch, opening a dispute takes its amount out of what is paid (4670 to 4678). Once it is
in a batch the money has gone or is going: the dispute only says so, and a dispute that is upheld is a claw-back.
Both verbs share the lock of the agreement's periods, so that a freeze comes before or after, never between.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, select, update
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant, not_before
from voucher.kernel.clean_input import member, required_text
from voucher.kernel.database import Database
from voucher.kernel.idempotency import insert_once, is_replay
from voucher.kernel.number_labels import booklet_label
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post, post_event
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption, RedemptionState
from voucher.redemption.period import lock_periods_shared
from voucher.redemption.reverse import confirm_again, reverse_redemption, suspend
from voucher.settlement.model.batches import SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.model.recoveries import Dispute
from voucher.settlement.recoveries.claw_back import claw_back
from voucher.settlement.recoveries.write_of_dispute import notify_dispute
from voucher.settlement.words.states import DisputeOutcome, DisputeReason

FACTS_LENGTH_MAX = 500
_NOT_CONTESTABLE = {
    RedemptionState.UNDONE: "Cet encaissement a été annulé au comptoir : rien n’est dû. Il n’y a rien à contester.",
    RedemptionState.DISPUTED: "Cet encaissement est déjà contesté. Ouvrez la contestation qui attend.",
    RedemptionState.REVERSED: "Cet encaissement est déjà repris. Il n’y a rien à faire.",
}


@dataclass(frozen=True, slots=True)
class NewDispute:
    """What a person contests: the redemption, a reason of the list (`DisputeReason`), and facts, 500 characters at most."""

    id: UUID
    redemption_id: UUID
    reason: str
    facts: str


def open_dispute(
    database: Database, new: NewDispute, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> bool:
    """Contest a redemption and say whether its payment is suspended; the same command again changes nothing.

    `issuer_id` is the scope of who acts. Raises Refused: unknown, undone, contested or reversed already, no facts.
    """
    reason = member(DisputeReason, new.reason, "reason")
    facts = required_text(new.facts, "facts", FACTS_LENGTH_MAX)
    with database.write() as session:
        agreement_id = session.scalar(
            select(Redemption.agreement_id)
            .join(Agreement, Agreement.id == Redemption.agreement_id)
            .where(Redemption.id == new.redemption_id, in_scope(Agreement.issuer_id, issuer_id))
        )
        if agreement_id is None:
            raise Refused("unknown_redemption", "Cet encaissement n’existe pas. Choisissez-le dans la liste.")
        lock_periods_shared(session, agreement_id)
        found = session.execute(
            select(*Redemption.__table__.columns).where(Redemption.id == new.redemption_id).with_for_update()
        ).one()
        row: dict[str, object] = {
            "id": new.id,
            "redemption_id": new.redemption_id,
            "reason": reason,
            "facts": facts,
            "opened_by": by,
        }
        if is_replay(session, Dispute, row):
            return session.execute(select(Dispute.is_suspending).where(Dispute.id == new.id)).scalar_one()
        if found.state != RedemptionState.CONFIRMED:
            state = found.state
            raise Refused(f"redemption_{state}", _NOT_CONTESTABLE[state])
        is_suspending = not _is_in_a_batch(session, found.period_id)
        told = {
            "agreement_id": agreement_id,
            "structure_id": found.structure_id,
            "voucher_count": found.voucher_count,
            "amount_cents": found.amount_cents,
            "is_suspending": is_suspending,
            # A step is never dated before the one it follows, whatever the clocks say.
            "opened_at": not_before(now, found.redeemed_at),
        }
        taken = Refused("redemption_disputed", _NOT_CONTESTABLE[RedemptionState.DISPUTED])
        insert_once(session, Dispute, row, told, taken)
        if is_suspending:
            suspended = suspend(session, new.redemption_id)
            assert suspended, "the redemption was read confirmed, under its lock"
            _post(session, EventType.REDEMPTION_DISPUTED, new.id, found, by, now)
        notify_dispute(session, new.id, now)
    return is_suspending


def decide_dispute(
    database: Database,
    dispute_id: UUID,
    outcome: str,
    decision: str,
    *,
    by: UUID,
    now: datetime,
    issuer_id: UUID | None = None,
) -> DisputeOutcome:
    """Decide an open dispute: dismissed, the redemption is owed again; upheld, it is reversed. The same again changes nothing.

    `decision` says why, on facts. Raises Refused: unknown, decided by who opened it, decided already.
    """
    end = member(DisputeOutcome, outcome, "outcome")
    why = required_text(decision, "decision", FACTS_LENGTH_MAX)
    with database.write() as session:
        found = _dispute(session, dispute_id, issuer_id)
        if found is None:
            raise Refused("unknown_dispute", "Cette contestation n’existe pas. Choisissez-la dans la liste.")
        lock_periods_shared(session, found.agreement_id)
        is_released = (
            end is DisputeOutcome.DISMISSED and found.is_suspending and _is_in_a_batch(session, found.period_id)
        )
        reversal = None
        session.execute(select(Dispute.id).where(Dispute.id == dispute_id).with_for_update())
        _refuse_decided(session, dispute_id, end, by)
        if (standing := session.scalar(select(Dispute.outcome).where(Dispute.id == dispute_id))) is not None:
            return standing
        if end is DisputeOutcome.UPHELD:
            expected = RedemptionState.DISPUTED if found.is_suspending else RedemptionState.CONFIRMED
            reversal = reverse_redemption(session, found.redemption_id, expected)
            assert reversal is not None, "an open dispute keeps its redemption as it is"
        session.execute(
            update(Dispute)
            .where(Dispute.id == dispute_id)
            .values(
                outcome=end,
                decision=why,
                decided_at=not_before(now, found.opened_at),
                decided_by=by,
                is_released=is_released,
                vouchers_became=reversal.became if reversal else None,
            )
            .execution_options(synchronize_session=False)
        )
        if reversal is None:
            if found.is_suspending:
                is_confirmed = confirm_again(session, found.redemption_id)
                assert is_confirmed, "an open dispute keeps its redemption as it is"
                _post(session, EventType.DISPUTE_DISMISSED, dispute_id, found, by, now)
        elif found.is_suspending:
            event = Event(EventType.DISPUTE_UPHELD, dispute_id, now, _narration(found), by)
            post(session, event, reversal.movements(event.event_type))
        else:
            claw_back(session, found, reversal, _narration(found), by=by, now=now)
        notify_dispute(session, dispute_id, now)
    return end


def _dispute(session: Session, dispute_id: UUID, issuer_id: UUID | None) -> Row[*tuple[Any, ...]] | None:
    return session.execute(
        select(*Dispute.__table__.columns, Redemption.period_id, Redemption.booklet_number)
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Agreement, Agreement.id == Dispute.agreement_id)
        .where(Dispute.id == dispute_id, in_scope(Agreement.issuer_id, issuer_id))
    ).one_or_none()


def _refuse_decided(session: Session, dispute_id: UUID, end: DisputeOutcome, by: UUID) -> None:
    """Refuse who opened the dispute, and another decision than the one that stands."""
    standing = session.execute(
        select(Dispute.outcome, Dispute.opened_by, Dispute.decided_by, Dispute.decided_at).where(
            Dispute.id == dispute_id
        )
    ).one()
    if standing.opened_by == by:
        raise Refused(
            "four_eyes",
            "Vous avez ouvert cette contestation. Une autre personne doit décider : demandez à un collègue.",
        )
    if standing.outcome is not None and (standing.outcome, standing.decided_by) != (end, by):
        raise Refused(
            "already_decided",
            f"Cette contestation a été décidée le {french_instant(standing.decided_at)}. Il n’y a rien à faire.",
        )


def _is_in_a_batch(session: Session, period_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(SettlementBatch.period_id == period_id))))


def _post(
    session: Session, event_type: EventType, dispute_id: UUID, found: Row[*tuple[Any, ...]], by: UUID, now: datetime
) -> None:
    dimensions = {Dimension.AGREEMENT: found.agreement_id, Dimension.STRUCTURE: found.structure_id}
    event = Event(event_type, dispute_id, now, _narration(found), by)
    post_event(session, event, dimensions, {found.structure_id: found.amount_cents})


def _narration(found: Row[*tuple[Any, ...]]) -> str:
    return f"Carnet {booklet_label(found.booklet_number)} : {found.voucher_count} chèque{'s' if found.voucher_count > 1 else ''}"
