"""Écrire à la structure: one of its redemptions is contested, then decided; why, and what it changes for its payments."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_instant
from voucher.kernel.money import format_euros
from voucher.mail.queue import Letter, queue
from voucher.network.model import Place, Structure
from voucher.programme.model import Agreement
from voucher.redemption.model import Redemption
from voucher.settlement.model.recoveries import Dispute
from voucher.settlement.words.labels import DISPUTE_REASONS
from voucher.settlement.words.states import DisputeOutcome

OPENED, DECIDED = "dispute_opened", "dispute_decided"


def notify_dispute(session: Session, dispute_id: UUID, now: datetime) -> None:
    """Tell the structure of a dispute that it was opened, or what was decided; told before, it is not told again."""
    row = session.execute(
        select(
            *Dispute.__table__.columns,
            Redemption.redeemed_at,
            Place.name.label("place_name"),
            Structure.contact_email,
            Agreement.issuer_id,
        )
        .join(Redemption, Redemption.id == Dispute.redemption_id)
        .join(Place, Place.id == Redemption.place_id)
        .join(Structure, Structure.id == Dispute.structure_id)
        .join(Agreement, Agreement.id == Dispute.agreement_id)
        .where(Dispute.id == dispute_id)
    ).one()
    amount = format_euros(row.amount_cents)
    subject, changes, why = (
        _opened(amount, row.is_suspending, f"{DISPUTE_REASONS[row.reason]}. {row.facts}")
        if row.outcome is None
        else _decided(amount, DisputeOutcome(row.outcome), row.is_suspending, row.decision)
    )
    body = (
        "Bonjour,",
        f"Il s’agit de l’encaissement du {french_instant(row.redeemed_at)}, {row.place_name} : {amount}.",
        changes,
        f"Pourquoi : {why}",
        "Vous n’êtes pas d’accord ? Appelez-nous et gardez vos pièces. Le détail est sur cette page :",
    )
    letter = Letter(
        kind=OPENED if row.outcome is None else DECIDED,
        about_id=dispute_id,
        issuer_id=row.issuer_id,
        recipient=row.contact_email,
        subject=subject,
        body="\n\n".join(body),
        path=f"/comptoir/paiements/contestations/{dispute_id}",
    )
    queue(session, [letter], now)


def _opened(amount: str, is_suspending: bool, why: str) -> tuple[str, str, str]:
    changes = (
        "Son paiement est suspendu jusqu’à une décision, prise par une deuxième personne."
        if is_suspending
        else "Rien n’est retiré de vos règlements avant une décision, prise par une deuxième personne."
    )
    return f"Un encaissement de {amount} est contesté", changes, why


def _decided(amount: str, outcome: DisputeOutcome, is_suspending: bool, why: str) -> tuple[str, str, str]:
    if outcome is DisputeOutcome.DISMISSED:
        return (
            f"La contestation de {amount} est levée",
            "Cette somme vous est due, comme les autres. Vous n’avez rien à faire.",
            why,
        )
    if is_suspending:
        return f"Un encaissement de {amount} ne sera pas payé", "Il n’y a rien à rendre.", why
    return (
        f"Un encaissement de {amount} est repris",
        "Cette somme est à rendre : elle est retenue sur vos règlements suivants. Vous n’avez rien à faire.",
        why,
    )
