"""What the page of messages asks: how many wait, were sent or failed, and each of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, func, or_, select, true
from sqlalchemy.orm import Session

from voucher.kernel.database import Database
from voucher.kernel.keyset import Asked, Page, page_of
from voucher.kernel.search import contains
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.model import OutboxMessage


class MessageState(StrEnum):
    """Where a message stands; `retrying`: a try failed and another one comes."""

    WAITING = "attente"
    RETRYING = "nouvel-essai"
    SENT = "envoye"
    GIVEN_UP = "abandonne"


STATE_WORDS: dict[MessageState, str] = {
    MessageState.WAITING: "À envoyer",
    MessageState.RETRYING: "Nouvel essai prévu",
    MessageState.SENT: "Envoyé",
    MessageState.GIVEN_UP: "Abandonné",
}
"""The word of each state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message of the outbox."""

    id: UUID
    kind: LetterKind
    about_id: UUID
    recipient: str
    subject: str
    body: str
    path: str
    created_at: datetime
    try_count: int
    next_try_at: datetime
    sent_at: datetime | None
    failure: str
    state: MessageState

    @property
    def will_be_tried(self) -> bool:
        """Whether it waits for its first try, or another."""
        return self.state in (MessageState.WAITING, MessageState.RETRYING)

    @property
    def has_failed(self) -> bool:
        """Whether a try failed and it has not left since."""
        return self.state in (MessageState.GIVEN_UP, MessageState.RETRYING)


ACCOUNT_LETTERS = tuple(kind for kind in LetterKind if kind.startswith("account_"))
"""Letters to people about their own accounts, which are the programme's affair alone."""

_STATE: Any = case(
    (OutboxMessage.sent_at.is_not(None), MessageState.SENT.value),
    (OutboxMessage.given_up_at.is_not(None), MessageState.GIVEN_UP.value),
    (OutboxMessage.failure != "", MessageState.RETRYING.value),
    else_=MessageState.WAITING.value,
).label("state")


def message_counts(
    database: Database, *, issuer_id: UUID | None = None, with_accounts: bool = False
) -> dict[MessageState, int]:
    """Return how many messages stand in each state, in the scope."""
    with database.read() as session:
        in_scope = _in_scope(issuer_id, with_accounts)
        rows = session.execute(select(_STATE, func.count()).where(in_scope).group_by(_STATE))
        found = {MessageState(row[0]): int(row[1]) for row in rows}
    return {state: found.get(state, 0) for state in MessageState}


def messages(
    database: Database,
    asked: Asked,
    *,
    issuer_id: UUID | None = None,
    with_accounts: bool = False,
) -> Page[MessageRow]:
    """Return a page of messages by time. Filters: `state`, `text` (address or subject).

    `with_accounts`: with those to people about their own accounts, which are the programme's affair alone.
    """
    query = select(*OutboxMessage.__table__.columns, _STATE).where(_in_scope(issuer_id, with_accounts))
    if state := asked.filters.get("state"):
        query = query.where(_STATE.in_([state]))
    if words := asked.filters.get("text"):
        query = query.where(or_(contains(OutboxMessage.recipient, words), contains(OutboxMessage.subject, words)))
    with database.read() as session:
        page = page_of(session, query, {"created_at": OutboxMessage.created_at}, [OutboxMessage.id], asked)
    return page.of(_row(row) for row in page.rows)


def message(
    database: Database, message_id: UUID, *, issuer_id: UUID | None = None, with_accounts: bool = False
) -> MessageRow | None:
    """Return one message, or None when it is not there for this scope."""
    with database.read() as session:
        row = session.execute(
            select(*OutboxMessage.__table__.columns, _STATE).where(
                OutboxMessage.id == message_id, _in_scope(issuer_id, with_accounts)
            )
        ).one_or_none()
    return None if row is None else _row(row)


def messages_about(session: Session, about: Any, *, issuer_id: UUID | None = None, limit: int) -> list[MessageRow]:
    """Return the newest messages about some facts (a statement of their ids), in the scope."""
    rows = session.execute(
        select(*OutboxMessage.__table__.columns, _STATE)
        .where(OutboxMessage.about_id.in_(about), _in_scope(issuer_id, with_accounts=False))
        .order_by(OutboxMessage.created_at.desc(), OutboxMessage.id)
        .limit(limit)
    )
    return [_row(row) for row in rows]


def _in_scope(issuer_id: UUID | None, with_accounts: bool) -> ColumnElement[bool]:
    if issuer_id is not None:
        return OutboxMessage.issuer_id == issuer_id
    return true() if with_accounts else OutboxMessage.kind.not_in(ACCOUNT_LETTERS)


def _row(row: Row[*tuple[Any, ...]]) -> MessageRow:
    return MessageRow(
        id=row.id,
        kind=row.kind,
        about_id=row.about_id,
        recipient=row.recipient,
        subject=row.subject,
        body=row.body,
        path=row.path,
        created_at=row.created_at,
        try_count=row.try_count,
        next_try_at=row.next_try_at,
        sent_at=row.sent_at,
        failure=row.failure,
        state=MessageState(row.state),
    )
