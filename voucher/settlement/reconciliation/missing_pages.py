"""The pages that are missing from the statements that the bank cut: each page opens where the one before closes, and one is the last."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from voucher.kernel.calendar import french_date
from voucher.kernel.database import Database
from voucher.programme.model import PayingAccount
from voucher.settlement.model.batches import BankStatement
from voucher.settlement.model.issuer_scope import account_in_scope


@dataclass(frozen=True, slots=True)
class MissingPage:
    """A page that nobody imported: of which statement and account, its rank, the day of the page beside it."""

    account_id: UUID
    account_name: str
    statement_name: str
    closed_on: date
    page: int

    @property
    def sentence(self) -> str:
        """What is missing and what to do."""
        return (
            f"Relevé {self.statement_name} du {french_date(self.closed_on)} ({self.account_name}) : la page {self.page} manque. "
            "Importez-la, ou demandez-la à la banque."
        )


def missing_pages(database: Database, *, issuer_id: UUID | None = None) -> list[MissingPage]:
    """Return the missing pages of all accounts of the scope, the newest first; those of a statement told whole are not missed."""
    with database.read() as session:
        return pages_missing(session, issuer_id=issuer_id)


def pages_missing(session: Session, *, issuer_id: UUID | None = None) -> list[MissingPage]:
    """Return the same inside a transaction."""
    query = (
        select(*BankStatement.__table__.columns, PayingAccount.name)
        .join(PayingAccount, PayingAccount.id == BankStatement.paying_account_id)
        .where(account_in_scope(issuer_id), BankStatement.page.is_not(None))
        .order_by(BankStatement.closed_on, BankStatement.page)
    )
    whole = select(*BankStatement.__table__.columns).where(BankStatement.page.is_(None))
    of_account: defaultdict[UUID, list[Row[*tuple[Any, ...]]]] = defaultdict(list)
    found: dict[tuple[UUID, str, int], MissingPage] = {}
    for row in session.execute(query):
        of_account[row.paying_account_id].append(row)
    for account_id, pages in of_account.items():
        wholes = session.execute(
            whole.where(BankStatement.paying_account_id == account_id, BankStatement.closed_on >= pages[0].closed_on)
        ).all()
        for one in pages:
            for number in _missing_beside(one, pages):
                if not any(each.opened_on <= one.opened_on and one.closed_on <= each.closed_on for each in wholes):
                    name = " ".join(one.reference.split(" ")[:-2])
                    page = MissingPage(account_id, one.name, name, one.closed_on, number)
                    found.setdefault((account_id, name, number), page)
    return sorted(found.values(), key=lambda page: (-page.closed_on.toordinal(), page.page))


def _missing_beside(one: Row[*tuple[Any, ...]], pages: Sequence[Row[*tuple[Any, ...]]]) -> list[int]:
    """Return the ranks beside a page that no page of the account fills by its balance."""
    missing = []
    if one.page > 1 and not any(
        other.page == one.page - 1 and other.closing_cents == one.opening_cents for other in pages
    ):
        missing.append(one.page - 1)
    if not one.is_last_page and not any(
        other.page == one.page + 1 and other.opening_cents == one.closing_cents for other in pages
    ):
        missing.append(one.page + 1)
    return missing
