"""Commit credits to an agreement: an amount of whole vouchers, within its ceiling, that orders may then issue."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from voucher.kernel.clean_input import required_text
from voucher.kernel.database import Database
from voucher.kernel.idempotency import is_replay
from voucher.kernel.money import format_euros
from voucher.kernel.refusals import Refused
from voucher.ledger.chart import Dimension, EventType
from voucher.ledger.post import Event, post_event
from voucher.programme.end_share import apply_endings
from voucher.programme.model import Agreement, AgreementShare, Commitment, Credit
from voucher.programme.rules import parts_of, refuse_bad_amount, refuse_part_of_voucher


@dataclass(frozen=True, slots=True)
class NewCommitment:
    """An amount in cents, a whole number of vouchers, with the reference of the act that commits it."""

    id: UUID
    agreement_id: UUID
    amount_cents: int
    reference: str


def commit(database: Database, commitment: NewCommitment, *, by: UUID, now: datetime) -> UUID:
    """Commit credits and return the commitment's id; the same command again changes nothing.

    Each funder's part is cumulative over the vouchers committed so far, so that several commitments sum to the cent.
    Raises Refused (unknown agreement, part of a voucher, beyond the ceiling).
    """
    refuse_bad_amount(commitment.amount_cents, "amount_cents")
    row: dict[str, object] = {
        "id": commitment.id,
        "agreement_id": commitment.agreement_id,
        "amount_cents": commitment.amount_cents,
        "reference": required_text(commitment.reference, "reference", 60),
    }
    with database.write() as session:
        # The agreement's row orders its commitments; SQLite has one writer anyway.
        agreement = session.execute(
            select(Agreement).where(Agreement.id == commitment.agreement_id).with_for_update()
        ).scalar_one_or_none()
        if agreement is None:
            raise Refused(
                "unknown_agreement", "Cette convention n’existe pas. Choisissez-en une dans la liste.", "agreement_id"
            )
        if is_replay(session, Commitment, row):
            return commitment.id
        apply_endings(session, agreement, now)
        refuse_part_of_voucher(commitment.amount_cents, agreement.face_value_cents, "amount_cents")
        before_cents = _take_from_ceiling(session, commitment)
        # Positions are counted anew in each share set: what is kept from those that ended has its own parts.
        parts = _parts_by_funder(session, agreement, commitment.amount_cents, before_cents - agreement.kept_cents)
        session.execute(
            insert(Commitment).values(**row, share_set=agreement.share_set, committed_at=now, committed_by=by)
        )
        for funder_id, part_cents in sorted(parts.items()):
            session.execute(
                update(Credit)
                .where(Credit.agreement_id == commitment.agreement_id, Credit.funder_id == funder_id)
                .values(available_cents=Credit.available_cents + part_cents)
                .execution_options(synchronize_session=False)
            )
        event = Event(EventType.CREDITS_COMMITTED, commitment.id, now, f"Engagement {row['reference']}", by)
        post_event(session, event, {Dimension.AGREEMENT: commitment.agreement_id}, parts)
    return commitment.id


def _take_from_ceiling(session: Session, commitment: NewCommitment) -> int:
    """Add to what is committed if the ceiling allows it; return what was committed before, in cents."""
    committed_cents = session.execute(
        update(Agreement)
        .where(
            Agreement.id == commitment.agreement_id,
            Agreement.committed_cents + commitment.amount_cents <= Agreement.ceiling_cents,
        )
        .values(committed_cents=Agreement.committed_cents + commitment.amount_cents)
        .returning(Agreement.committed_cents)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if committed_cents is not None:
        return committed_cents - commitment.amount_cents
    left_cents = session.execute(
        select(Agreement.ceiling_cents - Agreement.committed_cents).where(Agreement.id == commitment.agreement_id)
    ).scalar_one()
    raise Refused(
        "ceiling_exceeded",
        f"Il reste {format_euros(left_cents)} à engager sous le plafond de cette convention. Baissez le montant.",
        "amount_cents",
    )


def _parts_by_funder(
    session: Session, agreement: Agreement, amount_cents: int, before_cents: int
) -> Mapping[UUID, int]:
    shares = session.execute(
        select(AgreementShare.funder_id, AgreementShare.share_basis_points)
        .where(AgreementShare.agreement_id == agreement.id)
        .order_by(AgreementShare.rank)
    ).all()
    parts = parts_of(
        amount_cents, agreement.face_value_cents, [share.share_basis_points for share in shares], before_cents
    )
    return {share.funder_id: part for share, part in zip(shares, parts, strict=True)}
