"""Tables of mail."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base
from voucher.kernel.known_values import OneOf
from voucher.mail.letter_kinds import LetterKind

_WAITS = "sent_at IS NULL AND given_up_at IS NULL"


class OutboxMessage(Base):
    """An e-mail to send, written with the fact that it tells: it waits, then is sent, or given up after several tries."""

    __tablename__ = "outbox_message"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # its Message-ID too: sent twice, it is the same message
    kind: Mapped[LetterKind] = mapped_column(OneOf(LetterKind, 30))
    about_id: Mapped[UUID]  # the fact: an advice
    issuer_id: Mapped[UUID | None]  # whose finance may read it
    recipient: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(150))
    body: Mapped[str] = mapped_column(Text)  # plain text; the sender adds the page's address and who writes
    # Of the page that says more, on our site; empty where it is a secret, made when the message is sent.
    path: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(index=True)
    try_count: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
    failure: Mapped[str] = mapped_column(String(300), default="")  # of the last try, in French

    __table_args__ = (
        # A fact is told once.
        UniqueConstraint("about_id", "kind"),
        CheckConstraint("sent_at IS NULL OR given_up_at IS NULL", name="sent_or_given_up"),
        # What the worker asks again and again.
        Index("ix_outbox_message_waiting", "next_try_at", sqlite_where=text(_WAITS), postgresql_where=text(_WAITS)),
    )
