"""Who funds an agreement, at which rank, and for how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.programme.model import Agreement, PastShare
from voucher.programme.shares import kept_parts, present_parts, present_shares


@dataclass(frozen=True, slots=True)
class FunderPart:
    """A funder's part of an agreement: its share of what is ordered now (none once it ended), of the ceiling, of what is committed."""

    rank: int
    share_basis_points: int
    ceiling_cents: int
    committed_cents: int


def funder_ranks(session: Session, agreement_id: UUID) -> Mapping[UUID, int]:
    """Return the rank of each funder of an agreement, also of one whose share ended; a rank is never given again."""
    return {funder_id: part.rank for funder_id, part in funder_parts(session, agreement_id).items()}


def funder_parts(session: Session, agreement_id: UUID) -> Mapping[UUID, FunderPart]:
    """Return each funder's part of an agreement, by rank: what it keeps from share sets that ended, and its present share."""
    agreement = session.get_one(Agreement, agreement_id)
    shares = present_shares(session, agreement_id)
    kept = kept_parts(session, agreement_id)
    basis_points = [share.share_basis_points for share in shares]
    ceilings = present_parts(agreement, agreement.ceiling_cents, basis_points)
    committed = present_parts(agreement, agreement.committed_cents, basis_points)
    found = {
        share.funder_id: FunderPart(
            share.rank,
            share.share_basis_points,
            kept[share.funder_id] + ceiling,
            kept[share.funder_id] + part,
        )
        for share, ceiling, part in zip(shares, ceilings, committed, strict=True)
    }
    past = session.execute(
        select(PastShare.funder_id, PastShare.rank).where(PastShare.agreement_id == agreement_id).distinct()
    )
    for row in past:
        found.setdefault(row.funder_id, FunderPart(row.rank, 0, kept[row.funder_id], kept[row.funder_id]))
    return dict(sorted(found.items(), key=lambda one: one[1].rank))
