"""Who funds an agreement, and at which rank."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.programme.model import AgreementShare


def funder_ranks(session: Session, agreement_id: UUID) -> Mapping[UUID, int]:
    """Return the rank of each funder of an agreement, also of one whose share ended; a rank is never given again."""
    rows = session.execute(
        select(AgreementShare.funder_id, AgreementShare.rank).where(AgreementShare.agreement_id == agreement_id)
    )
    return {row.funder_id: row.rank for row in rows}
