"""Put e-mails into the outbox, in the transaction of the fact that they tell."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from voucher.kernel.identifiers import new_id
from voucher.mail.letter_kinds import LetterKind
from voucher.mail.model import OutboxMessage

SUBJECT_CHARACTERS_MAX = 150
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What to tell to whom. `kind` and `about_id` name the fact: told before, it is not told again.

    `body` is plain text; `path` the page of our site that says more, empty where it is a secret, made when the message is sent.
    `issuer_id`: whose finance may read it.
    """

    kind: LetterKind
    about_id: UUID
    issuer_id: UUID | None
    recipient: str
    subject: str
    body: str
    path: str


def is_address(text: str) -> bool:
    """Say whether a text is one e-mail address that every server takes: no name, no list, no control character."""
    return len(text) <= 200 and _ADDRESS.fullmatch(text) is not None


def queue(session: Session, letters: Sequence[Letter], now: datetime) -> None:
    """Write these to the outbox, those told before and those without a usable address left out."""
    rows = [
        {
            "id": new_id(),
            "kind": letter.kind,
            "about_id": letter.about_id,
            "issuer_id": letter.issuer_id,
            "recipient": letter.recipient,
            # A header is one line, whatever a name holds.
            "subject": " ".join(letter.subject.split())[:SUBJECT_CHARACTERS_MAX],
            "body": letter.body,
            "path": letter.path,
            "created_at": now,
            "try_count": 0,
            "next_try_at": now,
            "failure": "",
        }
        for letter in letters
        if is_address(letter.recipient)
    ]
    if rows:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        session.execute(dialect.insert(OutboxMessage).on_conflict_do_nothing(), rows)


def is_told(kind: LetterKind, about_id: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[bool]:
    """Say, of the rows of a query whose fact is `about_id`, that the outbox tells it, sent or not."""
    return exists().where(OutboxMessage.about_id == about_id, OutboxMessage.kind == kind)


def has_left(
    kind: LetterKind, about_id: ColumnElement[Any] | InstrumentedAttribute[Any], by: datetime
) -> ColumnElement[bool]:
    """Say, of the same, that its e-mail was sent by an instant, or given up by then: no server took it."""
    left_at = func.coalesce(OutboxMessage.sent_at, OutboxMessage.given_up_at)
    return exists().where(OutboxMessage.about_id == about_id, OutboxMessage.kind == kind, left_at <= by)
