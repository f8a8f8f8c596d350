"""What each funder pays of vouchers: their shares, fixed by their position in the agreement (kernel.money.shares_of).

Shares are never stored for each voucher. For a booklet they are computed in Python; for a batch or an agreement by one
statement, with the same whole-number arithmetic.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Executable, Subquery, cast, func, select, update
from sqlalchemy.orm import Session

from voucher.issuing.model import Booklet, IssueBatch, Voucher
from voucher.kernel.money import BASIS_POINTS, shares_of
from voucher.programme.model import AgreementShare, Credit


@dataclass(frozen=True, slots=True)
class FunderShares:
    """The funders of an agreement by rank, each with its share in basis points (they sum to 10,000)."""

    agreement_id: UUID
    funder_ids: tuple[UUID, ...]
    share_basis_points: tuple[int, ...]

    def amounts(self, face_value_cents: int, first_position: int, count: int = 1) -> dict[UUID, int]:
        """Return what each funder pays, in cents, of `count` vouchers whose positions follow each other."""
        amounts = shares_of(face_value_cents, self.share_basis_points, first_position, count)
        return dict(zip(self.funder_ids, amounts, strict=True))

    def amounts_of(self, face_value_cents: int, positions: Iterable[int]) -> dict[UUID, int]:
        """Return what each funder pays, in cents, of the vouchers at `positions`, in any order."""
        totals = dict.fromkeys(self.funder_ids, 0)
        for position in positions:
            for funder_id, cents in self.amounts(face_value_cents, position).items():
                totals[funder_id] += cents
        return totals


def shares_of_agreement(session: Session, agreement_id: UUID) -> FunderShares:
    """Return the funders of an agreement and their shares, the State first."""
    rows = session.execute(
        select(AgreementShare.funder_id, AgreementShare.share_basis_points)
        .where(AgreementShare.agreement_id == agreement_id)
        .order_by(AgreementShare.rank)
    ).all()
    return FunderShares(agreement_id, tuple(row[0] for row in rows), tuple(row[1] for row in rows))


def reached_basis_points() -> Subquery:
    """Return, for each funder of each agreement, the basis points reached with it and before it, by rank."""
    reached = func.sum(AgreementShare.share_basis_points).over(
        partition_by=AgreementShare.agreement_id, order_by=AgreementShare.rank
    )
    return select(
        AgreementShare.agreement_id,
        AgreementShare.funder_id,
        cast(reached, BigInteger).label("up_to"),
        cast(reached - AgreementShare.share_basis_points, BigInteger).label("below"),
    ).subquery("reached")


def share_cents(reached: Subquery) -> ColumnElement[int]:
    """Return what the funder of `reached` pays of the voucher of the row, in cents: the SQL twin of `shares_of`."""
    position = IssueBatch.first_position + Voucher.serial - IssueBatch.first_serial

    def up_to(basis_points: ColumnElement[int]) -> ColumnElement[int]:
        each = basis_points * IssueBatch.face_value_cents
        return each * (position + 1) // BASIS_POINTS - each * position // BASIS_POINTS

    return up_to(reached.c.up_to) - up_to(reached.c.below)


def amounts_by_agreement(*conditions: ColumnElement[bool]) -> Executable:
    """Return the statement (agreement_id, funder_id, state, voucher_count, cents) over the vouchers that match.

    `conditions` speak of Voucher, Booklet and IssueBatch.
    """
    reached = reached_basis_points()
    return (
        select(
            IssueBatch.agreement_id,
            reached.c.funder_id,
            Voucher.state,
            func.count().label("voucher_count"),
            cast(func.sum(share_cents(reached)), BigInteger).label("cents"),
        )
        .select_from(Voucher)
        .join(Booklet, Booklet.number == Voucher.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id)
        .join(reached, reached.c.agreement_id == IssueBatch.agreement_id)
        .where(*conditions)
        .group_by(IssueBatch.agreement_id, reached.c.funder_id, Voucher.state)
    )


def give_back(session: Session, agreement_id: UUID, amounts_cents: Mapping[UUID, int]) -> None:
    """Add to the credit of an agreement what its vouchers no longer hold, funder by funder in the order of their ids."""
    for funder_id in sorted(amounts_cents):
        if amounts_cents[funder_id]:
            session.execute(
                update(Credit)
                .where(Credit.agreement_id == agreement_id, Credit.funder_id == funder_id)
                .values(available_cents=Credit.available_cents + amounts_cents[funder_id])
            )
