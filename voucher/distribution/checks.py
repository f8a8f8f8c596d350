"""What `voucher verify` proves of distribution: the money of each stage is that of the vouchers which stand at it.

For each agreement and funder: 8040 holds the vouchers issued (and those ordered, not made yet), 8045 those handed over,
8050 those used; and 8030 is the credit that may still be ordered.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from voucher.distribution import checks_slips
from voucher.distribution.model import Handover, StopOrder
from voucher.distribution.words import BOOKLET_STATES, VOUCHER_STATES
from voucher.issuing.model import Booklet, BookletState, IssueBatch, Voucher, VoucherState
from voucher.issuing.shares import amounts_by_agreement, shares_of_batch
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.kernel.number_labels import booklet_label, serial_label
from voucher.ledger.chart import Code
from voucher.ledger.model import Account
from voucher.ledger.read import balances_query
from voucher.programme.model import Credit

STAGES = {
    VoucherState.ISSUED: Code.ISSUED,
    VoucherState.HANDED_OVER: Code.HANDED_OVER,
    VoucherState.REDEEMED: Code.USED,
}
ROWS_MAX = 100

Key = tuple[str, UUID, UUID]  # account, agreement, funder


def check_stages_hold_their_vouchers(session: Session) -> list[Violation]:
    """Les comptes 8040, 8045 et 8050 valent les chèques émis, remis et utilisés, et 8030 le crédit, par financeur."""
    expected = dict(_expected(session))
    balances = _balances(session)
    return [
        Violation(
            "stages_hold_their_vouchers",
            f"compte {code}, convention {agreement_id}, financeur {funder_id}",
            f"solde {format_euros(balances.get((code, agreement_id, funder_id), 0))}, "
            f"attendu {format_euros(expected.get((code, agreement_id, funder_id), 0))}",
        )
        for code, agreement_id, funder_id in sorted(expected.keys() | balances.keys())
        if balances.get((code, agreement_id, funder_id), 0) != expected.get((code, agreement_id, funder_id), 0)
    ]


def _expected(session: Session) -> Iterator[tuple[Key, int]]:
    totals: dict[Key, int] = {}
    for row in session.execute(amounts_by_agreement(Voucher.state.in_(STAGES))):
        totals[STAGES[row.state], row.agreement_id, row.funder_id] = row.cents
    for batch in session.scalars(select(IssueBatch).where(IssueBatch.made_booklet_count < IssueBatch.booklet_count)):
        made = batch.made_booklet_count * batch.booklet_size
        unmade = shares_of_batch(session, batch.id).amounts(made, batch.voucher_count - made)
        for funder_id, cents in unmade.items():
            key = STAGES[VoucherState.ISSUED], batch.agreement_id, funder_id
            totals[key] = totals.get(key, 0) + cents
    yield from totals.items()
    for credit in session.scalars(select(Credit)):
        yield (Code.COMMITTED, credit.agreement_id, credit.funder_id), credit.available_cents


def _balances(session: Session) -> dict[Key, int]:
    sums = balances_query().subquery()
    rows = session.execute(
        select(Account.code, Account.agreement_id, Account.funder_id, func.sum(sums.c.balance_cents).label("cents"))
        .join(sums, sums.c.id == Account.id)
        .where(Account.code.in_([*STAGES.values(), Code.COMMITTED]))
        .group_by(Account.code, Account.agreement_id, Account.funder_id)
    )
    return {(row.code, row.agreement_id, row.funder_id): int(row.cents) for row in rows}


@cache
def _query_booklets_agree_with_their_slips() -> Select[*tuple[Any, ...]]:
    return (
        select(Booklet.number, Booklet.state)
        .outerjoin(Handover, Handover.booklet_number == Booklet.number)
        .outerjoin(StopOrder, StopOrder.booklet_number == Booklet.number)
        .where(
            or_(
                and_(Booklet.state == BookletState.HANDED_OVER, Handover.id.is_(None)),
                and_(Booklet.state.in_((BookletState.ISSUED, BookletState.VOID)), Handover.id.is_not(None)),
                and_(Handover.id.is_not(None), Handover.prescriber_id.is_distinct_from(Booklet.prescriber_id)),
                (Booklet.state == BookletState.STOPPED) != StopOrder.id.is_not(None),
            )
        )
        .order_by(Booklet.number)
        .limit(ROWS_MAX)
    )


def check_booklets_agree_with_their_slips(session: Session) -> list[Violation]:
    """Chaque carnet remis a sa remise, par qui le détenait ; chaque carnet bloqué a son opposition."""
    wrong = session.execute(_query_booklets_agree_with_their_slips())
    return [
        Violation(
            "booklets_agree_with_their_slips",
            f"carnet {booklet_label(row.number)}",
            f"« {BOOKLET_STATES[row.state]} » sans la remise ou l’opposition qui le dit, ou chez un autre prescripteur",
        )
        for row in wrong
    ]


@cache
def _query_vouchers_agree_with_their_booklet() -> Select[*tuple[Any, ...]]:
    return (
        select(Voucher.serial, Voucher.state, Booklet.state.label("booklet_state"))
        .join(Booklet, Booklet.number == Voucher.booklet_number)
        .where(
            or_(
                and_(Voucher.state == VoucherState.HANDED_OVER, Booklet.state != BookletState.HANDED_OVER),
                and_(Voucher.state == VoucherState.STOPPED, Booklet.state != BookletState.STOPPED),
                and_(Voucher.state == VoucherState.VOID, Booklet.state != BookletState.VOID),
                and_(
                    Voucher.state == VoucherState.ISSUED,
                    Booklet.state.in_((BookletState.STOPPED, BookletState.VOID)),
                ),
            )
        )
        .order_by(Voucher.serial)
        .limit(ROWS_MAX)
    )


def check_vouchers_agree_with_their_booklet(session: Session) -> list[Violation]:
    """Aucun chèque n’est utilisable dans un carnet bloqué ou annulé, ni remis dans un carnet qui ne l’est pas."""
    wrong = session.execute(_query_vouchers_agree_with_their_booklet())
    return [
        Violation(
            "vouchers_agree_with_their_booklet",
            f"chèque {serial_label(row.serial)}",
            f"« {VOUCHER_STATES[row.state]} » dans un carnet « {BOOKLET_STATES[row.booklet_state]} »",
        )
        for row in wrong
    ]


CHECKS: tuple[Check, ...] = (
    check_stages_hold_their_vouchers,
    check_booklets_agree_with_their_slips,
    check_vouchers_agree_with_their_booklet,
    *checks_slips.CHECKS,
)
