"""Renvoyer: try a message again that was given up or that waits, perhaps to a corrected address."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from voucher.kernel.calendar import french_instant
from voucher.kernel.database import Database, changed
from voucher.kernel.refusals import Refused
from voucher.mail.model import OutboxMessage
from voucher.mail.queue import is_address


def send_again(
    database: Database,
    message_id: UUID,
    recipient: str,
    *,
    by: UUID,  # noqa: ARG001 - a use case says who acts
    now: datetime,
    issuer_id: UUID | None = None,
) -> None:
    """Put a message that was not sent back at the head, its tries forgotten; again, it changes nothing. Raises Refused."""
    if not is_address(recipient):
        raise Refused(
            "bad_address",
            "Cette adresse ne peut pas recevoir de message. Corrigez-la sur la fiche de la structure, puis recommencez.",
        )
    with database.write() as session:
        retry = update(OutboxMessage).where(OutboxMessage.id == message_id, OutboxMessage.sent_at.is_(None))
        if issuer_id is not None:
            retry = retry.where(OutboxMessage.issuer_id == issuer_id)
        retry = retry.values(recipient=recipient, try_count=0, next_try_at=now, given_up_at=None, failure="")
        if changed(session, retry) == 1:
            return
        sent_at = session.scalar(select(OutboxMessage.sent_at).where(OutboxMessage.id == message_id))
        if sent_at is None:
            raise Refused("unknown_message", "Ce message n’existe pas. Choisissez-le dans la liste.")
        raise Refused("already_sent", f"Ce message est parti le {french_instant(sent_at)}. Il n’y a rien à renvoyer.")
