"""How settlement's checks compare the ledger with its own tables: both sides in one list, with opposite signs."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, Select, case, func, literal, select, union_all

from voucher.kernel.calendar import french_date
from voucher.kernel.money import format_euros
from voucher.ledger.model import Account
from voucher.ledger.read import balances_query
from voucher.settlement.model.batches import BankLine

ROWS_MAX = 100


def query_gaps(
    code: str, sources: Iterable[Select[*tuple[Any, ...]]], dimensions: tuple[str, ...]
) -> Select[*tuple[Any, ...]]:
    """Return the statement of the accounts of a code whose balance (credit side) is not the sum of the rows of `sources`: `kept` and `told`, in cents."""
    balances = balances_query().subquery()
    ledger = (
        select(
            *(getattr(Account, name) for name in dimensions),
            balances.c.balance_cents.label("cents"),
            literal(1).label("is_ledger"),
        )
        .join(balances, balances.c.id == Account.id)
        .where(Account.code == code)
    )
    told = [source.add_columns(literal(0).label("is_ledger")) for source in sources]
    both = union_all(*told, ledger).subquery()
    by = [both.c[name] for name in dimensions]
    gap = func.sum(both.c.cents)
    kept = func.sum(case((both.c.is_ledger == 1, -both.c.cents), else_=0)).label("kept")
    said_cents = func.sum(case((both.c.is_ledger == 0, both.c.cents), else_=0)).label("told")
    return select(*by, kept, said_cents).group_by(*by).having(gap != 0).limit(ROWS_MAX)


def said(row: Row[*tuple[Any, ...]], by: str) -> str:
    """Return both sums of a gap in French; `by` says whose the second one is."""
    return f"{format_euros(int(row.kept))} au registre, {format_euros(int(row.told))} {by}"


LINE_COLUMNS = (BankLine.bank_reference, BankLine.booked_on)
"""What `line_name` reads."""


def line_name(row: Row[*tuple[Any, ...]]) -> str:
    """Return how a bank line is called: the bank's reference and day."""
    return f"ligne {row.bank_reference} du {french_date(row.booked_on)}"
