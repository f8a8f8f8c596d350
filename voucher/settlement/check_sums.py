"""How settlement's checks compare the ledger with its own tables: both sides in one list, with opposite signs."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, Select, func, select, union_all
from sqlalchemy.orm import Session

from voucher.ledger.model import Account
from voucher.ledger.read import balances_query

ROWS_MAX = 100


def gaps(
    session: Session, code: str, sources: Iterable[Select[*tuple[Any, ...]]], dimensions: tuple[str, ...]
) -> list[Row[*tuple[Any, ...]]]:
    """Return the accounts of a code whose balance (credit side) is not the sum of the rows of `sources`."""
    balances = balances_query().subquery()
    ledger = (
        select(*(getattr(Account, name) for name in dimensions), balances.c.balance_cents.label("cents"))
        .join(balances, balances.c.id == Account.id)
        .where(Account.code == code)
    )
    both = union_all(*sources, ledger).subquery()
    by = [both.c[name] for name in dimensions]
    gap = func.sum(both.c.cents)
    return list(session.execute(select(*by, gap.label("gap")).group_by(*by).having(gap != 0).limit(ROWS_MAX)))
