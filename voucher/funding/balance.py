"""What a funder was called for, gave and got back for an agreement, from the rows of funding (the ledger says the same)."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from voucher.funding.model import CallState, FundingClose, FundsCall


def called_cents(session: Session) -> Mapping[tuple[UUID, UUID], int]:
    """Return, by (agreement, funder), the uses that calls took, less what was called too much and put with the advance, in cents."""
    found: dict[tuple[UUID, UUID], int] = {}
    calls = session.execute(
        select(FundsCall.agreement_id, FundsCall.funder_id, func.sum(FundsCall.used_cents))
        .where(FundsCall.state != CallState.CANCELLED)
        .group_by(FundsCall.agreement_id, FundsCall.funder_id)
    )
    for agreement_id, funder_id, cents in calls:
        found[agreement_id, funder_id] = int(cents)
    for close in session.execute(select(FundingClose.agreement_id, FundingClose.funder_id, FundingClose.carried_cents)):
        key = (close.agreement_id, close.funder_id)
        found[key] = found.get(key, 0) - close.carried_cents
    return found
