"""Écrire à la structure: one of its redemptions is contested, then decided; why, and what it changes for its payments."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant
from voucher.kernel.money import format_euros
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.queue import Letter, queue
from voucher.network.model import Place, Structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption
from voucher.settlement.model.recoveries import Dispute, Overpayment
from voucher.settlement.words.dispute_sentences import DisputeFacts, dispute_said
from voucher.settlement.words.labels import DISPUTE_REASONS
from voucher.settlement.words.states import DisputeOutcome


def notify_dispute(session: Session, dispute_id: UUID, now: datetime) -> None:
    """Tell the structure of a dispute that it was opened, or what was decided; told before, it is not told again."""
    row = session.execute(
        select(
            *Dispute.__table__.columns,
            Redemption.redeemed_at,
            Place.name.label("place_name"),
            Structure.contact_email,
            Agreement.issuer_id,
            (Overpayment.amount_cents - Overpayment.recovered_cents).label("left_cents"),
        )
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Place, Place.id == Redemption.place_id)
        .join(Structure, Structure.id == Dispute.structure_id)
        .join(Agreement, Agreement.id == Dispute.agreement_id)
        .outerjoin(Overpayment, Overpayment.dispute_id == Dispute.id)
        .where(Dispute.id == dispute_id)
    ).one()
    amount = format_euros(row.amount_cents)
    told = dispute_said(
        DisputeFacts(
            is_upheld=None if row.outcome is None else row.outcome == DisputeOutcome.UPHELD,
            is_suspending=row.is_suspending,
            is_released=row.is_released,
            left_cents=row.left_cents,
        )
    )
    why = f"{DISPUTE_REASONS[row.reason]}. {row.facts}" if row.outcome is None else row.decision
    body = (
        "Bonjour,",
        f"Il s’agit de l’encaissement du {french_instant(row.redeemed_at)}, {row.place_name} : {amount}.",
        f"{told.what} {told.money}",
        f"Pourquoi : {why}",
        "Vous n’êtes pas d’accord ? Appelez-nous et gardez vos pièces. Le détail est sur cette page :",
    )
    letter = Letter(
        kind=LetterKind.DISPUTE_OPENED if row.outcome is None else LetterKind.DISPUTE_DECIDED,
        about_id=dispute_id,
        issuer_id=row.issuer_id,
        recipient=row.contact_email,
        subject=f"{amount} : {told.what[:1].lower()}{told.what[1:].rstrip('.')}",
        body="\n\n".join(body),
        path=f"/comptoir/paiements/contestations/{dispute_id}",
    )
    queue(session, [letter], now)
