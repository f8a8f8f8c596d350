"""Who funds an agreement, at which rank, and for how much."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from voucher.programme.model import Agreement, AgreementShare
from voucher.programme.rules import parts_of


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
    """Return each funder's part of an agreement, by rank."""
    shares = session.execute(
        select(AgreementShare.funder_id, AgreementShare.rank, AgreementShare.share_basis_points)
        .where(AgreementShare.agreement_id == agreement_id)
        .order_by(AgreementShare.rank)
    ).all()
    agreement = session.get_one(Agreement, agreement_id)
    basis_points = [share.share_basis_points for share in shares]
    ceilings = parts_of(agreement.ceiling_cents, agreement.face_value_cents, basis_points)
    committed = parts_of(agreement.committed_cents, agreement.face_value_cents, basis_points)
    return {
        share.funder_id: FunderPart(share.rank, share.share_basis_points, ceiling, part)
        for share, ceiling, part in zip(shares, ceilings, committed, strict=True)
    }
