"""Share sets of an agreement: who pays what part of new orders, now and before (ADR 11). Pure arithmetic and small reads."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Subquery, select, union_all
from sqlalchemy.orm import Session

from voucher.kernel.share_rounding import shares_of
from voucher.programme.model import Agreement, AgreementShare, KeptPart, PastShare
from voucher.programme.rules import parts_of


def every_share() -> Subquery:
    """Return every share of every set: agreement_id, share_set, rank, funder_id, envelope_id, share_basis_points."""
    now = select(
        AgreementShare.agreement_id,
        Agreement.share_set,
        AgreementShare.rank,
        AgreementShare.funder_id,
        AgreementShare.envelope_id,
        AgreementShare.share_basis_points,
    ).join(Agreement, Agreement.id == AgreementShare.agreement_id)
    past = select(
        PastShare.agreement_id,
        PastShare.share_set,
        PastShare.rank,
        PastShare.funder_id,
        PastShare.envelope_id,
        PastShare.share_basis_points,
    )
    return union_all(now, past).subquery("every_share")


def present_shares(session: Session, agreement_id: UUID) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the shares that new orders are split by, by rank: funder_id, envelope_id, rank, share_basis_points."""
    return session.execute(
        select(
            AgreementShare.funder_id,
            AgreementShare.envelope_id,
            AgreementShare.rank,
            AgreementShare.share_basis_points,
        )
        .where(AgreementShare.agreement_id == agreement_id)
        .order_by(AgreementShare.rank)
    ).all()


def kept_parts(session: Session, agreement_id: UUID) -> Mapping[UUID, int]:
    """Return what each funder keeps committed from share sets that ended, in cents; nothing where none did."""
    rows = session.execute(
        select(KeptPart.funder_id, KeptPart.amount_cents).where(KeptPart.agreement_id == agreement_id)
    )
    found: dict[UUID, int] = defaultdict(int)
    found.update({row.funder_id: row.amount_cents for row in rows})
    return found


def present_parts(agreement: Agreement, amount_cents: int, share_basis_points: Sequence[int]) -> tuple[int, ...]:
    """Return each funder's part, in cents, of an amount (ceiling, committed) of an agreement under its present share set."""
    return parts_of(amount_cents - agreement.kept_cents, agreement.face_value_cents, share_basis_points)


def covered_count(
    face_value_cents: int, share_basis_points: Sequence[int], first: int, available_cents: Sequence[int]
) -> int:
    """Return how many vouchers from position `first` on each funder can pay its part of, with what it has, in cents."""
    low, high = 0, sum(available_cents) // face_value_cents
    while low < high:
        count = (low + high + 1) // 2
        parts = shares_of(face_value_cents, share_basis_points, first, count)
        if all(part <= available for part, available in zip(parts, available_cents, strict=True)):
            low = count
        else:
            high = count - 1
    return low
