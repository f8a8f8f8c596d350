"""What must be true of the outbox. (That a fact is told once is a unique constraint; that what it tells is true, settlement's.)"""

from functools import cache
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session

from voucher.kernel.checks import Check, Violation
from voucher.mail.model import OutboxMessage
from voucher.mail.queue import is_address

ROWS_MAX = 100


@cache
def _query_messages_can_be_sent() -> Select[*tuple[Any, ...]]:
    return select(OutboxMessage.id, OutboxMessage.recipient, OutboxMessage.subject, OutboxMessage.try_count).where(
        or_(
            OutboxMessage.sent_at.is_not(None) & (OutboxMessage.try_count == 0),
            OutboxMessage.recipient.not_like("%_@_%._%"),
            OutboxMessage.subject.like("%\n%"),
            OutboxMessage.recipient.like("%\n%"),
            OutboxMessage.recipient.like("%,%"),
        )
    )


def check_messages_can_be_sent(session: Session) -> list[Violation]:
    """Chaque message a une adresse, un objet d’une ligne, et n’est parti qu’après avoir été essayé."""
    rows = session.execute(_query_messages_can_be_sent())
    return [
        Violation(
            "messages_can_be_sent", f"message {row.id}", f"{row.try_count} essai(s), adresse {_said(row.recipient)}"
        )
        for row in rows.fetchmany(ROWS_MAX)
    ]


def _said(recipient: str) -> str:
    return "utilisable" if is_address(recipient) else "inutilisable"


CHECKS: tuple[Check, ...] = (check_messages_can_be_sent,)
