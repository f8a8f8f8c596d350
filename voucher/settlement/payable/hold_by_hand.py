"""Bloquer un paiement: a preparer decides that a structure is not paid for now, says why, and lifts it later.

What it is owed stays owed and visible. What a batch already holds for it can no longer leave: it must be set aside.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select, true, update

from voucher.kernel.calendar import french_instant
from voucher.kernel.characters import compact
from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database, changed
from voucher.kernel.idempotency import insert_once
from voucher.kernel.refusals import Refused
from voucher.kernel.rows import columns_of
from voucher.network.model import Structure
from voucher.programme.model import Agreement, Issuer
from voucher.settlement.model.batches import PaymentAdvice, PaymentHold, SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope
from voucher.settlement.words.states import AdviceState

HOLDS_MAX = 500
REASON_CHARACTERS_MAX = 150


@dataclass(frozen=True, slots=True)
class NewHold:
    """What is blocked: the structure by its SIRET or RNA, for one agreement or (None) for all."""

    id: UUID
    pivot: str
    agreement_id: UUID | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRow:
    """A hold as a list shows it; `waiting_cents` is what earlier batches owe the structure and did not pay."""

    id: UUID
    structure_id: UUID
    structure_name: str
    pivot: str
    agreement_number: str | None
    issuer_name: str | None
    reason: str
    placed_at: datetime
    placed_by: UUID
    lifted_at: datetime | None
    lifted_by: UUID | None
    lift_reason: str
    waiting_cents: int


def place_hold(database: Database, hold: NewHold, *, by: UUID, now: datetime, issuer_id: UUID | None = None) -> UUID:
    """Block a structure's payments and return the structure; the same command again changes nothing. Raises Refused.

    Finance of one issuer blocks what its own agreements pay, never another's.
    """
    reason = required_text(hold.reason, "reason", REASON_CHARACTERS_MAX)
    with database.write() as session:
        structure = session.execute(
            select(Structure.id, Structure.name).where(Structure.pivot == compact(hold.pivot))
        ).one_or_none()
        if structure is None:
            raise Refused(
                "unknown_structure", "Aucune structure ne porte ce numéro. Recopiez son SIRET ou son RNA.", "pivot"
            )
        if hold.agreement_id is None and issuer_id is not None:
            raise Refused("agreement_missing", "Choisissez une de vos conventions.", "agreement_id")
        if hold.agreement_id is not None and not session.scalar(
            select(Agreement.id).where(Agreement.id == hold.agreement_id, in_scope(Agreement.issuer_id, issuer_id))
        ):
            raise Refused("unknown_agreement", "Choisissez une convention de la liste.", "agreement_id")
        row = {
            "id": hold.id,
            "structure_id": structure.id,
            "agreement_id": hold.agreement_id,
            "reason": reason,
        }
        taken = Refused(
            "already_held", f"Les paiements de {structure.name} sont déjà bloqués. Regardez la liste.", "pivot"
        )
        insert_once(session, PaymentHold, row, {"placed_at": now, "placed_by": by, "lift_reason": ""}, taken)
    return UUID(str(structure.id))


def lift_hold(
    database: Database, hold_id: UUID, reason: str, *, by: UUID, now: datetime, issuer_id: UUID | None = None
) -> None:
    """Let the structure be paid again by the next batch; lifted before, it changes nothing. Raises Refused; a reason is required."""
    why = required_text(reason, "reason", REASON_CHARACTERS_MAX)
    with database.write() as session:
        own = (
            select(PaymentHold.id)
            .outerjoin(Agreement, Agreement.id == PaymentHold.agreement_id)
            .where(_seen(issuer_id))
        )
        lift = (
            update(PaymentHold)
            .where(PaymentHold.id == hold_id, PaymentHold.id.in_(own), PaymentHold.lifted_at.is_(None))
            # Never before it was placed, whatever the clocks say.
            .values(
                lifted_at=case((PaymentHold.placed_at > now, PaymentHold.placed_at), else_=now),
                lifted_by=by,
                lift_reason=why,
            )
            .execution_options(synchronize_session=False)
        )
        if changed(session, lift) == 1:
            return
        standing = session.execute(
            select(PaymentHold.lifted_at, PaymentHold.lifted_by).where(
                PaymentHold.id == hold_id, PaymentHold.id.in_(own)
            )
        ).one_or_none()
    if standing is None:
        raise Refused("unknown_hold", "Ce blocage n’existe pas, ou il est du programme. Regardez la liste.")
    if standing.lifted_by != by:
        raise Refused("already_lifted", f"Ce blocage a déjà été levé le {french_instant(standing.lifted_at)}.")


def payment_holds(database: Database, *, is_live: bool, issuer_id: UUID | None = None) -> list[HoldRow]:
    """Return the holds that stand, or those that were lifted, the newest first."""
    waiting = (
        select(func.coalesce(func.sum(PaymentAdvice.amount_cents), 0))
        .join(SettlementBatch, SettlementBatch.id == PaymentAdvice.batch_id)
        .where(
            PaymentAdvice.structure_id == PaymentHold.structure_id,
            PaymentAdvice.state == AdviceState.HELD,
            or_(PaymentHold.agreement_id.is_(None), PaymentHold.agreement_id == SettlementBatch.agreement_id),
        )
        .scalar_subquery()
    )
    with database.read() as session:
        rows = session.execute(
            select(
                PaymentHold.id,
                Structure.id.label("structure_id"),
                Structure.name.label("structure_name"),
                Structure.pivot,
                Agreement.number.label("agreement_number"),
                Issuer.name.label("issuer_name"),
                PaymentHold.reason,
                PaymentHold.placed_at,
                PaymentHold.placed_by,
                PaymentHold.lifted_at,
                PaymentHold.lifted_by,
                PaymentHold.lift_reason,
                waiting.label("waiting_cents"),
            )
            .join(Structure, Structure.id == PaymentHold.structure_id)
            .outerjoin(Agreement, Agreement.id == PaymentHold.agreement_id)
            .outerjoin(Issuer, Issuer.id == Agreement.issuer_id)
            .where(PaymentHold.lifted_at.is_(None) if is_live else PaymentHold.lifted_at.is_not(None), _seen(issuer_id))
            .order_by(PaymentHold.placed_at.desc(), PaymentHold.id)
            .limit(HOLDS_MAX)
        )
        return [HoldRow(**columns_of(row, "waiting_cents")) for row in rows]


def _seen(issuer_id: UUID | None) -> ColumnElement[bool]:
    """What finance of one issuer sees and lifts: its own agreements'. (What blocks all of them, the programme's finance lifts.)"""
    return true() if issuer_id is None else Agreement.issuer_id == issuer_id
