"""Post many facts of one type by set-based statements: each fact its entry, all inside the caller's transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Select, and_, insert, literal, select
from sqlalchemy.orm import Session, aliased

from voucher.kernel.database import changed
from voucher.ledger.chart import CHART, RULES, Dimension, EventType
from voucher.ledger.fiscal_years import dated_narration, open_day
from voucher.ledger.model import Account, Entry, Movement


def post_many(
    session: Session, event_type: EventType, facts: Select[*tuple[Any, ...]], *, by: UUID | None, now: datetime
) -> int:
    """Post one entry for each row of `facts` and return how many; the entry takes the id of its fact.

    `facts` selects `id`, `amount_cents`, `effective_on`, `narration`, and a `<dimension>_id` for each dimension of the
    accounts moved, which must be open. A fact of a closed year takes effect in the first open one. Only for events without a funder: each pair moves the whole amount. A fact may
    have one entry only of those posted here. Raises IntegrityError for a fact posted before.
    """
    moves = RULES[event_type].moves
    fact = facts.subquery()
    for rank, (debit_code, credit_code) in enumerate(moves, 1):
        debit, credit = _accounts(debit_code), _accounts(credit_code)
        movements = (
            select(
                fact.c.id,
                literal(rank),
                literal(CHART[debit_code].book.value),
                debit.c.id,
                credit.c.id,
                fact.c.amount_cents,
            )
            .join(debit, _is_account(debit, debit_code, fact))
            .join(credit, _is_account(credit, credit_code, fact))
        )
        names = ["entry_id", "rank", "book", "debit_account_id", "credit_account_id", "amount_cents"]
        session.execute(insert(Movement).from_select(names, movements))
    entries = select(
        fact.c.id,
        literal(event_type.value),
        fact.c.id.label("event_id"),
        literal(RULES[event_type].journal.value),
        literal(now, Entry.posted_at.type),
        literal(by, Entry.posted_by.type),
        open_day(fact.c.effective_on),
        dated_narration(fact.c.narration, fact.c.effective_on),
        literal(len(moves)),
        (fact.c.amount_cents * len(moves)).label("total_cents"),
    )
    names = [
        "id", "event_type", "event_id", "journal", "posted_at", "posted_by", "effective_on", "narration",
        "movement_count", "total_cents",
    ]  # fmt: skip
    return changed(session, insert(Entry).from_select(names, entries))


def _accounts(code: str) -> FromClause:
    """Return the accounts of a code, for one use in a statement.

    Where a code has few (one for each agreement or bank account) they are read first: SQLite would else look, for each fact, among
    all the accounts of its agreement, which has one for each structure.
    """
    if Dimension.STRUCTURE in CHART[code].dimensions:
        return aliased(Account.__table__)
    return select(Account.__table__).where(Account.code == code).cte(f"of_{code}").prefix_with("MATERIALIZED")


def _is_account(account: FromClause, code: str, fact: FromClause) -> ColumnElement[bool]:
    kept_by: tuple[Dimension, ...] = CHART[code].dimensions
    return and_(account.c.code == code, *(account.c[f"{one}_id"] == fact.c[f"{one}_id"] for one in kept_by))
