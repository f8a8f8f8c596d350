"""Table of e-mails that a person of finance wrote to a structure about one payment."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from voucher.kernel.database import Base


class PaymentLetter(Base):
    """What somebody wrote to the structure of a payment, as it was written; its message in the outbox says what became of it."""

    __tablename__ = "payment_letter"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # made by the form: the same form sent twice writes once
    advice_id: Mapped[UUID] = mapped_column(ForeignKey("payment_advice.id"), index=True)
    recipient: Mapped[str] = mapped_column(String(200))
    subject: Mapped[str] = mapped_column(String(150))
    body: Mapped[str] = mapped_column(Text)
    written_at: Mapped[datetime]
    written_by: Mapped[UUID]
