"""What each funder pays of vouchers: fixed for a whole order when it is taken, spread over its vouchers (kernel.money.spread).

Shares are never stored for each voucher. For a booklet they are computed in Python; for a batch or an agreement by one
statement, with the same whole-number arithmetic.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Executable, Subquery, cast, func, select, update
from sqlalchemy.orm import Session

from voucher.issuing.model import BatchShare, Booklet, IssueBatch, Voucher
from voucher.kernel.share_rounding import spread
from voucher.programme.model import Credit


@dataclass(frozen=True, slots=True)
class FunderShares:
    """The funders of an order by rank, each with what it pays of the whole, in cents."""

    funder_ids: tuple[UUID, ...]
    amounts_cents: tuple[int, ...]
    voucher_count: int

    def amounts(self, first: int, count: int = 1) -> dict[UUID, int]:
        """Return what each funder pays, in cents, of `count` vouchers from rank `first` of the order on (0 is the first)."""
        return dict(zip(self.funder_ids, spread(self.amounts_cents, self.voucher_count, first, count), strict=True))

    def amounts_of(self, ranks: Iterable[int]) -> dict[UUID, int]:
        """Return what each funder pays, in cents, of the vouchers at these ranks of the order, in any order."""
        totals = dict.fromkeys(self.funder_ids, 0)
        for rank in ranks:
            for funder_id, cents in self.amounts(rank).items():
                totals[funder_id] += cents
        return totals


def shares_of_batch(session: Session, batch_id: UUID) -> FunderShares:
    """Return the funders of an order, the State first, and what each pays of it."""
    rows = session.execute(
        select(BatchShare.funder_id, BatchShare.amount_cents, IssueBatch.voucher_count)
        .join(IssueBatch, IssueBatch.id == BatchShare.batch_id)
        .where(BatchShare.batch_id == batch_id)
        .order_by(BatchShare.rank)
    ).all()
    return FunderShares(tuple(row[0] for row in rows), tuple(row[1] for row in rows), rows[0].voucher_count)


def reached_cents() -> Subquery:
    """Return, for each funder of each order, the cents of the order reached with it and before it, by rank."""
    reached = func.sum(BatchShare.amount_cents).over(partition_by=BatchShare.batch_id, order_by=BatchShare.rank)
    return select(
        BatchShare.batch_id,
        BatchShare.funder_id,
        cast(reached, BigInteger).label("up_to"),
        cast(reached - BatchShare.amount_cents, BigInteger).label("below"),
    ).subquery("reached")


def share_cents(reached: Subquery) -> ColumnElement[int]:
    """Return what the funder of `reached` pays of the voucher of the row, in cents: the SQL twin of `spread`."""
    rank = Voucher.serial - IssueBatch.first_serial
    count = IssueBatch.voucher_count

    def up_to(cents: ColumnElement[int]) -> ColumnElement[int]:
        # Whole cents a voucher first: the product of what is over stays within 64 bits, whatever the order.
        over = cents % count
        return cents // count + over * (rank + 1) // count - over * rank // count

    return up_to(reached.c.up_to) - up_to(reached.c.below)


def amounts_by_agreement(*conditions: ColumnElement[bool]) -> Executable:
    """Return the statement (agreement_id, funder_id, state, voucher_count, cents) over the vouchers that match.

    `conditions` speak of Voucher, Booklet and IssueBatch.
    """
    reached = reached_cents()
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
        .join(reached, reached.c.batch_id == IssueBatch.id)
        .where(*conditions)
        .group_by(IssueBatch.agreement_id, reached.c.funder_id, Voucher.state)
    )


def return_credit(session: Session, agreement_id: UUID, amounts_cents: Mapping[UUID, int]) -> None:
    """Add to the credit of an agreement what its vouchers no longer hold, funder by funder in the order of their ids."""
    # Rows are locked in the order of the funders' ids, those that get nothing too: no deadlock.
    for funder_id in sorted(amounts_cents):
        session.execute(
            update(Credit)
            .where(Credit.agreement_id == agreement_id, Credit.funder_id == funder_id)
            .values(available_cents=Credit.available_cents + amounts_cents[funder_id])
        )
