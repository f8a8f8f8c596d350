"""What must be true across rooms (invariants.md §5): each side of an equation comes from other tables than the other's."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from voucher.distribution.model import Lapse, StockVoid, StopOrder
from voucher.funding.balance import called_cents
from voucher.issuing.model import Booklet, IssueBatch
from voucher.kernel.checks import Check, Violation
from voucher.kernel.money import format_euros
from voucher.ledger.chart import OUTSTANDING, OWED_TO_STRUCTURES, Code
from voucher.ledger.model import Account
from voucher.ledger.read import balances_query
from voucher.programme.model import Agreement
from voucher.redemption.reverse import ENDED_STATES
from voucher.settlement.model.batches import PaymentAdvice, SettlementBatch
from voucher.settlement.model.recoveries import Dispute, Overpayment, Recovery
from voucher.settlement.words.states import AdviceState, RecoveryKind

# What a structure owes back is owed less; what is suspended is owed still.
OWED = (*OWED_TO_STRUCTURES, Code.OVERPAID)


def check_everything_issued_is_accounted_for(session: Session) -> list[Violation]:
    """Pour chaque convention : émis = en circulation + dû + en transit + payé + rendu, au centime."""
    issued = _sums(
        session,
        select(IssueBatch.agreement_id, func.sum(IssueBatch.voucher_count * IssueBatch.face_value_cents)).group_by(
            IssueBatch.agreement_id
        ),
    )
    balances = _balances(session)
    paid = _sums(
        session,
        select(SettlementBatch.agreement_id, func.sum(PaymentAdvice.amount_cents))
        .join(PaymentAdvice, PaymentAdvice.batch_id == SettlementBatch.id)
        .where(PaymentAdvice.state == AdviceState.PAID)
        .group_by(SettlementBatch.agreement_id),
    )
    returned = _sums(
        session,
        select(Overpayment.agreement_id, func.sum(Recovery.amount_cents))
        .join(Recovery, Recovery.overpayment_id == Overpayment.id)
        .where(Recovery.kind != RecoveryKind.NETTED, Recovery.cancelled_at.is_(None))
        .group_by(Overpayment.agreement_id),
    )
    released = _released(session)
    violations = []
    for agreement in session.execute(select(Agreement.id, Agreement.number).order_by(Agreement.number)):
        outstanding = sum(balances.get((agreement.id, code), 0) for code in OUTSTANDING)
        owed = -sum(balances.get((agreement.id, code), 0) for code in OWED)
        # What came back of an overpayment, or was given up, pays for no voucher any more.
        kept_cents = paid.get(agreement.id, 0) - returned.get(agreement.id, 0)
        ended = kept_cents + released.get(agreement.id, 0)
        gap = issued.get(agreement.id, 0) - outstanding - owed - ended
        if gap != 0:
            violations.append(
                Violation(
                    "everything_issued_is_accounted_for",
                    f"convention {agreement.number}",
                    f"émis {format_euros(issued.get(agreement.id, 0))}, en circulation {format_euros(outstanding)}, "
                    f"dû ou en transit {format_euros(owed)}, payé et gardé {format_euros(kept_cents)}, "
                    f"rendu {format_euros(released.get(agreement.id, 0))} : écart {format_euros(gap)}",
                )
            )
    return violations


@cache
def _query_what_is_used_is_owed_by_funders() -> Select[*tuple[Any, ...]]:
    sums = balances_query().subquery()
    return (
        select(Account.code, Account.agreement_id, Account.funder_id, sums.c.balance_cents)
        .join(sums, sums.c.id == Account.id)
        .where(Account.code.in_((Code.USED, Code.TO_CALL)))
    )


def check_what_is_used_is_owed_by_funders(session: Session) -> list[Violation]:
    """Pour chaque financeur et convention : les chèques utilisés sont ce qui lui fut appelé et ce qui reste à appeler."""
    rows = session.execute(_query_what_is_used_is_owed_by_funders()).all()
    sides: dict[tuple[UUID, UUID], dict[str, int]] = {}
    for row in rows:
        sides.setdefault((row.agreement_id, row.funder_id), {})[row.code] = int(row.balance_cents)
    called = called_cents(session)
    return [
        Violation(
            "what_is_used_is_owed_by_funders",
            f"financeur {key[1]}, convention {key[0]}",
            f"utilisé {format_euros(side.get(Code.USED, 0))}, appelé {format_euros(called.get(key, 0))}, "
            f"à appeler {format_euros(side.get(Code.TO_CALL, 0))}",
        )
        for key, side in sorted(sides.items())
        if side.get(Code.USED, 0) != side.get(Code.TO_CALL, 0) + called.get(key, 0)
    ]


def _balances(session: Session) -> dict[tuple[UUID, str], int]:
    sums = balances_query().subquery()
    total = func.sum(sums.c.balance_cents)
    rows = session.execute(
        select(Account.agreement_id, Account.code, total.label("balance"))
        .join(sums, sums.c.id == Account.id)
        .where(Account.agreement_id.is_not(None))
        .group_by(Account.agreement_id, Account.code)
    )
    return {(row.agreement_id, row.code): int(row.balance) for row in rows}


def _released(session: Session) -> Mapping[UUID, int]:
    """Return what stop orders, destroyed stock, lapses and reversals after them gave back, by agreement, in cents."""
    parts = (
        select(IssueBatch.agreement_id, func.sum(StopOrder.released_cents))
        .join(Booklet, Booklet.number == StopOrder.booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id),
        select(IssueBatch.agreement_id, func.sum(StockVoid.released_cents))
        .join(Booklet, Booklet.number == StockVoid.first_booklet_number)
        .join(IssueBatch, IssueBatch.id == Booklet.batch_id),
        select(IssueBatch.agreement_id, func.sum(Lapse.released_cents)).join(
            IssueBatch, IssueBatch.id == Lapse.batch_id
        ),
    )
    ended = select(Dispute.agreement_id, func.sum(Dispute.amount_cents)).where(
        Dispute.vouchers_became.in_(ENDED_STATES)
    )
    released = _sums(session, ended.group_by(Dispute.agreement_id))
    for part in parts:
        for agreement_id, cents in _sums(session, part.group_by(IssueBatch.agreement_id)).items():
            released[agreement_id] = released.get(agreement_id, 0) + cents
    return released


def _sums(session: Session, query: Select[UUID, int]) -> dict[UUID, int]:
    return {agreement_id: int(cents) for agreement_id, cents in session.execute(query)}


CHECKS: tuple[Check, ...] = (check_everything_issued_is_accounted_for, check_what_is_used_is_owed_by_funders)
