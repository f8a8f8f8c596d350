"""A batch as the verbs find it: with its agreement, in the scope of who acts."""

from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from voucher.kernel.refusals import Refused
from voucher.programme.model import Agreement
from voucher.settlement.model.batches import SettlementBatch
from voucher.settlement.model.issuer_scope import in_scope


def batch_row(
    session: Session, batch_id: UUID, issuer_id: UUID | None, *, lock: bool = False
) -> Row[*tuple[Any, ...]] | None:
    """Return a batch's row, or None when it does not exist in the scope; `lock` keeps it as it is (PostgreSQL)."""
    query = (
        select(*SettlementBatch.__table__.columns, Agreement.issuer_id)
        .join(Agreement, Agreement.id == SettlementBatch.agreement_id)
        .where(SettlementBatch.id == batch_id, in_scope(Agreement.issuer_id, issuer_id))
    )
    return session.execute(query.with_for_update(of=SettlementBatch) if lock else query).one_or_none()


def unknown_batch() -> Refused:
    """Return the refusal of a batch that is not there, or not for this person."""
    return Refused("unknown_batch", "Ce lot n’existe pas. Choisissez-le dans la liste.")
